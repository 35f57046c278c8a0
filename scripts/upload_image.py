"""The job of one image where upload_image.sh got no answer: starts the workers and asks them, twice if one dies."""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from migrate.asking import WorkerLost, WorkersWanted, ask
from migrate.errors import MigrationError, one_line
from migrate.failure import Failure
from migrate.files import replacing
from migrate.run import Run
from migrate.workers import Answer


def main() -> None:
    file_id, marker, log, address, settings, count, snakemake = sys.argv[1:]
    folder = Path(marker).parent.parent
    wanted = WorkersWanted(folder, Path(address), settings, int(count))
    try:
        status, text = moved(wanted, file_id, folder)
        if status == "moved":
            with replacing(Path(marker)) as stream:
                stream.write(f"{text}\n")
            return
    except (MigrationError, OSError) as error:
        status, text = "stop", one_line(error)
        if wanted.run_lives:
            Run(folder).stop_because(text)
    Path(log).write_text(f"{text}\n", encoding="utf-8")
    if status == "stop" and os.getppid() == int(snakemake):
        os.kill(int(snakemake), signal.SIGTERM)
    sys.exit(1)


def moved(wanted: WorkersWanted, file_id: str, folder: Path) -> Answer:
    """The workers' answer for one image; a worker that dies costs its image one more try, and no other image any."""
    lost = ""
    for _ in range(2):
        wanted.ensure()
        try:
            return ask(wanted.address, file_id)
        except WorkerLost as error:
            lost = str(error)
    Failure("transient", lost, 2, datetime.now(UTC).isoformat(timespec="seconds")).write(folder, file_id)
    return "failed", lost


if __name__ == "__main__":
    main()
