"""What many images cost, step by step: `python -m benchmarks.scaling`, or `make scaling`.

The cloud is the emulator with a generated folder of tiny images. A real run goes until its first upload. The folder is
listed at 80 ms for each Drive call; then come the first dry run, a real run with nothing to do, one with a single
changed image, and the merge for itself. At last, with calls of 5 ms so that this machine is the limit, the rate of a
run with many pending images from its beginning to its end. All is measured in one run, on one machine, and printed as
the tables of docs/performance.md.
"""

from __future__ import annotations

import argparse
import base64
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks.finished import finish
from benchmarks.measuring import Cost, cost_of
from benchmarks.workbench import DRIVE, ROOT, cloud, command, environment, heading, migrate, row, workspace
from tests.emulator.client import Emulator
from tests.emulator.pictures import noise_jpeg

sys.path.insert(0, str(ROOT / "scripts"))

from drive2cloudinary.settings import Settings

TINY = 400
"""Bytes of an image."""
CORES = 8
MODEL = 20
FAST = {"drive_delay": 5, "upload_delay": 5, "drive_units_per_minute": 0}
UNPACED = {"drive_units_per_minute": 1_000_000_000}
"""So that not our own courtesy is measured."""
AT_ONCE = 32
"""Of the long run."""


@dataclass
class Start:
    """Of a run that moves its first image: seconds from the end of the listing, and snakemake's peak memory."""

    seconds: float
    bytes: int

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, {self.bytes / 1e6:,.0f} MB"


@dataclass
class Steps:
    """What each step cost with so many images."""

    drive_calls: int
    first_upload: Start
    listing: Cost
    dry_run: Cost
    all_is_there: Cost
    nothing_to_do: Cost
    one_changed: Cost
    merge: Cost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[1_000, 10_000, 100_000], help="sizes of the folder")
    parser.add_argument("--pending", type=int, default=20_000, help="images of the long run; 0: none")
    options = parser.parse_args()
    steps(options.images)
    if options.pending:
        print()
        rate(options.pending)


def steps(sizes: Sequence[int]) -> None:
    """The table of the steps, one column for each size."""
    with tempfile.TemporaryDirectory() as home:
        model = Path(home) / "model"
        make_model(model)
        measured = [steps_of(size, model) for size in sizes]
    heading("measure", "wanted", *(f"{size:,} images" for size in sizes))
    row("listing, Drive calls", "≤ 1,100", *(f"{each.drive_calls:,}" for each in measured))
    row(f"listing, {DRIVE} ms a call", "≤ 25 s, ≤ 200 MB", *(told(each.listing) for each in measured))
    row("from its end to the first upload", "≤ 15 s, ≤ 600 MB", *(str(each.first_upload) for each in measured))
    row("first dry run after it", "≤ 15 s, ≤ 400 MB", *(told(each.dry_run) for each in measured))
    row("first run with all markers, but no mapping", "", *(told(each.all_is_there, each.listing) for each in measured))
    row("run with nothing to do", "≤ 10 s, ≤ 400 MB", *(told(each.nothing_to_do, each.listing) for each in measured))
    row("run with one image changed", "≤ 20 s", *(told(each.one_changed, each.listing) for each in measured))
    row("merging and report", "≤ 15 s, ≤ 250 MB", *(told(each.merge) for each in measured))
    row("CPU for each further image: dry run, nothing to do, merging", "the same", *further(sizes, measured))
    print("\nThe times of the three runs are those beyond the listing, which each of them makes, too.")


def further(sizes: Sequence[int], measured: Sequence[Steps]) -> list[str]:
    """The milliseconds of CPU that each image costs beyond those of the next smaller size."""
    cells = ["–"]
    for (fewer, more), (before, after) in zip(pairwise(sizes), pairwise(measured), strict=True):
        costs = [
            1000 * (getattr(after, step).cpu_seconds - getattr(before, step).cpu_seconds) / (more - fewer)
            for step in ("dry_run", "nothing_to_do", "merge")
        ]
        cells.append(", ".join(f"{cost:.2f}" for cost in costs) + " ms")
    return cells


def told(cost: Cost, less: Cost | None = None) -> str:
    """A cost in words: how long it took, of that CPU (of both cores), and the largest process.

    In: the cost of a part whose time does not count.
    """
    seconds = cost.seconds - (less.seconds if less else 0)
    return f"{seconds:.1f} s (CPU {cost.cpu_seconds:.1f} s), {cost.largest_bytes / 1e6:,.0f} MB"


