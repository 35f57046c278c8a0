"""The job of a batch on a cluster's node: makes the markers of its images with warm workers that end with it.

The limits drive_units_per_minute and uploads_at_once hold for the whole run, so each batch keeps to its share of them:
so many uploads at once as it has workers, of which Snakemake lets no more run on all nodes together than
uploads_at_once, and the same part of drive_units_per_minute.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from migrate import batches
from migrate.asking import WorkersWanted
from migrate.errors import MigrationError, one_line
from migrate.files import replacing
from migrate.run import Run, new_id
from migrate.settings import Settings
from migrate.workers import file_of
from upload_image import moved


class Batch:
    """The markers that one job has to make; each is independent of the others, and stands as soon as it is made."""

    def __init__(self, path: Path, settings: Settings, workers: int) -> None:
        """In: the batch's file, the settings of the run, and how many workers it may have.

        The file lies in the folder `batches` of the results folder of its images. Raises MigrationError, OSError.
        """
        workers = min(workers, settings.uploads_at_once)
        units = settings.drive_units_per_minute * workers / settings.uploads_at_once
        share = replace(settings, drive_units_per_minute=units, uploads_at_once=workers)
        self._path = path
        folder = path.parent.parent / "markers"
        self.markers = [folder / name for name in batches.read(path)]
        self._workers = WorkersWanted(path.parent.parent, file_of(new_id()), share.to_json(), workers, os.getpid())
        self._stopped_because = ""

    def upload(self) -> Iterator[str]:
        """Make the markers that do not stand; yields a line for each image that failed.

        Raises MigrationError as soon as nothing else can succeed either.
        """
        self._workers.ensure()
        with ThreadPoolExecutor(self._workers.count) as askers:
            yield from filter(None, askers.map(self._upload_image, self.markers))
        if self._stopped_because:
            raise MigrationError(self._stopped_because)

    def _upload_image(self, marker: Path) -> str:
        """Have one image moved; returns the line that says why it was not, "" if it was, or if the batch is stopped."""
        if self._stopped_because or marker.exists():
            return ""
        # A new run takes the batches of the last one away. The run's lock would tell more, but not every file system
        # that nodes share has such locks.
        if not self._path.exists():
            self._stopped_because = "the run is over for which this batch was made"
            return ""
        try:
            status, text = moved(self._workers, marker)
            if status == "moved":
                with replacing(marker) as stream:
                    stream.write(f"{text}\n")
                return ""
        except MigrationError as error:
            status, text = "stop", str(error)
        except OSError as error:
            status, text = "stop", one_line(f"{marker.parent} cannot be written to: {error.strerror or error}")
            Run(self._workers.home).stop_because(text)
        if status == "stop":
            self._stopped_because = text
            return ""
        return f"{marker.name.partition('.')[0]}: {text}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, type=Settings.from_json, help="Settings.to_json() of the run")
    parser.add_argument("--workers", required=True, type=int, help="how many images at once")
    parser.add_argument("batch", type=Path, help="a file with a marker's name in each line; removed, it ends the batch")
    options = parser.parse_args()
    try:
        batch = Batch(options.batch, options.settings, options.workers)
        failed = 0
        for line in batch.upload():
            print(line, file=sys.stderr, flush=True)
            failed += 1
    except MigrationError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"{error.filename or options.batch}: {error.strerror or error}")
    if failed:
        sys.exit(f"{failed} of {len(batch.markers)} images failed")


if __name__ == "__main__":
    main()
