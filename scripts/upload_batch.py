"""Move the images of a batch on a cluster's node: a batch's file → the markers of its images, or their failures.

The limits drive_units_per_minute and uploads_at_once hold for the whole run, so each batch keeps to its share of them:
so many uploads at once as it has processes, of which Snakemake lets no more run on all nodes together than
uploads_at_once, and the same part of drive_units_per_minute.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import as_completed
from dataclasses import replace
from pathlib import Path

from migrate import batches, upload_task
from migrate.errors import MigrationError
from migrate.marker import named
from migrate.run import Run
from migrate.settings import Settings
from snakemake_executor_plugin_pool.answers import outcome
from snakemake_executor_plugin_pool.pool import Pool


def upload_batch(path: Path, settings: Settings, processes: int) -> Iterator[str]:
    """Move the images of a batch with so many processes; yields a line for each that failed.

    Raises MigrationError as soon as nothing else can succeed either, OSError.
    """
    folder = path.parent.parent
    run, results = Run(folder), folder.parent
    processes = min(processes, settings.uploads_at_once)
    units = settings.drive_units_per_minute * processes / settings.uploads_at_once
    share = replace(settings, drive_units_per_minute=units, uploads_at_once=processes)
    markers = (named(folder, name) for name in batches.read(path))
    requests = [upload_task.request_for(marker) for marker in markers if not marker.exists()]
    pool = Pool(
        task=upload_task.FUNCTION,
        argument=upload_task.argument(share, run, in_batch=True),
        processes=processes,
        threads=upload_task.THREADS,
        log=upload_task.log_of(run),
    )
    stopped_because = ""
    try:
        futures = {pool.submit(request): request for request in requests}
        for future in as_completed(futures):
            status, line = outcome(future)
            # A new run takes the batches of the last one away. The run's lock would tell more, but not every file
            # system that nodes share has such locks.
            if status == "stop" or not path.exists():
                stopped_because = line if status == "stop" else "the run is over for which this batch was made"
                pool.drop()
            if status == "lost":
                upload_task.record_lost(futures[future], results, line)
            if status in ("failed", "lost"):
                yield f"{upload_task.marker_of(futures[future], results).name.partition('.')[0]}: {line}"
    finally:
        pool.kill()
    if stopped_because:
        raise MigrationError(stopped_because)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, type=Settings.from_json, help="Settings.to_json() of the run")
    parser.add_argument("--at-once", required=True, type=int, help="how many uploads at once")
    parser.add_argument("batch", type=Path, help="a file with a marker's name in each line; removed, it ends the batch")
    options = parser.parse_args()
    failed = 0
    try:
        for line in upload_batch(options.batch, options.settings, options.at_once):
            print(line, file=sys.stderr, flush=True)
            failed += 1
    except MigrationError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"{error.filename or options.batch}: {error.strerror or error}")
    if failed:
        sys.exit(f"{failed} of {len(batches.read(options.batch))} images failed")


if __name__ == "__main__":
    main()
