"""Transfer the images of one batch on a cluster node, with a pool of its own.

The limits drive_units_per_minute and uploads_at_once hold for the whole run. Snakemake runs as many batches at once as
have uploads_at_once processes together. So a batch with a tenth of these processes keeps to a tenth of the units.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import as_completed
from dataclasses import replace
from pathlib import Path

from drive2cloudinary.errors import MigrationError
from drive2cloudinary.results.marker import file_id_of
from drive2cloudinary.results.run import Run
from drive2cloudinary.settings import Settings
from drive2cloudinary.upload import task
from snakemake_executor_plugin_pool import Status
from snakemake_executor_plugin_pool.pool import Pool


def upload_batch(path: Path, settings: Settings, processes: int) -> Iterator[str]:
    """Transfer the images of a batch with `processes` processes; yields a line for each failed image.

    Raises MigrationError as soon as no other image can succeed either, OSError.
    """
    results_folder = path.parent.parent
    run, results = Run(results_folder), results_folder.parent
    part = replace(
        settings,
        uploads_at_once=processes,
        drive_units_per_minute=settings.drive_units_per_minute * processes / settings.uploads_at_once,
    )
    requests = task.requests_of(path)
    pool = Pool(
        task=task.FUNCTION,
        argument=task.argument(part, run, evenly=True),
        processes=processes,
        threads=task.THREADS,
        log=task.log_of(run),
    )
    stopped_because = ""
    try:
        futures = {pool.submit(request): request.path(results) for request in requests}
        for future in as_completed(futures):
            answer, marker = future.result(), futures[future]
            # A new run deletes the batches of the last one. The run's lock would be a better sign, but not every shared
            # file system supports such locks.
            if answer.status is Status.STOP or not path.exists():
                is_reason = answer.status is Status.STOP
                stopped_because = answer.line if is_reason else "the run that made this batch is over"
                pool.drop()
            if answer.status is Status.LOST:
                task.record_lost(marker, answer.line)
            if answer.status in (Status.FAILED, Status.LOST):
                yield f"{file_id_of(marker)}: {answer.line}"
    finally:
        pool.kill()
    if stopped_because:
        raise MigrationError(stopped_because)
