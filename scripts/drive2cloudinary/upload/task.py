"""The pool's task: transfer one image for each request, and write its marker or its failure."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from drive2cloudinary import waiting
from drive2cloudinary.causes import Cause
from drive2cloudinary.errors import ImageError, Interrupted, MigrationError, TransientError, one_line
from drive2cloudinary.files import replacing
from drive2cloudinary.network.services import Services
from drive2cloudinary.results import batches, failure, images_log, layout, marker
from drive2cloudinary.results.failure import Failure
from drive2cloudinary.results.listing import Entries
from drive2cloudinary.results.run import Run
from drive2cloudinary.settings import Settings
from snakemake_executor_plugin_pool import Answer, Status

if TYPE_CHECKING:
    from drive2cloudinary.upload.refusals import Refusals
    from drive2cloudinary.upload.transfer import Transfer

FUNCTION = f"{__name__}:prepare"
_GRACE = 1.0
"""Seconds: a stopped process in which everything waits for so long is ended."""
THREADS = 2
"""Threads in each process: one downloads the next image while the other uploads."""


class Request(NamedTuple):
    """The request for one marker; a tuple, which JSON can hold.

    again: to transfer the image although it has this marker.
    """

    results_name: str
    marker: str
    again: bool = False

    @classmethod
    def of(cls, path: Path, again: bool = False) -> Request:
        """The request for the marker at this path."""
        return cls(path.parents[1].name, path.name, again)

    def path(self, results: Path) -> Path:
        """The marker's path. In: the folder with all results folders."""
        return marker.named(results / self.results_name, self.marker)


def argument(settings: Settings, run: Run, evenly: bool = False) -> str:
    """The argument of `prepare`. In: the run that may be stopped; `evenly`, as of Services.of."""
    return json.dumps({"settings": settings.to_json(), "run": str(run.results_folder), "evenly": evenly})


def prepare(text: str) -> Callable[[], UploadTask]:
    """A function that creates each process' task. All share the limits and contacts. In: as of `argument`."""
    # Imported here, because the clients take long, and Snakemake's own process imports this module, too.
    from drive2cloudinary.upload.refusals import Refusals
    from drive2cloudinary.upload.transfer import Transfer

    value = json.loads(text)
    settings, run = Settings.from_json(value["settings"]), Run(Path(value["run"]))
    services = Services.of(settings, run.notice, evenly=value["evenly"])
    refusals = Refusals(run, settings)
    return lambda: UploadTask(lambda: Transfer(settings, services), Path(settings.results), run, refusals)


def requests_of(path: Path) -> list[Request]:
    """The requests for the images of the batch in this file. Raises as batches.read."""
    batch = batches.read(path)
    paths = [marker.named(path.parents[1], name) for name in batch.markers]
    return [Request.of(each, batch.again) for each in paths if batch.again or not each.exists()]


def record_lost(path: Path, line: str) -> None:
    """Record that the image with the marker at this path is lost (Status.LOST), and why. Raises OSError."""
    lost = TransientError(line, cause=Cause.WORKER_LOST)
    Failure.of(lost).write(path.parents[1], marker.file_id_of(path))


def unwritable(error: OSError, results_folder: Path) -> str:
    """The line for an error while something was written to a results folder."""
    folder = Path(error.filename).parent if error.filename else results_folder
    return one_line(f"{folder} cannot be written to: {error.strerror or error}")


def log_of(run: Run) -> Path:
    """The log file for unexpected errors of the processes. Raises OSError if it cannot be appended to."""
    path = layout.pool_log(run.results_folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.open("ab").close()
    return path


class UploadTask:
    """Transfers images; one for all threads of a process, which share its connections."""

    def __init__(self, make_transfer: Callable[[], Transfer], results: Path, run: Run, refusals: Refusals) -> None:
        self._make_transfer, self._results, self._run, self._refusals = make_transfer, results, run, refusals
        self._transfer: Transfer | None = None
        self._connecting = threading.Lock()
        self._entries = cache(Entries)
        self._at_work: set[int] = set()
        """The threads that work on a request."""

    def __call__(self, request: Any) -> Answer:
        """Transfer the image of a Request. Its status is DROPPED if it only waited when the run was told to stop."""
        wanted = Request(*request)
        self._at_work.add(threading.get_ident())
        try:
            if line := self._run.stopped_because:
                return Answer(Status.STOP, line)
            return self._transfer_or_record(wanted.path(self._results), wanted.again)
        except Interrupted:
            return Answer(Status.DROPPED)
        except MigrationError as error:
            return self._stop(one_line(error))
        except OSError as error:
            return self._stop(unwritable(error, self._results / wanted.results_name))
        finally:
            self._at_work.discard(threading.get_ident())

    def drop(self) -> None:
        """End what only waits, now and later. What is under way goes on; when nothing is, the process ends.

        Some waits cannot be ended in another way: for the name server, or for a connection.
        """
        waiting.stop()
        threading.Thread(target=self._end_when_nothing_is_under_way, daemon=True).start()

    def _end_when_nothing_is_under_way(self) -> None:
        was_busy = time.monotonic()
        while (now := time.monotonic()) - was_busy < _GRACE:
            if self._at_work - waiting.waiting_threads():
                was_busy = now
            time.sleep(_GRACE / 10)
        os._exit(0)

    def _transfer_or_record(self, path: Path, again: bool) -> Answer:
        results_folder, file_id = path.parents[1], marker.file_id_of(path)
        try:
            transfer = self._connect()
            listed = self._entries(layout.listing(results_folder))
            image = listed.image(file_id)
            if marker.path_of(results_folder, image.id, image.fingerprint) != path:
                raise ImageError("the listing has another version of this file: run snakemake again", Cause.CHANGED)
            if again:
                path.unlink(missing_ok=True)
            # An earlier process may have written the marker and died before it could answer.
            if not marker.read(path):
                with self._refusals.counted(image):
                    done = transfer.run(image, listed.head, layout.markers(results_folder))
                failure.forget(results_folder, file_id)
                with replacing(path) as stream:
                    stream.write(f"{done.to_json()}\n")
                # The marker stands. If this failed, Snakemake would delete it as the output of a failed job.
                with suppress(OSError):
                    images_log.append(results_folder, done, image.path)
            return Answer(Status.DONE)
        except ImageError as error:
            Failure.of(error).write(results_folder, file_id)
            return Answer(Status.FAILED, one_line(error))

    def _connect(self) -> Transfer:
        with self._connecting:
            if self._transfer is None:
                self._transfer = self._make_transfer()
            return self._transfer

    def _stop(self, line: str) -> Answer:
        self._run.stop_because(line)
        return Answer(Status.STOP, line)
