"""The warm workers of one run: started as the run begins, or by the first job that finds none; gone when it is over."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from migrate import failure, listing, workers
from migrate.errors import ImageError, StopRun, one_line
from migrate.failure import Failure
from migrate.listing import Image
from migrate.pacing import Places, Turns
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
    with workers.serving(options.address) as serving:
        if serving:
            serve(settings, options.address, options.count)


def serve(settings: Settings, address: Path, count: int) -> None:
    """Wait until the run has its listing, then move its images until it is over."""
    run = Run(settings.folder)
    run_id, path = address.name, settings.folder / "listing.json"
    while listing.made_by(path) != run_id:
        if not run.is_alive(run_id):
            return
        time.sleep(0.02)
    listed = listing.read(path)
    images = {image.id: image for image in listed.images}
    turns, places = Turns(settings.drive_qps), Places(settings.uploads_at_once)

    def connect() -> Transfer:
        return Transfer(settings, listed.folder, turns, places)

    def prepare() -> Callable[[str], workers.Answer]:
        return mover(settings, connect, images, run)

    workers.serve(address, run, run_id, count, prepare)


def mover(
    settings: Settings, connect: Callable[[], Transfer], images: dict[str, Image], run: Run
) -> Callable[[str], workers.Answer]:
    """What answers the requests in one worker: a function from a file ID to the marker, or to what went wrong."""
    transfer: Transfer | None = None

    def move(file_id: str) -> workers.Answer:
        nonlocal transfer
        if run.stopped_because:
            return "stop", run.stopped_because
        try:
            if transfer is None:
                transfer = connect()
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
