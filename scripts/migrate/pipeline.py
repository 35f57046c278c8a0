"""What the Snakefile's input functions and handlers do: when a run begins, what it has to make, how it ends."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from . import batches, listing, mapping, workers
from .account import check_credentials
from .asking import WorkersWanted
from .console import Console, say
from .errors import MigrationError
from .folders import NEEDED, folders_of
from .migration import Migration
from .pending import left_out
from .preview import preview
from .run import Run, new_id
from .settings import Settings

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

    from .pending import Pending

Result = TypeVar("Result")

WAITING = 1
"""Jobs of Snakemake beyond one for each worker."""
ALONE = "verify takes the mapping at hand: run it by itself, after the migration"
ON_A_CLUSTER = 100
"""Images in one job there, unless images_per_job says otherwise: a job costs some seconds, 100 images take as many."""


class Pipeline:
    """One invocation of snakemake, on one Drive folder or many."""

    def __init__(self, workflow: Workflow, config: dict[str, Any]) -> None:
        """Read the settings; a wrong one ends the program with a line."""
        base = Path(workflow.basedir)
        self.settings = _or_exit(Settings.from_config, config, base / "config.schema.yaml", sys.argv)
        folders = _or_exit(folders_of, self.settings)
        self._migrations = {each.folder_id: Migration(each) for each in folders}
        self._workflow = workflow
        # Of the run as a whole: where its lock and its reason to stop are looked for.
        home = (folders or [self.settings])[0].folder
        self._run = Run(home)
        self._console = Console(workflow.output_settings)
        self._begun = False
        self._verifying = False
        self._run_id = new_id() if workflow.is_main_process else self._run.id
        self.workers = WorkersWanted(
            home=home,
            address=_or_exit(workers.file_of, self._run_id),
            settings=self.settings.to_json(),
            count=workflow.resource_settings.cores or 1,
        )
        self._expected: dict[str, tuple[int, list[str]]] = {}
        workflow.register_resource("uploads", self.settings.uploads_at_once)
        # Snakemake keeps its jobs to the end: looking for garbage among them finds none, for a tenth of its time.
        gc.freeze()
        gc.set_threshold(100_000, 20, 50)
        # Also where snakemake was called by its path, its jobs find its Python.
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        if workflow.is_main_process:
            self._console.install()

    @property
    def folder_ids(self) -> list[str]:
        """The Drive folders of this run."""
        return list(self._migrations)

    @property
    def combined(self) -> list[str]:
        """The mapping of all folders together."""
        return [f"{self.settings.results}/mapping.csv", f"{self.settings.results}/mapping.json"]

    def targets(self, wildcards: object) -> list[str]:
        """What a run is to make: the mapping and the report of each folder, and the mapping of all if they are many.

        A dry run asks for what is pending, too: it does not list, so nothing else tells it that a mapping is out of
        date.
        """
        if not self._migrations:
            sys.exit(NEEDED)
        # Before Snakemake takes stock of the results folder, where it would miss run.json ever after.
        self._hold()
        targets = [target for each in self._migrations.values() for target in each.targets]
        if self.settings.folders:
            targets += self.combined
        if self._workflow.dryrun:
            targets += [target for folder_id in self._migrations for target in self.to_move(folder_id)]
        return targets

    def begin(self, wildcards: Any) -> list[str]:
        """The input of the checkpoint: run.json, which every real run writes anew, so that every real run lists anew.

        Nothing in a dry run, which makes do with the listing at hand.
        """
        if self._workflow.dryrun:
            return []
        self._hold()
        return [str(_or_exit(self._migration, wildcards.folder).run.path)]

    def settings_of(self, wildcards: Any) -> str:
        """The settings of one folder, as the scripts take them."""
        return _or_exit(self._migration, wildcards.folder).settings.to_json()

    def to_move(self, folder_id: str) -> list[str]:
        """What has to be made before a folder's markers can be merged: the markers of all pending images.

        Or, where one job moves many images, the flags of their batches. Only what is pending: 100,000 markers that
        stand would cost Snakemake a minute, and a run with -F or -R upload_image asks for all.
        """
        migration = _or_exit(self._migration, folder_id)
        if self._workflow.dryrun:
            # Snakemake asks more than once.
            forced = "list_images" in self._workflow.dag_settings.forcerun and folder_id not in self._expected
            _or_exit(migration.list_for_a_dry_run, forced)
        listed_at = migration.listing.stat().st_mtime_ns
        # Snakemake asks more than once.
        if self._expected.get(folder_id, (0,))[0] != listed_at:
            self._expected[folder_id] = listed_at, _or_exit(self._look_ahead, migration)
        return self._expected[folder_id][1]

    def mappings_at_hand(self, wildcards: object) -> list[str]:
        """The input of verify: run.json, which holds the folder. The mapping is none, or it would be made anew first.

        In a dry run nothing, but that it says how many URLs would be asked for.
        """
        if not self._verifying and self._workflow.is_main_process:
            _or_exit(self._begin_to_verify)
            self._verifying = True
        return [] if self._workflow.dryrun else [str(each.run.path) for each in self._migrations.values()]

    @property
    def verify_log(self) -> Path:
        """Where the job that verifies leaves the outcome of each folder."""
        return self._run.folder / "logs" / "verify.log"

    @property
    def silent(self) -> bool:
        """Whether the user wants to hear nothing at all."""
        return "all" in self._quiet

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
        if self._verifying:
            self._say_verified(logging.INFO)
            return
        self._say_outcome(self._mappings())

    def failed(self) -> None:
        """Write the mappings and reports that the run did not come to, and say how it went."""
        if self._verifying:
            self._say_verified(logging.ERROR)
            return
        try:
            merged = [found for each in self._migrations.values() if (found := each.merge(self._run_id))]
            if self.settings.folders and merged:
                # Only here, because a run that succeeds has a rule for it.
                from merge_mappings import merge_mappings

                merge_mappings([path for path in self._mappings() if path.exists()], Path(self.settings.results))
            if merged and self._run.stopped_because:
                say(f"the run was stopped: {self._run.stopped_because}", logging.ERROR)
            unlisted = (each for each in self._migrations.values() if listing.made_by(each.listing) != self._run_id)
            reason = self._run.stopped_because or "nothing was listed"
            for line in dict.fromkeys([reason, *each.said_while_listing()][-1] for each in unlisted):
                say(line, logging.ERROR)
            if merged:
                self._say_outcome(merged)
        except MigrationError as error:
            say(str(error), logging.ERROR)
        except OSError as error:
            say(f"{error.filename or self._run.folder} cannot be written to: {error.strerror or error}", logging.ERROR)

    def _say_outcome(self, mappings: list[Path]) -> None:
        whole = self.combined[0] if self.settings.folders else mappings[0].with_suffix(".csv")
        counted = sum(map(mapping.counts, mappings), Counter())
        self._console.sum_up(counted, Path(whole), mapping.failures(mappings))

    def _mappings(self) -> list[Path]:
        return [each.folder / "mapping.json" for each in self._migrations.values()]

    @property
    def _images_per_job(self) -> int:
        # Known only now: while the Snakefile is read, Snakemake has no executor yet.
        return self.settings.images_per_job or (1 if self._workflow.local_exec else ON_A_CLUSTER)

    def _hold(self) -> None:
        """Take the results folders for this run, once, if it is a real one."""
        # Where Snakemake only looks at what is there (--report, --summary), it has no executor.
        is_real = self._workflow.executor_plugin is not None and not self._workflow.dryrun
        if not self._begun and self._workflow.is_main_process and is_real:
            _or_exit(self._begin)
            self._begun = True

    def _begin(self) -> None:
        if self._verifying:
            raise MigrationError(ALONE)
        check_credentials()
        signal.signal(signal.SIGINT, _cancel)
        for migration in self._migrations.values():
            migration.begin(self._run_id)
        if self._images_per_job == 1:
            # While the folder is listed, so that the first image finds them warm.
            self.workers.start()

    def _begin_to_verify(self) -> None:
        if not self._migrations:
            raise MigrationError(NEEDED)
        for path in self._mappings():
            if not path.exists():
                command = f"snakemake --cores 8 --config folder_id={path.parent.name}"
                raise MigrationError(f"there is no mapping yet: run {command} first")
        if self._workflow.dryrun:
            atexit.register(self._preview_verify)
            return
        if self._begun:
            raise MigrationError(ALONE)
        signal.signal(signal.SIGINT, _cancel)
        for migration in self._migrations.values():
            migration.hold(self._run_id)
        self.verify_log.unlink(missing_ok=True)

    def _say_verified(self, level: int) -> None:
        log = self.verify_log
        said = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
        for line in said or ["no URL was asked for"]:
            say(line, level)

    def _preview_verify(self) -> None:
        for path in [] if self.silent else self._mappings():
            counted = mapping.counts(path)
            written = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat()
            failed = f"{counted['failed']} images failed and have none; " if counted["failed"] else ""
            urls = counted["uploaded"] + counted["existing"]
            print(f"{urls} URLs to ask for; {failed}mapping written {_age(written)}", flush=True)

    @property
    def _quiet(self) -> set[str]:
        return {str(each).rpartition(".")[2].lower() for each in self._workflow.output_settings.quiet or ()}

    def _look_ahead(self, migration: Migration) -> list[str]:
        dryrun = self._workflow.dryrun
        listed = migration.listed_as_set() if dryrun else listing.read(migration.listing)
        found = migration.pending(listed)
        if dryrun:
            atexit.register(self._preview, found, listed)
        else:
            for line in migration.said_while_listing():
                if line.startswith("warning: "):
                    say(line, logging.WARNING)
        asked = self._workflow.dag_settings
        again = asked.forceall or "upload_image" in asked.forcerun
        images = [each for each in listed.images if not each.skipped] if again else [each.image for each in found]
        if not dryrun:
            skipped = left_out(listed.images, migration.folder)
            self._console.listed(migration.folder, images, len(listed.images), skipped)
        wanted = migration.markers(images)
        size = self._images_per_job
        return wanted if dryrun or size == 1 else batches.write(migration.folder, wanted, size)

    def _preview(self, found: Sequence[Pending], listed: listing.Listing) -> None:
        if not self.silent:
            names = self._quiet != {"rules", "progress"}
            preview(found, listed, _age(listed.listed_at), names, self.settings)

    def _migration(self, folder_id: str) -> Migration:
        """One of this run's folders. Raises MigrationError if it is none."""
        try:
            return self._migrations[folder_id]
        except KeyError:
            raise MigrationError(f"{folder_id} is no folder of this run" if self._migrations else NEEDED) from None


def _or_exit(function: Callable[..., Result], *arguments: Any) -> Result:
    """The result of a function; an error of ours ends the program with its line, not with a traceback."""
    try:
        return function(*arguments)
    except MigrationError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"{error.filename or 'the results folder'}: {error.strerror or error}")


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
