"""Batches of pending images that one job transfers, because a job on a cluster costs seconds."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from drive2cloudinary.errors import MigrationError
from drive2cloudinary.files import open_file, replacing
from drive2cloudinary.results import layout
from drive2cloudinary.results.listing import is_marker_name

FRESH = 30.0
"""Seconds for which a sign of life counts."""
_AGAIN = "again"
"""The first line of a batch whose images are to be transferred although they have a marker."""


@dataclass(frozen=True)
class Batch:
    """markers: the file names of the markers of its images. again: also images that have their marker."""

    markers: list[str]
    again: bool


def write(results_folder: Path, run_id: str, markers: Sequence[str], size: int, again: bool) -> list[str]:
    """Split the markers that a run has to make into batches of `size`; returns the batches' flag files.

    In: `again`, as of Batch. It is in the file, because a job on a cluster node does not know how snakemake was called.

    Each batch is batches/RUN-NUMBER.txt in the results folder, a list of the markers' file names; its flag, written
    when its job has ended, is batches/RUN-NUMBER.done. The run's ID is in the names, because a job of a killed run may
    still wait in a cluster's queue: it must not find a batch of the next run.
    """
    flags = []
    for number, start in enumerate(range(0, len(markers), size), 1):
        path = layout.batch(results_folder, f"{run_id}-{number}")
        with replacing(path) as stream:
            stream.write(f"{_AGAIN}\n" if again else "")
            stream.writelines(f"{Path(marker).name}\n" for marker in markers[start : start + size])
        flags.append(str(layout.batch_flag(path)))
    return flags


def markers(flag: Path) -> list[str]:
    """The markers of the batch to which this flag belongs; [] if the file is not a batch's flag."""
    path = layout.batch_of(flag)
    if path.parent.name != layout.BATCHES or not path.exists():
        return []
    try:
        return [str(layout.markers(path.parents[1]) / name) for name in read(path).markers]
    except MigrationError:
        return []


def read(path: Path) -> Batch:
    """The batch in a file. Raises MigrationError if the file contains anything else, OSError."""
    with open_file(path) as stream:
        lines = stream.read().decode(errors="replace").split()
    again = lines[:1] == [_AGAIN]
    names = lines[again:]
    if not all(map(is_marker_name, names)):
        raise MigrationError(f"{path} is not a batch: run the migration again, which makes new ones")
    return Batch(names, again)


@contextmanager
def under_way(path: Path) -> Iterator[None]:
    """In this context, the batch counts as under way, on whichever node it is: see `share`."""
    sign, over = layout.batch_under_way(path), threading.Event()

    def renew() -> None:
        while True:
            # The next one may be written again.
            with contextlib.suppress(OSError):
                sign.touch()
            if over.wait(FRESH / 3):
                return

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        sign.unlink(missing_ok=True)


def share(path: Path, results: Path) -> float:
    """The part of Drive's quota for a batch under way: the first one of all nodes gets twice that of the last one.

    With equal parts, batches that begin together would also end together, and leave the quota unused until the next
    ones have begun. A batch that was killed counts for half a minute more.
    """
    own, times = layout.batch_under_way(path), dict[Path, float]()
    for sign in layout.batches_under_way(results):
        with contextlib.suppress(OSError):
            times[sign] = sign.stat().st_mtime
    # Compared with each other, because the clock of the file server may be another one.
    latest = max(times.values(), default=0.0)
    others = {sign for sign, time in times.items() if latest - time < FRESH} - {own}
    before, all_of_them = sum(_order(each) < _order(own) for each in others), len(others) + 1
    weight = 2 - before / max(1, len(others))
    return weight / (1.5 * all_of_them) if others else 1.0


def _order(sign: Path) -> tuple[int, str, Path]:
    """The order of batches: by their number in the run, then by their results folder."""
    return len(sign.stem), sign.stem, sign


def forget(results_folder: Path) -> None:
    """Remove the batches of the last run; each run makes new ones."""
    shutil.rmtree(results_folder / layout.BATCHES, ignore_errors=True)
