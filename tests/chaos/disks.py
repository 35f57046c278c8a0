"""Runs on disks of many sizes that fill up, so that each file of the results is once the one that does not fit.

The run ends with one line that says so, and with free space the same command finishes. Disks are tmpfs, which only
root can mount.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from tests.chaos.running import send
from tests.chaos.said import wrong
from tests.emulator.client import Emulator
from tests.harness import Workspace

Result = TypeVar("Result")

PAGE = 4096
IMAGES = 12
LOCKED = 3
"""The number of images that fail and leave a failure."""
FULL = re.compile(r"No space left on device|is the disk full\?")


@contextmanager
def disk(path: Path, size: int) -> Iterator[None]:
    """A disk at `path`. In: bytes. Raises CalledProcessError where nothing can be mounted."""
    path.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)]
    subprocess.run(mount, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def sizes(count: int, whole: int, dice: random.Random) -> list[int]:
    """Sizes below that which is enough: the smallest ones, where each page is another file, and others up to the last.

    In: how many; the bytes of whole results.
    """
    # One run needs a page or two more than another: a busy machine leaves notices of waiting.
    most = whole // PAGE - 2
    first = list(range(1, count // 2 + 1))
    return [pages * PAGE for pages in [*first, *sorted(dice.sample(range(len(first) + 1, most), count - len(first)))]]


class Trial:
    """One cloud and one working directory, whose results folder is a disk of its own."""

    def __init__(self, folder: Path, cloud: Emulator) -> None:
        self._cloud = cloud
        self.workspace = Workspace(folder / "work", cloud)
        self.workspace.path.mkdir()
        self.disk = self.workspace.path / "results"
        self._locked = self.workspace.add(
            *(f"locked {number}.jpg" for number in range(LOCKED)), capabilities={"canDownload": False}
        )
        self.workspace.add(*(f"{number}.jpg" for number in range(IMAGES - LOCKED)))

    def fill(self, size: int) -> list[str]:
        """A run on a disk of this size, and one with free space; returns the errors."""
        problems: list[str] = []
        what = f"on a disk of {size // 1024} kB"
        with disk(self.disk, size):
            done = self.workspace.run()
            full = [line for line in done.lines if FULL.search(line)]
            if done.code != 1 or len(full) != 1 or "Traceback" in done.said:
                wrong(problems, f"{what}: exit code {done.code}, {len(full)} lines say that it is full:\n{done.said}")
            for marker in (self.workspace.results / "markers").glob("*.json"):
                try:
                    json.loads(marker.read_text())
                except ValueError:
                    wrong(problems, f"half a marker {what}")
            for file_id in self._locked:
                self._cloud.drive("set", id=file_id, capabilities={"canDownload": True})
            subprocess.run(["mount", "-o", "remount,size=50m", str(self.disk)], check=True)
            try:
                self.workspace.run().succeeded()
                self.workspace.audit()
            except AssertionError as error:
                wrong(problems, f"with room again, after a run {what}: {error}")
            finally:
                send(self.workspace.processes(), signal.SIGKILL)
        return problems

    def whole(self) -> int:
        """The bytes that a complete run needs."""
        with disk(self.disk, 50_000_000):
            self.workspace.run()
            found = os.statvfs(self.disk)
            return (found.f_blocks - found.f_bfree) * found.f_frsize


def run_disks(folder: Path, count: int, seed: int) -> list[str]:
    """Runs on disks of so many sizes; prints which, and returns what was wrong."""
    if not count:
        return []
    begun = time.monotonic()
    try:
        whole = with_cloud(folder / "whole", Trial.whole)
    except subprocess.CalledProcessError as error:
        print(f"disks: none, because nothing can be mounted here: {error.stderr.decode().strip()}", flush=True)
        return []
    chosen = sizes(count, whole, random.Random(seed))
    problems = fill_disks(folder, chosen)
    print(f"disks: {count} in {time.monotonic() - begun:.0f} s, of {[size // 1024 for size in chosen]} kB", flush=True)
    print(f"disks: {len(problems)} things are WRONG" if problems else "disks: all is right", flush=True)
    return problems


def fill_disks(folder: Path, chosen: Iterable[int]) -> list[str]:
    """A trial for each of these sizes; returns the errors."""
    wrong_ones = [with_cloud(folder / f"{size // 1024} kB", partial(Trial.fill, size=size)) for size in chosen]
    return [problem for problems in wrong_ones for problem in problems]


def with_cloud(folder: Path, ask: Callable[[Trial], Result]) -> Result:
    """The result of a trial in a new folder."""
    folder.mkdir(parents=True)
    with Emulator(folder / "Photos", folder / "cloud") as cloud:
        return ask(Trial(folder, cloud))
