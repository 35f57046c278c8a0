"""The images of one batch, moved on a cluster's node by a pool of their own.

The limits drive_units_per_minute and uploads_at_once hold for the whole run, so each batch keeps to its share of them:
so many uploads at once as it has processes, of which Snakemake lets no more run on all nodes together than
uploads_at_once, and the same part of drive_units_per_minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import as_completed
from dataclasses import replace
from pathlib import Path

from drive2cloudinary.errors import MigrationError
from drive2cloudinary.results import batches
from drive2cloudinary.results.marker import named
from drive2cloudinary.results.run import Run
from drive2cloudinary.settings import Settings
from drive2cloudinary.transfer import task
from snakemake_executor_plugin_pool.answers import outcome
from snakemake_executor_plugin_pool.pool import Pool


def upload_batch(path: Path, settings: Settings, processes: int) -> Iterator[str]:
    """Move the images of a batch with so many processes; yields a line for each that failed.

    Raises MigrationError as soon as nothing else can succeed either, OSError.
    """
    results_folder = path.parent.parent
    run, results = Run(results_folder), results_folder.parent
    processes = min(processes, settings.uploads_at_once)
    units = settings.drive_units_per_minute * processes / settings.uploads_at_once
    share = replace(settings, drive_units_per_minute=units, uploads_at_once=processes)
    markers = (named(results_folder, name) for name in batches.read(path))
    requests = [task.request_for(marker) for marker in markers if not marker.exists()]
    pool = Pool(
        task=task.FUNCTION,
        argument=task.argument(share, run, in_batch=True),
        processes=processes,
        threads=task.THREADS,
        log=task.log_of(run),
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
                task.record_lost(futures[future], results, line)
            if status in ("failed", "lost"):
                yield f"{task.marker_of(futures[future], results).name.partition('.')[0]}: {line}"
    finally:
        pool.kill()
    if stopped_because:
        raise MigrationError(stopped_because)
