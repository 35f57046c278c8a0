"""The folder `results` around all results folders: its lock, and the files in it that any run may write."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drive2cloudinary.files import open_lock, remove_unfinished
from drive2cloudinary.results import layout


@contextmanager
def held(results: Path) -> Iterator[None]:
    """Hold the lock under which public_ids are assigned, so that two runs cannot choose the same one.

    Under it, too, every run writes what does not lie in its own results folder, and a dry run writes its listing. So
    who holds it finds no unfinished file there but those of killed processes. Raises OSError.
    """
    results.mkdir(parents=True, exist_ok=True)
    with open_lock(layout.naming_lock(results)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def sweep(results_folder: Path) -> None:
    """Remove what killed processes have left half written in a results folder and beside it. Raises OSError.

    Hold the results folder (Run.begin), so that no other run writes into it.
    """
    results = results_folder.parent
    with held(results):
        for folder in layout.folders(results_folder):
            remove_unfinished(folder)
        # Users have files of their own there, if results is a folder of theirs.
        for path in layout.written_beside(results):
            remove_unfinished(path.parent, path.name)