def make_model(model: Path) -> None:
    """A working directory in which a few images were really migrated."""
    with cloud(MODEL, TINY, delayed=False) as emulator:
        well(migrate(emulator, CORES))
        shutil.copytree(emulator.store.with_name("work"), model)


def steps_of(images: int, model: Path) -> Steps:
    started = first_upload(images)
    with cloud(images, TINY, delayed=False, drive_delay=DRIVE) as emulator:
        folder, results = workspace(emulator), Path("results", emulator.folder_id)
        settings = Settings(folder_id=emulator.folder_id, drive_endpoint=emulator.drive_endpoint, token=emulator.token)

        def cost(*line: str | Path) -> Cost:
            return well(cost_of(line, folder, environment(emulator)))

        listing = results / "listing.json"
        scripts = ROOT / "scripts"
        listed = cost(sys.executable, scripts / "list_images.py", f"--settings={settings.to_json()}", listing)
        drive_calls = sum(emulator.stats()["counts"][op] for op in ("drive.get", "drive.list"))
        dry_run = cost(*command(emulator, "-n"))
        finish(folder, model, results)
        run = command(emulator, "--cores", str(CORES))
        all_is_there, nothing_to_do = cost(*run), cost(*run)
        merge = cost(sys.executable, scripts / "merge_markers.py", listing)
        assert_nothing_was_moved(emulator)
        changed = json.loads((folder / listing).read_text())["images"][images // 2]["id"]
        emulator.drive("replace", id=changed, content_base64=base64.b64encode(noise_jpeg(TINY, images)).decode())
        one_changed = cost(*run)
    return Steps(drive_calls, started, listed, dry_run, all_is_there, nothing_to_do, one_changed, merge)


def first_upload(images: int) -> Start:
    """Measure how a run begins that has so many pending images; it is killed once the first is uploaded."""
    with cloud(images, TINY, delayed=False, drive_delay=DRIVE) as emulator:

        def is_moving() -> bool:
            return bool(emulator.stats()["counts"].get("cloudinary.upload"))

        line = command(emulator, "--cores", str(CORES))
        cost = cost_of(line, workspace(emulator), environment(emulator), until=is_moving)
        at = moments(emulator)
    return Start(min(at["cloudinary.upload"]) - max(at["drive.list"]), cost.largest_bytes)


def assert_nothing_was_moved(emulator: Emulator) -> None:
    counts = emulator.stats()["counts"]
    assert not counts.get("drive.media") and not counts.get("cloudinary.upload"), f"not a run without work: {counts}"


def well(cost: Cost) -> Cost:
    """The cost of a command that has succeeded."""
    if cost.code:
        sys.exit("a command failed: what was measured means nothing")
    return cost


def rate(pending: int) -> None:
    """The table of the long run."""
    long = Uploads.of(pending)
    whole = rate_of(long.ends[0], long.ends)
    # A tenth begins when the one before it ends.
    size = pending // 10
    tenths = [rate_of(long.ends[at - 1], long.ends[at : at + size]) for at in range(size, pending, size)]
    heading("measure", "wanted", "measured")
    row(f"{pending:,} pending, {AT_ONCE} at once: images a second", "≥ 85", f"{whole:.0f}")
    shares = ", ".join(f"{each(tenths) / whole:.2f}" for each in (min, max))
    row("the slowest and the fastest tenth of the run after its first, as a share of it", "≥ 0.9", shares)
    row("from the end of the listing to the first download", "", f"{long.wait:.1f} s")
    row("peak memory of snakemake", "", f"{long.cost.largest_bytes / 1e6:,.0f} MB")


@dataclass
class Uploads:
    """A run with so many pending images: when each came to Cloudinary; seconds from the listing to the first call."""

    ends: list[float]
    wait: float
    cost: Cost

    @classmethod
    def of(cls, pending: int) -> Uploads:
        with cloud(pending, TINY, delayed=False, **FAST) as emulator:
            cost = well(migrate(emulator, AT_ONCE, **UNPACED))
            at = moments(emulator)
        return cls(sorted(at["cloudinary.upload"]), min(at["drive.media"]) - max(at["drive.list"]), cost)


def moments(emulator: Emulator) -> dict[str, list[float]]:
    """When each search, download and upload came to the emulator, by the kind of call, in seconds of its own clock."""
    at: dict[str, list[float]] = {"drive.list": [], "drive.media": [], "cloudinary.upload": []}
    for call in emulator.log():
        if call["op"] in at:
            at[call["op"]].append(call["at"])
    return at


def rate_of(begun: float, ends: Sequence[float]) -> float:
    """Images a second. In: when the first of these uploads could begin, and when each ended."""
    return len(ends) / (ends[-1] - begun)


if __name__ == "__main__":
    main()
