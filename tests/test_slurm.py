"""The whole migration on a real Slurm on this machine: slurmctld and slurmd, the project's profile and its plugin."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests import needs
from tests.harness import ROOT, Workspace, wait_for
from tests.slurm import Slurm

pytestmark = [pytest.mark.xdist_group("slurm"), pytest.mark.timeout(600)]

SNAKEMAKE = ROOT / ".venv-slurm" / "bin" / "snakemake"


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    needs.need(needs.SLURM, needs.ROOT)
    with Slurm(tmp_path_factory.mktemp("slurm") / "cluster", cpus=4) as cluster:
        yield cluster


def start(workspace: Workspace, slurm: Slurm, **config: Any) -> subprocess.Popen[str]:
    """A run in batches of four images, each with two processes."""
    environment = {**slurm.environment, "CLOUDINARY_URL": workspace.cloud.cloudinary_url, "NO_GCE_CHECK": "true"}
    plain = workspace.command(images_per_job=4, **config)
    cores = plain.index("--cores")
    command = [str(SNAKEMAKE), "--workflow-profile", "slurm", *plain[1:cores], *plain[cores + 2 :]]
    return subprocess.Popen(
        [*command, "--set-resources", "upload_batch:uploads=2"],
        cwd=workspace.path,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end(running: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code of a run, and what it said."""
    said, _ = running.communicate(timeout=240)
    return running.returncode, said


def under_way(workspace: Workspace, slurm: Slurm) -> subprocess.Popen[str]:
    """A run of 16 images all of whose batches have begun; no upload ends before the faults are taken away."""
    workspace.add(*(f"{number}.jpg" for number in range(16)))
    workspace.cloud.faults([{"on": "cloudinary.upload", "do": {"hold": 0}, "times": None}])
    running = start(workspace, slurm, timeout=120)
    # Two batches alone would make half of these downloads.
    wait_for(lambda: workspace.calls("drive.media") == 16, 120)
    return running


def test_a_cancelled_job_costs_only_its_own_images_which_the_same_command_moves(
    workspace: Workspace, slurm: Slurm
) -> None:
    running = under_way(workspace, slurm)
    cancelled = slurm.jobs()[0]
    slurm.command("scancel", cancelled)
    wait_for(lambda: cancelled not in slurm.jobs("RUNNING,COMPLETING"), 60)
    workspace.cloud.faults([])
    code, said = end(running)
    assert code == 1 and "Traceback" not in said, said
    assert len(workspace.markers()) == 12, "the other three are done"
    assert list(workspace.statuses().values()).count("uploaded") == 12
    wait_for(lambda: not workspace.processes(), 30)

    workspace.cloud.reset()
    code, said = end(start(workspace, slurm))
    assert code == 0, said
    workspace.audit(crashes=1)
    assert workspace.calls("drive.media") == 4
    wait_for(lambda: not workspace.processes(), 30)


def test_a_killed_node_costs_at_most_what_ran_on_it(workspace: Workspace, slurm: Slurm) -> None:
    running = under_way(workspace, slurm)
    slurm.kill_node()
    slurm.start_node()
    workspace.cloud.faults([])
    code, said = end(running)
    assert "Traceback" not in said, said
    if code:
        code, said = end(start(workspace, slurm))
    assert code == 0, said
    workspace.audit(crashes=1)
    wait_for(lambda: not workspace.processes(), 30)


def test_the_limits_of_the_run_hold_for_all_nodes_together(workspace: Workspace, slurm: Slurm) -> None:
    """Four uploads at once are two batches of two workers; all four batches would find a place on the node."""
    workspace.add(*(f"{number}.jpg" for number in range(16)))
    workspace.cloud.settings(delay=0.5)
    code, said = end(start(workspace, slurm, uploads_at_once=4))
    assert code == 0, said
    workspace.audit()
    assert workspace.cloud.stats()["max_uploads_at_once"] <= 4


def test_the_jobs_have_the_settings_as_they_were_typed(workspace: Workspace, slurm: Slurm) -> None:
    """A shell reads them on the way, and Snakemake reads them as YAML in each job."""
    workspace.add("1.jpg")
    workspace.add("2.jpg", parent=workspace.cloud.drive("folder", name="#recycle"))
    tag = "it's $HOME \\d"
    code, said = end(start(workspace, slurm, exclude="#recycle/*", upload=json.dumps({"tags": [tag]})))
    assert code == 0, said
    (asset,) = workspace.cloud.assets().values()
    assert asset["tags"] == [tag]
