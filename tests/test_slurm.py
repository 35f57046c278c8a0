"""Batches as jobs of a real Slurm on this machine: slurmctld and slurmd, with the project's profile and its plugin."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrate import listing
from tests.harness import ROOT, Workspace, wait_for
from tests.slurm import Slurm

pytestmark = [pytest.mark.xdist_group("slurm"), pytest.mark.timeout(600)]

SNAKEMAKE = ROOT / ".venv-slurm" / "bin" / "snakemake"

SNAKEFILE = """
import json, os

settings = os.environ["SETTINGS"]
results = os.environ["RESULTS"]
scripts = os.environ["SCRIPTS"]


localrules:
    all,


rule all:
    input:
        expand(f"{results}/batches/{{batch}}.done", batch=range(4)),


rule upload_batch:
    input:
        batch=f"{results}/batches/{{batch}}.txt",
    output:
        done=temp(touch(f"{results}/batches/{{batch}}.done")),
    log:
        f"{results}/logs/upload_batch/{{batch}}.log",
    threads: 1
    resources:
        uploads=2,
    params:
        scripts=scripts,
        settings=settings,
    shell:
        "python {params.scripts:q}/upload_batch.py --settings={params.settings:q} --workers={resources.uploads}"
        " --run={results:q} {input.batch:q} 2>{log:q}"
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    with Slurm(tmp_path_factory.mktemp("slurm") / "cluster", cpus=4) as cluster:
        yield cluster


@pytest.fixture
def batches(workspace: Workspace, slurm: Slurm) -> Path:
    """Four batches of four images each, and the workspace led to the cluster."""
    workspace.add(*(f"{number}.jpg" for number in range(16)))
    listed = workspace.results / "listing.json"
    workspace.environment |= {
        **slurm.environment,
        "PATH": f"{SNAKEMAKE.parent}{os.pathsep}{slurm.environment['PATH']}",
        "CLOUDINARY_URL": workspace.cloud.cloudinary_url,
        "SETTINGS": workspace.settings(),
        "RESULTS": str(workspace.results),
        "SCRIPTS": str(ROOT / "scripts"),
    }
    workspace.script("list_images.py", f"--settings={workspace.settings()}", str(listed)).succeeded()
    folder = workspace.results / "batches"
    folder.mkdir()
    names = [f"{image.id}.{image.fingerprint}.json" for image in listing.read(listed).images]
    for batch in range(4):
        (folder / f"{batch}.txt").write_text("\n".join(names[batch::4]) + "\n")
    (workspace.path / "Snakefile").write_text(SNAKEFILE)
    shutil.copytree(ROOT / "profiles", workspace.path / "profiles")
    return folder


def start(workspace: Workspace, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(SNAKEMAKE), "--profile", "profiles/slurm", *arguments],
        cwd=workspace.path,
        env={**os.environ, "NO_GCE_CHECK": "true", **workspace.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end(running: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code of a run, and what it said."""
    said, _ = running.communicate(timeout=240)
    return running.returncode, said


def under_way(workspace: Workspace, slurm: Slurm) -> subprocess.Popen[str]:
    """A run all of whose batches have begun, and none of which has ended."""
    workspace.cloud.settings(delay=3)
    running = start(workspace)
    logs = workspace.results / "logs" / "upload_batch"
    wait_for(lambda: len(list(logs.glob("*.log"))) == 4 and workspace.calls("drive.media") >= 8, 120)
    workspace.cloud.settings(delay=1)
    return running


def test_a_cancelled_job_costs_its_own_images_and_the_same_command_moves_them(
    workspace: Workspace, slurm: Slurm, batches: Path
) -> None:
    running = under_way(workspace, slurm)
    slurm.command("scancel", slurm.jobs()[0])
    code, said = end(running)
    assert code == 1 and "Traceback" not in said, said
    done = len(workspace.markers())
    assert 12 <= done < 16, "the other three are done"
    wait_for(lambda: not workspace.processes(), 30)

    # Two batches of two uploads each at once, on all nodes together.
    workspace.cloud.reset()
    code, said = end(start(workspace, "--resources", "uploads=4"))
    assert code == 0, said
    assert len(workspace.markers()) == 16 and workspace.calls("drive.media") == 16 - done
    assert {asset["stores"] for asset in workspace.cloud.assets().values()} <= {1, 2}
    assert workspace.cloud.stats()["max_uploads_at_once"] <= 4
    wait_for(lambda: not workspace.processes(), 30)


def test_a_killed_slurmd_that_comes_back_costs_at_most_what_ran_on_it(
    workspace: Workspace, slurm: Slurm, batches: Path
) -> None:
    running = under_way(workspace, slurm)
    slurm.kill_node()
    slurm.start_node()
    code, said = end(running)
    assert "Traceback" not in said, said
    if code:
        code, said = end(start(workspace))
    assert code == 0, said
    assert len(workspace.markers()) == 16
    assert {asset["stores"] for asset in workspace.cloud.assets().values()} <= {1, 2}
    wait_for(lambda: not workspace.processes(), 30)
