"""The batches: pending images that are moved by one cluster job, because each job there costs seconds."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from drive2cloudinary.errors import MigrationError
from drive2cloudinary.files import open_file, replacing
from drive2cloudinary.results import layout
from drive2cloudinary.results.listing import is_marker_name


def write(results_folder: Path, run_id: str, markers: Sequence[str], size: int) -> list[str]:
    """Put the file names of the markers that a run is to make into batches of so many; returns their flags.

    Each batch is batches/RUN-NUMBER.txt in the results folder; the flag that it was moved, batches/RUN-NUMBER.done. A
    job of a run that was killed may still be waiting in a cluster's queue: it finds its batch no more, nor another's.
    """
    flags = []
    for number, start in enumerate(range(0, len(markers), size), 1):
        path = layout.batch(results_folder, f"{run_id}-{number}")
        with replacing(path) as stream:
            stream.writelines(f"{Path(marker).name}\n" for marker in markers[start : start + size])
        flags.append(str(path.with_suffix(".done")))
    return flags


def markers(flag: Path) -> list[str]:
    """The markers that are to be made before this file is there; none if it is no batch's flag."""
    path = flag.with_suffix(".txt")
    if path.parent.name != layout.BATCHES or not path.exists():
        return []
    try:
        return [str(layout.markers(path.parents[1]) / name) for name in read(path)]
    except MigrationError:
        return []


def read(path: Path) -> list[str]:
    """The file names of the markers in a batch. Raises MigrationError if it holds anything else, OSError."""
    with open_file(path) as stream:
        names = stream.read().decode(errors="replace").split()
    if not all(map(is_marker_name, names)):
        raise MigrationError(f"{path} is no batch: run the migration again, which makes new ones")
    return names


def forget(results_folder: Path) -> None:
    """Remove the batches of the last run: each run makes its own of what is pending then."""
    shutil.rmtree(results_folder / layout.BATCHES, ignore_errors=True)
