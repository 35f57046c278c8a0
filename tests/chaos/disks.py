"""Runs on disks of many sizes that fill up, so that each file of the results is once the one that does not fit.

The run ends with one line that says so, and with free space the same command finishes.
"""

from __future__ import annotations

import os
import random
import re
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import needs
from tests.chaos.running import Problems, send
from tests.disk import mounted
from tests.emulator.client import Emulator
from tests.harness import Workspace

PAGE = 4096
IMAGES = 12
LOCKED = 3
"""The number of images that fail and leave a failure."""
FULL = re.compile(r"No space left on device|is the disk full\?")


def sizes(count: int, whole: int, dice: random.Random) -> list[int]:
    """Sizes below that which is enough: the smallest ones, where each page is another file, and others up to the last.

    In: how many; the bytes of whole results.
    """
    # One run needs a page or two more than another: a busy machine leaves notices of waiting.
    most = whole // PAGE - 2
    first = list(range(1, count // 2 + 1))
    return [pages * PAGE for pages in [*first, *sorted(dice.sample(range(len(first) + 1, most), count - len(first)))]]


@contextmanager
def trial(folder: Path) -> Iterator[tuple[Workspace, list[str]]]:
    """A working directory with a cloud in which some images are locked; and their IDs."""
    work = folder / "work"
    work.mkdir(parents=True)
    with Emulator(folder / "Photos", folder / "cloud") as cloud:
        workspace = Workspace(work, cloud)
        locked = (f"locked {number}.jpg" for number in range(LOCKED))
        ids = workspace.add(*locked, capabilities={"canDownload": False})
        workspace.add(*(f"{number}.jpg" for number in range(IMAGES - LOCKED)))
        try:
            yield workspace, ids
        finally:
            send(workspace.processes(), signal.SIGKILL)


def bytes_of_a_run(folder: Path) -> int:
    """The bytes that the results of a complete run need."""
    with trial(folder) as (workspace, _), mounted(workspace.path / "results", "size=50m") as disk:
        disk.workspace(workspace).run()
        found = os.statvfs(disk.workspace(workspace).path / "results")
        return (found.f_blocks - found.f_bfree) * found.f_frsize


def fill_disks(folder: Path, chosen: Iterable[int]) -> list[str]:
    """A run on a disk of each of these sizes, and one with free space; returns what was wrong."""
    problems = Problems("disks")
    for size in chosen:
        what = f"on a disk of {size // 1024} kB"
        with (
            trial(folder / f"{size // 1024} kB") as (plain, locked),
            mounted(plain.path / "results", f"size={size}") as disk,
        ):
            workspace = disk.workspace(plain)
            done = workspace.run()
            full = [line for line in done.lines if FULL.search(line)]
            if done.code != 1 or len(full) != 1 or "Traceback" in done.said:
                problems.add(f"{what}: exit code {done.code}, {len(full)} lines say that it is full:\n{done.said}")
            problems.half_markers(workspace, what)
            for file_id in locked:
                workspace.cloud.drive("set", id=file_id, capabilities={"canDownload": True})
            disk.remount("size=50m")
            try:
                workspace.run().succeeded()
                workspace.audit()
            except AssertionError as error:
                problems.add(f"with room again, after a run {what}: {error}")
    return problems.conclude()


def run_disks(folder: Path, count: int, seed: int) -> list[str]:
    """Runs on disks of so many sizes; prints which, and returns what was wrong."""
    if not count:
        return []
    if not needs.MOUNT.is_there():
        print("disks: none, because nothing can be mounted here", flush=True)
        return []
    chosen = sizes(count, bytes_of_a_run(folder / "whole"), random.Random(seed))
    print(f"disks: {count}, of {[size // 1024 for size in chosen]} kB", flush=True)
    return fill_disks(folder, chosen)
