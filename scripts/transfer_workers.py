"""The warm workers of one run: started by the first job that finds none, gone when the run is over."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from migrate import failure, listing, workers
from migrate.errors import ImageError, StopRun, one_line
from migrate.failure import Failure
from migrate.listing import Image
from migrate.run import Run
from migrate.settings import Settings
from migrate.transfer import Transfer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, type=Settings.from_json, help="Settings.to_json()")
    parser.add_argument("--address", required=True, type=Path, help="the workers' file")
    parser.add_argument("--count", required=True, type=int, help="how many workers")
    options = parser.parse_args()
    settings: Settings = options.settings
    run = Run(settings.folder)
    listed = listing.read(settings.folder / "listing.json")
    images = {image.id: image for image in listed.images}

    def ready() -> None:
        print("ready", flush=True)
        # Whoever started us reads one line only and must not keep us from ending.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def prepare() -> Callable[[str], workers.Answer]:
        return mover(settings, listed.folder, images, run)

    workers.serve(options.address, run, options.count, prepare, ready)


def mover(settings: Settings, folder: str, images: dict[str, Image], run: Run) -> Callable[[str], workers.Answer]:
    """What answers the requests in one worker: a function from a file ID to the marker, or to what went wrong."""
    transfer: Transfer | None = None

    def move(file_id: str) -> workers.Answer:
        nonlocal transfer
        try:
            if transfer is None:
                transfer = Transfer(settings, folder)
            marker = transfer.move(images[file_id])
            failure.forget(settings.folder, file_id)
            return "moved", marker.to_json()
        except ImageError as error:
            Failure.of(error, transfer.attempts if transfer else 1).write(settings.folder, file_id)
            return "failed", one_line(error)
        except StopRun as error:
            return stop(one_line(error))
        except OSError as error:
            return stop(one_line(f"{settings.folder} cannot be written to: {error.strerror or error}"))

    def stop(line: str) -> workers.Answer:
        run.stop_because(line)
        return "stop", line

    return move


if __name__ == "__main__":
    main()
