"""The job of one image where upload_image.sh got no answer: starts the workers and asks them, again if they die."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import tenacity

from migrate.asking import WorkerLost, WorkersWanted, ask
from migrate.causes import Cause
from migrate.errors import MigrationError, TransientError, one_line
from migrate.failure import Failure
from migrate.files import replacing
from migrate.run import Run
from migrate.workers import Answer

# Workers can be dying for a moment and still be reached; an image that kills its worker is no reason to go on for ever.
TRIES = tenacity.Retrying(
    retry=tenacity.retry_if_exception_type(WorkerLost),
    stop=tenacity.stop_after_attempt(4),
    wait=tenacity.wait_exponential(0.1),
    reraise=True,
)


def main() -> None:
    marker, log, address, home, settings, count, snakemake = sys.argv[1:]
    wanted = WorkersWanted(Path(home), Path(address), settings, int(count))
    try:
        status, text = moved(wanted, Path(marker))
        if status == "moved":
            with replacing(Path(marker)) as stream:
                stream.write(f"{text}\n")
            return
    except (MigrationError, OSError) as error:
        status, text = "stop", one_line(error)
        if wanted.run_lives:
            Run(wanted.home).stop_because(text)
    Path(log).write_text(f"{text}\n", encoding="utf-8")
    if status == "stop" and os.getppid() == int(snakemake):
        os.kill(int(snakemake), signal.SIGTERM)
    sys.exit(1)


def moved(wanted: WorkersWanted, marker: Path) -> Answer:
    """The workers' answer for the image of this marker; if they die, others are asked, but not for ever.

    Raises MigrationError if there are no workers to be had.
    """
    folder = marker.parent.parent
    try:
        for attempt in TRIES:
            with attempt:
                wanted.ensure()
                return ask(wanted.address, f"{folder.name} {marker.name}")
    except WorkerLost as error:
        lost = TransientError(one_line(error), cause=Cause.WORKER_LOST)
    Failure.of(lost, TRIES.statistics["attempt_number"]).write(folder, marker.name.partition(".")[0])
    return "failed", one_line(lost)


if __name__ == "__main__":
    main()
