"""Batches of pending images that one job transfers, because a job on a cluster costs seconds."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from drive2cloudinary.errors import MigrationError
from drive2cloudinary.files import open_file, replacing
from drive2cloudinary.results import layout
from drive2cloudinary.results.listing import is_marker_name

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


def forget(results_folder: Path) -> None:
    """Remove the batches of the last run; each run makes new ones."""
    shutil.rmtree(results_folder / layout.BATCHES, ignore_errors=True)
