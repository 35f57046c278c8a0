"""What the pool has to do, and what becomes of its answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from drive2cloudinary.results.run import Run
from drive2cloudinary.settings import Settings
from drive2cloudinary.upload import task
from drive2cloudinary.upload.task import Request
from snakemake_executor_plugin_pool import Answer, Status, Task, run_in_pool


def transfer_in_pool(settings: Settings, run: Run, ended: Callable[[Sequence[Path]], None]) -> None:
    """Have the pool transfer the images of all upload jobs, if it is this run's executor. Raises OSError.

    In: `ended`, called in the pool's thread with the marker of each image that was transferred or has failed.
    """
    results = Path(settings.results)

    def answered(request: Request, answer: Answer) -> None:
        path = request.path(results)
        if answer.status is Status.LOST:
            try:
                task.record_lost(path, answer.line)
            except OSError as error:
                run.stop_because(task.unwritable(error, path.parents[1]))
        if answer.status is not Status.STOP:
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


def _of_image(job: Any) -> list[Request]:
    path = Path(job.output[0])
    # Snakemake has a job for a marker that exists only if the user wants the image to be transferred again.
    return [Request.of(path, again=path.exists())]
