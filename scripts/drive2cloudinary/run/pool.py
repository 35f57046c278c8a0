"""What the pool is asked to do, and what becomes of its answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive2cloudinary.results.run import Run
from drive2cloudinary.settings import Settings
from drive2cloudinary.upload import task
from snakemake_executor_plugin_pool import Task, run_in_pool

if TYPE_CHECKING:
    from snakemake_executor_plugin_pool.answers import Status


def transfer_in_pool(settings: Settings, run: Run, ended: Callable[[Sequence[Path]], None]) -> None:
    """Have the pool transfer the images of all upload jobs, if it is this run's executor. Raises OSError.

    In: `ended`, called in the pool's thread with the marker of each image that was transferred or has failed.
    """
    results = Path(settings.results)

    def answered(request: str, status: Status, line: str) -> None:
        path = task.marker_of(request, results)
        if status == "lost":
            try:
                task.record_lost(request, results, line)
            except OSError as error:
                run.stop_because(f"{path.parents[1]} cannot be written to: {error.strerror or error}")
        if status != "stop":
            ended([path])

    run_in_pool(
        Task(
            requests={
                "upload_image": _of_image,
                "upload_batch": lambda job: task.requests_of(Path(job.input[0])),
            },
            function=task.FUNCTION,
            argument=task.argument(settings, run),
            log=task.log_of(run),
            threads=task.THREADS,
            answered=answered,
        )
    )


def _of_image(job: Any) -> list[str]:
    path = Path(job.output[0])
    # Snakemake has a job for a marker that exists only if the user wants the image to be transferred again.
    return [task.request_for(path, again=path.exists())]
