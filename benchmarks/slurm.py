"""What a cluster costs: `make bench-slurm` moves the same images here, and by jobs of a hundred on a real Slurm's node.

The node is this machine, with slurmctld and slurmd of Debian's packages; the cloud is the emulator with its usual
delays. Drive's quota is that of the settings' default. All is measured in one run and printed as the table of
docs/clusters.md; `python -m benchmarks.slurm --images 10000` takes a quarter of an hour.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import Cost, cost_of
from benchmarks.workbench import ROOT, cloud, command, environment, heading, migrate, row, workspace
from tests.emulator.client import Emulator
from tests.slurm import Slurm

A_JOB, WORKERS, CPUS = 100, 8, 2
SNAKEMAKE = ROOT / ".venv-slurm" / "bin" / "snakemake"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=400, help="of 100 KB")
    images = parser.parse_args().images
    with cloud(images) as emulator:
        here = well(migrate(emulator, WORKERS))
    with (
        tempfile.TemporaryDirectory() as home,
        Slurm(Path(home) / "cluster", cpus=CPUS) as slurm,
        cloud(images) as emulator,
    ):
        there = well(on_slurm(emulator, slurm))
    jobs = images // A_JOB
    heading("measure", "wanted", "measured")
    row(f"{images:,} images of 100 KB here, {WORKERS} at once", "", f"{here.seconds:.0f} s")
    row(
        f"the same by {jobs} jobs of {A_JOB} on a node with {CPUS} CPUs, {WORKERS} at once in each",
        "10,000 images: ≥ 0.7 of the rate here",
        f"{there.seconds:.0f} s ({here.seconds / there.seconds:.2f})",
    )
    row("CPU, snakemake's own, here and there", "", f"{here.cpu_seconds:.0f} s, {there.cpu_seconds:.0f} s")


def on_slurm(emulator: Emulator, slurm: Slurm) -> Cost:
    """The README's command for a cluster, in a fresh working directory."""
    _, *rest = command(emulator, "--workflow-profile", "slurm", images_per_job=A_JOB, uploads_at_once=CPUS * WORKERS)
    variables = {**environment(emulator), **slurm.environment}
    return cost_of(
        [SNAKEMAKE, *rest, "--set-resources", f"upload_batch:uploads={WORKERS}"], workspace(emulator), variables
    )


def well(cost: Cost) -> Cost:
    """The cost of a command that has succeeded."""
    if cost.code:
        sys.exit("a command failed: what was measured means nothing")
    return cost


if __name__ == "__main__":
    main()
