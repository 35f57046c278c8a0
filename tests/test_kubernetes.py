"""The whole migration by the real executor for Kubernetes, the project's profile, and a cluster that is a stand-in."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import needs
from tests.harness import ROOT, Workspace, wait_for
from tests.kubernetes import Kubernetes

pytestmark = [pytest.mark.xdist_group("kubernetes"), pytest.mark.timeout(300)]

PROGRAMS = ROOT / ".venv-kubernetes" / "bin"


@pytest.fixture
def kubernetes(tmp_path: Path) -> Iterator[Kubernetes]:
    needs.need(needs.RSYNC)
    with Kubernetes(tmp_path / "node", PROGRAMS) as cluster:
        yield cluster


@pytest.fixture
def clone(workspace: Workspace) -> Workspace:
    """The working directory: a clone of the project on the volume, with the user's token in it."""
    for name in ("Snakefile", "config.yaml", "config.schema.yaml", "profiles", "scripts", "envs"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, workspace.path / name)
    profile = workspace.path / "profiles" / "kubernetes" / "config.yaml"
    profile.write_text(profile.read_text().replace("/shared", str(workspace.path)))
    subprocess.run(["git", "init", "--quiet"], cwd=workspace.path, check=True)
    subprocess.run(["git", "add", "."], cwd=workspace.path, check=True)
    shutil.copy(workspace.cloud.token, workspace.path / "token.json")
    return workspace


def start(clone: Workspace, cluster: Kubernetes, **config: Any) -> subprocess.Popen[str]:
    """A run in batches of four images."""
    plain = clone.command(images_per_job=4, results=clone.path / "results", token=None, **config)
    profile = ["--workflow-profile", "kubernetes", "--seconds-between-status-checks", "1"]
    return subprocess.Popen(
        [str(PROGRAMS / "snakemake"), *profile, *plain[plain.index("--config") :]],
        cwd=clone.path,
        env={
            **clone.variables(),
            "KUBECONFIG": str(cluster.config),
            "DRIVE_TOKEN": (clone.path / "token.json").read_text(),
            "NO_PROXY": "127.0.0.1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end(running: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code of a run, and what it said."""
    said, _ = running.communicate(timeout=200)
    return running.returncode, said


def test_pods_move_all_images_with_what_the_manifest_of_their_job_gives_them(
    clone: Workspace, kubernetes: Kubernetes
) -> None:
    clone.add(*(f"{number}.jpg" for number in range(8)))
    code, said = end(start(clone, kubernetes))
    assert code == 0, said + kubernetes.logs
    clone.audit()

    (secret,) = kubernetes.created["secrets"]
    first, second = (job["spec"]["template"]["spec"] for job in kubernetes.created["jobs"])
    for pod in (first, second):
        (container,) = pod["containers"]
        assert container["image"] == "drive2cloudinary:latest"
        assert container["resources"]["requests"]["memory"] == "2000M"
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert mounts == {"workdir": container["workingDir"], "drive2cloudinary": str(clone.path)}
        claims = [volume["persistentVolumeClaim"] for volume in pod["volumes"] if volume["name"] == "drive2cloudinary"]
        assert claims == [{"claimName": "drive2cloudinary"}]
        references = {each["name"]: each["valueFrom"]["secretKeyRef"]["name"] for each in container["env"]}
        assert references == dict.fromkeys(("CLOUDINARY_URL", "DRIVE_TOKEN"), secret["metadata"]["name"])
        (command,) = container["args"][1:]
        assert "--allowed-rules upload_batch " in command and "--mode 'remote'" in command
    assert not any(kubernetes.objects.values()), "it leaves neither secret nor job"
    assert not list((clone.path / "workflow").iterdir())


def test_no_secret_is_anywhere_but_in_the_secret(clone: Workspace, kubernetes: Kubernetes) -> None:
    """The failed run is the one that says most."""
    (lost,) = clone.add("0.jpg")
    clone.cloud.settings(delay=3)
    running = start(clone, kubernetes)
    wait_for(lambda: kubernetes.pods, 120)
    clone.cloud.drive("delete", id=lost)
    code, said = end(running)
    assert code == 1 and "Traceback" not in said, said
    kept = json.loads((clone.cloud.store / "secrets.json").read_text())
    shown = said + kubernetes.logs + json.dumps(kubernetes.created["jobs"])
    assert not [name for name in ("api_secret", "client_secret", "refresh_token") if kept[name] in shown]
    assert "ya29." not in shown
    assert kubernetes.created["secrets"] and not any(kubernetes.objects.values()), "it is deleted with the run"
    assert {path.stat().st_mode & 0o777 for path in kubernetes.folder.glob("*/token.json")} == {0o600}


def test_a_killed_pod_and_a_deleted_job_cost_their_own_images_and_the_same_command_moves_them(
    clone: Workspace, kubernetes: Kubernetes
) -> None:
    clone.add(*(f"{number}.jpg" for number in range(12)))
    clone.cloud.faults([{"on": "cloudinary.upload", "do": {"hold": 0}, "times": None}])
    running = start(clone, kubernetes, timeout=120)
    wait_for(lambda: clone.calls("drive.media") >= 12, 120)
    kubernetes.delete_a_job()
    kubernetes.kill_a_pod()
    clone.cloud.faults([])
    code, said = end(running)
    assert code == 1 and "Traceback" not in said, said
    assert len(clone.markers()) == 4, "the third pod's"

    clone.cloud.reset()
    code, said = end(start(clone, kubernetes))
    assert code == 0, said
    clone.audit(crashes=1)
    assert clone.calls("drive.media") == 8
    assert not any(kubernetes.objects.values())


def test_when_nothing_else_can_succeed_no_further_batch_is_begun(clone: Workspace, kubernetes: Kubernetes) -> None:
    """Of many folders, whose list the pods do not have."""
    album = clone.cloud.drive("folder", name="Album")
    clone.add(*(f"{number}.jpg" for number in range(24)), parent=album)
    (clone.path / "folders.csv").write_text(f"link\n{album}\n")
    clone.cloud.settings(delay=1)
    running = start(clone, kubernetes, folder_id=None, folders="folders.csv", uploads_at_once=8)
    wait_for(lambda: clone.calls("drive.media"), 120)
    clone.cloud.oauth(revoke=True, expire=True)
    code, said = end(running)
    assert code == 1 and "Traceback" not in said, said
    assert said.count("run python scripts/authenticate.py") == 1, said
    assert len(kubernetes.created["jobs"]) < 6
