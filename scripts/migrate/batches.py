"""The batches: pending images that are moved by one cluster job, because each job there costs seconds."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from .files import replacing


def write(folder: Path, markers: Sequence[str], size: int) -> list[str]:
    """Put the file names of the markers that are to be made into batches of so many; returns their flags.

    Each batch is batches/NUMBER.txt in the results folder; the flag that it was moved, batches/NUMBER.done.
    """
    flags = []
    for number, start in enumerate(range(0, len(markers), size), 1):
        path = folder / "batches" / f"{number}.txt"
        with replacing(path) as stream:
            stream.writelines(f"{Path(marker).name}\n" for marker in markers[start : start + size])
        flags.append(str(path.with_suffix(".done")))
    return flags


def markers(flag: Path) -> list[str]:
    """The markers that are to be made before this file is there; none if it is no batch's flag."""
    path = flag.with_suffix(".txt")
    if path.parent.name != "batches" or not path.exists():
        return []
    return [str(path.parents[1] / "markers" / name) for name in path.read_text(encoding="utf-8").splitlines()]


def forget(folder: Path) -> None:
    """Remove the batches of the last run: each run makes its own of what is pending then."""
    shutil.rmtree(folder / "batches", ignore_errors=True)
