"""The warm workers of one run, or of one batch on a cluster's node; gone when it is over.

Those of a run are started as it begins, or by the first job that finds none.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

from migrate import failure, marker, workers
from migrate.causes import Cause
from migrate.errors import ImageError, MigrationError, one_line
from migrate.failure import Failure
from migrate.limits import Limits
from migrate.listing import Entries
from migrate.pacing import Turns
from migrate.run import Run
from migrate.settings import Settings
from migrate.transfer import Transfer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, type=Settings.from_json, help="Settings.to_json()")
    parser.add_argument("--run", required=True, type=Path, help="the run's (first) results folder")
    parser.add_argument("--address", required=True, type=Path, help="the workers' file, named by the run's ID")
    parser.add_argument("--count", required=True, type=int, help="how many workers")
    parser.add_argument("--batch", type=int, help="the process of the batch for which they work, if not for the run")
    options = parser.parse_args()
    run, run_id = Run(options.run), options.address.name

    def wanted() -> bool:
        # The run's lock is not asked on a node: not every file system that nodes share has such locks.
        return os.getppid() == options.batch if options.batch else run.is_alive(run_id)

    with workers.serving(options.address) as serving:
        if serving:
            prepare = movers(options.settings, run, in_batch=bool(options.batch))
            workers.serve(options.address, wanted, options.count, prepare)


def movers(settings: Settings, run: Run, in_batch: bool) -> Callable[[], Callable[[str], workers.Answer]]:
    """What prepares each worker of a run: they all share what is known of the services."""
    limits = Limits.of(settings, run.wait_for)
    if in_batch:
        # It does not know what the last one on this node has spent of the minute: it spends its share evenly.
        limits = replace(limits, units=Turns(per_second=settings.drive_units_per_minute / 60))
    return lambda: mover(settings, lambda: Transfer(settings, limits), run)


def mover(settings: Settings, connect: Callable[[], Transfer], run: Run) -> Callable[[str], workers.Answer]:
    """What answers the requests in one worker.

    Out: a function from a request, "FOLDER_ID MARKER_NAME", to that marker, or to what went wrong.
    """
    transfer: Transfer | None = None
    entries = cache(Entries)

    def move(request: str) -> workers.Answer:
        if run.stopped_because:
            return "stop", run.stopped_because
        folder_id, _, name = request.partition(" ")
        folder = Path(settings.results) / folder_id
        try:
            return move_or_record(folder, name)
        except MigrationError as error:
            return stop(one_line(error))
        except OSError as error:
            return stop(one_line(f"{folder} cannot be written to: {error.strerror or error}"))

    def move_or_record(folder: Path, name: str) -> workers.Answer:
        nonlocal transfer
        file_id = name.partition(".")[0]
        try:
            if transfer is None:
                transfer = connect()
            listed = entries(folder / "listing.json")
            image = listed.image(file_id)
            if marker.path_of(folder, image.id, image.fingerprint).name != name:
                raise ImageError("the listing has another version of this file: run snakemake again", Cause.CHANGED)
            moved = transfer.move(image, listed.head.cloudinary_folder, folder / "markers")
            failure.forget(folder, file_id)
            return "moved", moved.to_json()
        except ImageError as error:
            Failure.of(error, transfer.attempts if transfer else 1).write(folder, file_id)
            return "failed", one_line(error)

    def stop(line: str) -> workers.Answer:
        run.stop_because(line)
        return "stop", line

    return move


if __name__ == "__main__":
    main()
