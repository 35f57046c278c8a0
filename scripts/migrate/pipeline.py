"""What the Snakefile's input functions and handlers do: when a run begins, what it has to make, how it ends."""

from __future__ import annotations

import atexit
import contextlib
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import listing, mapping, marker, workers
from .account import check_credentials
from .asking import WorkersWanted
from .console import Console, outcome, preview, say
from .errors import MigrationError
from .filters import skipped
from .pending import Pending, pending
from .run import Run, new_id
from .settings import Settings, from_config_or_exit

if TYPE_CHECKING:
    from snakemake.workflow import Workflow


WAITING = 1


class Pipeline:
    """One invocation of snakemake on one Drive folder."""

    def __init__(self, workflow: Workflow, config: dict[str, Any]) -> None:
        """Read the settings; a wrong one ends the program with a line."""
        base = Path(workflow.basedir)
        self.settings: Settings = from_config_or_exit(config, base / "config.schema.yaml")
        self.folder = self.settings.folder
        self._workflow = workflow
        self._run = Run(self.folder)
        self._console = Console(self.folder)
        self._begun = False
        self._run_id = new_id() if workflow.is_main_process else self._run.id
        self.workers = WorkersWanted(
            folder=self.folder,
            address=self._or_exit(workers.file_of, self._run_id),
            settings=self.settings.to_json(),
            count=workflow.resource_settings.cores or 1,
        )
        self._expected: list[str] = []
        self._expected_of = 0
        # Snakemake keeps its jobs to the end: looking for garbage among them finds none, for a tenth of its time.
        gc.freeze()
        gc.set_threshold(100_000, 20, 50)
        # Also where snakemake was called by its path, its jobs find its Python.
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        if workflow.is_main_process and not (
            workflow.output_settings.verbose or workflow.output_settings.printshellcmds
        ):
            self._console.install()

    def targets(self, wildcards: object) -> list[str]:
        """What a run is to make: the mapping.

        A dry run asks for the markers, too: it does not list, so nothing else tells it that the mapping is out of date.
        """
        # Before Snakemake takes stock of the results folder, where it would miss run.json ever after.
        self.begin(wildcards)
        mappings = [str(self.folder / "mapping.csv"), str(self.folder / "mapping.json")]
        return [*mappings, *(self.markers() if self._workflow.dryrun else [])]

    def begin(self, wildcards: object) -> list[str]:
        """The input of the checkpoint: run.json, which every real run writes anew, so that every real run lists anew.

        Nothing in a dry run, which makes do with the listing at hand.
        """
        if self._workflow.dryrun:
            return []
        if not self._begun and self._workflow.is_main_process:
            self._or_exit(self._begin)
            self._begun = True
        return [str(self._run.path)]

    def markers(self) -> list[str]:
        """The markers of all images of the listing that is to be used; in a dry run, also says what is pending."""
        path = self.folder / "listing.json"
        # Two rules ask for them, and Snakemake more than once.
        if not path.exists() or self._expected_of != path.stat().st_mtime_ns:
            self._expected = self._or_exit(self._look_ahead, path)
            self._expected_of = path.stat().st_mtime_ns
        return self._expected

    def started(self) -> None:
        """Fit Snakemake's scheduler, which is there now and about to begin, to jobs that wait for others."""
        if self._workflow.local_exec:
            scheduler = self._workflow.scheduler
            # Its limit of jobs in a second starts a thread for each round of scheduling, a quarter of all its work
            # here, and waits for the last one at the end. How fast the services let us be is known to pacing.py.
            scheduler.job_rate_limiter = None
            # As many images are moved at once as there are workers, and none of these waits for Snakemake.
            scheduler.resources["_cores"] += WAITING
            scheduler.global_resources["_cores"] += WAITING
        # Its handler takes a lock that the interrupted main thread may hold already, and then waits for ever. And
        # Ctrl-C in the midst of its event loop ends it with tracebacks: the first one counts as SIGTERM, too; the jobs
        # get theirs from the terminal.
        handler = signal.getsignal(signal.SIGTERM)
        if callable(handler):

            def stop(*interrupted: object) -> None:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                threading.Thread(target=handler, args=interrupted).start()

            signal.signal(signal.SIGTERM, stop)
            signal.signal(signal.SIGINT, stop)

    def succeeded(self) -> None:
        """Say how it went."""
        outcome(mapping.counts(self.folder / "mapping.json"), self.folder / "mapping.csv")

    def failed(self) -> None:
        """Write the mapping that the merge did not come to, and say how it went."""
        listed = self.folder / "listing.json"
        try:
            if listing.made_by(listed) != self._run_id:
                say([self._run.stopped_because or "nothing was listed", *self._said_while_listing()][-1], logging.ERROR)
                return
            # Only here, because a run that succeeds has a rule for it.
            from merge_markers import merge_markers

            merge_markers(listed)
            if self._run.stopped_because:
                say(f"the run was stopped: {self._run.stopped_because}", logging.ERROR)
            outcome(mapping.counts(self.folder / "mapping.json"), self.folder / "mapping.csv")
        except MigrationError as error:
            say(str(error), logging.ERROR)
        except OSError as error:
            say(f"{self.folder} cannot be written to: {error.strerror or error}", logging.ERROR)

    def _begin(self) -> None:
        self._need_folder_id()
        check_credentials()
        signal.signal(signal.SIGINT, _cancel)
        workers.forget(self._run.begin(self._run_id))
        marker.remove_unfinished(self.folder)
        for name in ("list_images.log", "stop.txt"):
            (self.folder / "logs" / name).unlink(missing_ok=True)
        # While the folder is listed, so that the first image finds them warm.
        self.workers.start()

    def _look_ahead(self, path: Path) -> list[str]:
        self._need_folder_id()
        dryrun = self._workflow.dryrun
        if dryrun and not path.exists():
            # Only here, because the Google client takes long to import.
            from list_images import list_images

            made = path.with_name(".listing.dry-run.json")
            list_images(self.settings, made)
            with contextlib.suppress(FileExistsError):
                # A real run that has listed meanwhile knows better.
                os.link(made, path)
            made.unlink(missing_ok=True)
        listed = listing.read(path)
        if dryrun:
            # The listing at hand may have been made with other settings.
            images = [replace(each, skipped=skipped(self.settings, each)) for each in listed.images]
            listed = replace(listed, images=images)
        found = pending(listed.images, self.folder, say)
        if dryrun:
            atexit.register(self._preview, found, listed)
        else:
            for line in self._said_while_listing():
                if line.startswith("warning: "):
                    say(line, logging.WARNING)
            self._console.listed(found, len(listed.images))
        return [
            str(marker.path_of(self.folder, image.id, image.fingerprint))
            for image in listed.images
            if not image.skipped
        ]

    def _preview(self, found: Sequence[Pending], listed: listing.Listing) -> None:
        quiet = {str(each).rpartition(".")[2].lower() for each in self._workflow.output_settings.quiet or ()}
        if "all" not in quiet:
            names = quiet != {"rules", "progress"}
            preview(found, len(listed.images), _age(listed.listed_at), names, self.settings)

    def _said_while_listing(self) -> list[str]:
        log = self.folder / "logs" / "list_images.log"
        return log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []

    def _need_folder_id(self) -> None:
        if not self.settings.folder_id:
            raise MigrationError(
                "folder_id is missing: snakemake --cores 8 --config folder_id=ID_OR_URL_OF_A_DRIVE_FOLDER"
            )

    def _or_exit(self, function: Any, *arguments: Any) -> Any:
        """The result of a function; an error of ours ends the program with its line, not with a traceback."""
        try:
            return function(*arguments)
        except MigrationError as error:
            sys.exit(str(error))
        except OSError as error:
            sys.exit(f"{error.filename or self.folder}: {error.strerror or error}")


def _cancel(*_: object) -> None:
    """End the program before its first job, when nothing can be lost; Snakemake would do it with tracebacks."""
    os.write(sys.stderr.fileno(), b"cancelled before anything was moved\n")
    os._exit(1)


def _age(listed_at: str) -> str:
    seconds = (datetime.now(UTC) - datetime.fromisoformat(listed_at)).total_seconds()
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            number = int(seconds // length)
            return f"{number} {unit}{'s' if number > 1 else ''} ago"
    return "just now" if seconds < 10 else f"{seconds:.0f} seconds ago"
