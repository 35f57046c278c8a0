"""What the Snakefile's input functions and handlers do: when a run begins, what it has to make, how it ends."""

from __future__ import annotations

import atexit
import gc
import getpass
import logging
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from drive2cloudinary.cloudinary.account import check_credentials
from drive2cloudinary.errors import MigrationError, one_line
from drive2cloudinary.report import mapping, orphans
from drive2cloudinary.results import batches, listing, marker
from drive2cloudinary.results.pending import count_excluded
from drive2cloudinary.results.run import Run, new_id
from drive2cloudinary.run import compat, profiles
from drive2cloudinary.run.arguments import check_settings
from drive2cloudinary.run.console import say
from drive2cloudinary.run.folders import NEEDED, folders_of
from drive2cloudinary.run.migration import Migration
from drive2cloudinary.run.preview import preview
from drive2cloudinary.run.progress import Outcome, Progress
from drive2cloudinary.run.verify_run import ALONE, VerifyRun
from drive2cloudinary.settings import Settings
from drive2cloudinary.transfer import task
from snakemake_executor_plugin_pool import Task, drop, run_in_pool

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

    from drive2cloudinary.results.pending import Pending
    from snakemake_executor_plugin_pool.answers import Status

Result = TypeVar("Result")


WAITING_FOR_NODES = "stopping: jobs that were submitted are waited for; Ctrl-C once more cancels them"
WAITING = 3
"""Images for each core that Snakemake hands to the pool: two that a process has in hand, and one that waits."""
SINGLY = 2_000
"""So many pending images of a folder are a job each, which costs Snakemake 5 ms; of more, IN_A_BATCH are one job."""
IN_A_BATCH = 100
UPLOADS_ON_A_NODE = 8
JOBS_IN_A_DRY_RUN = 10_000
"""Of more, only these are asked of Snakemake: 2.6 ms and 21 KB for each job, to show nothing. The preview names all."""


class Pipeline:
    """One invocation of snakemake, on one Drive folder or many."""

    def __init__(self, workflow: Workflow, config: dict[str, Any], checkpoints: Any) -> None:
        """Read the settings; a wrong one ends the program with a line."""
        if workflow.is_main_process:
            _or_exit(_need_writable, Path.cwd())
            _or_exit(check_settings, sys.argv[1:], Settings.__dataclass_fields__)
        self._base = Path(workflow.basedir)
        self.settings = _or_exit(Settings.from_config, config, self._base / "config.schema.yaml", sys.argv)
        # A job on a cluster's node needs no list of folders, which may not be there.
        folders = _or_exit(folders_of, self.settings) if workflow.is_main_process or not self.settings.folders else []
        self._migrations = {each.folder_id: Migration(each) for each in folders}
        self._workflow, self._checkpoints = workflow, checkpoints
        # Of the run as a whole: where its lock and its reason to stop are looked for.
        home = (folders or [self.settings])[0].results_folder
        self._run = Run(home)
        self._progress = Progress(self._job_failed)
        self._begun = False
        self._stopping = False
        self._previews: list[tuple[Sequence[Pending], listing.Listing]] = []
        self.verify = VerifyRun(list(self._migrations.values()), home)
        self._run_id = (not workflow.is_main_process and self._run.id) or new_id()
        self._expected: dict[str, tuple[int, list[str]]] = {}
        if workflow.storage_settings.default_storage_provider:
            _or_exit(compat.take_files_from_volume, workflow, self.settings.results)
        workflow.register_resource("uploads", self.settings.uploads_at_once)
        workflow.register_resource("transfers", WAITING * (workflow.resource_settings.cores or 1))
        # Snakemake keeps its jobs to the end: looking for garbage among them finds none, for a tenth of its time.
        gc.freeze()
        gc.set_threshold(100_000, 20, 50)
        # Also where snakemake was called by its path, its jobs find its Python.
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        _have_a_user_name()
        if workflow.is_main_process:
            self._progress.begin()

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
            targets += [target for folder_id in self._migrations for target in self.pending(folder_id)]
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

    def transferred(self, wildcards: Any) -> list[str]:
        """What stands when all images of a folder are transferred: a real run lists it first, a dry run has a listing.

        Raises Snakemake's IncompleteCheckpointException until it is listed.
        """
        if not self._workflow.dryrun:
            self._checkpoints.list_images.get(folder=wildcards.folder)
        return self.pending(wildcards.folder)

    def pending(self, folder_id: str) -> list[str]:
        """What has to be made before a folder's markers can be merged: the markers of all pending images.

        Or, where one job moves many images, the flags of their batches. Only what is pending: 100,000 markers that
        stand would cost Snakemake a minute, and a run with -F or -R upload_image asks for all.
        """
        migration = _or_exit(self._migration, folder_id)
        if self._workflow.dryrun:
            # Snakemake asks more than once.
            forced = "list_images" in self._workflow.dag_settings.forcerun and folder_id not in self._expected
            _or_exit(migration.list_for_a_dry_run, forced)
        listed_at = _or_exit(migration.listing.stat).st_mtime_ns
        # Snakemake asks more than once.
        if self._expected.get(folder_id, (0,))[0] != listed_at:
            self._expected[folder_id] = listed_at, _or_exit(self._look_ahead, migration)
            if not self._workflow.dryrun:
                _or_exit(migration.need_mapping)
        return self._expected[folder_id][1]

    def mappings_at_hand(self, wildcards: object) -> list[str]:
        """The input of verify: run.json, which holds the folder. The mapping is none, or it would be made anew first.

        In a dry run nothing, but that it says how many URLs would be asked for.
        """
        if not self._migrations:
            sys.exit(NEEDED)
        if self._workflow.dryrun:
            _or_exit(self.verify.preview, self.silent)
            return []
        if not self.verify.begun and self._workflow.is_main_process:
            if self._begun:
                sys.exit(ALONE)
            _or_exit(self.verify.begin, self._run_id)
        return [str(each.run.path) for each in self._migrations.values()]

    @property
    def hold_and_settings(self) -> Callable[[object], str]:
        """The settings as a rule's parameter; to ask for it takes the results folders, if it is a real run."""

        def held(wildcards: object) -> str:
            self._hold()
            return self.settings.to_json()

        return held

    @property
    def cores(self) -> int:
        return self._workflow.resource_settings.cores or 1

    @property
    def run_folder(self) -> str:
        """The results folder of the run as a whole."""
        return str(self._run.results_folder)

    def threads(self, wildcards: object) -> int:
        """The cores that an image takes: none in the pool, whose processes are as many as there are cores."""
        return 0 if self._in_pool else 1

    def uploads_in_a_batch(self, wildcards: object) -> int:
        """How many images a batch moves at once: eight on a node. Here, no more than the one core that it takes."""
        return 1 if self._workflow.local_exec and not self._workflow.remote_exec else UPLOADS_ON_A_NODE

    @property
    def _in_pool(self) -> bool:
        plugin = self._workflow.executor_plugin
        return plugin is not None and plugin.name == "pool"

    @property
    def silent(self) -> bool:
        """Whether the user wants to hear nothing at all."""
        return "all" in self._quiet

    def started(self) -> None:
        """Snakemake's scheduler is there now, and about to begin."""
        compat.ignore_jumps_of_the_clock(self._workflow)
        if self._workflow.executor_plugin.name == "kubernetes":
            compat.ask_as_kubernetes_answers(self._workflow)
        compat.end_gracefully("" if self._workflow.local_exec else WAITING_FOR_NODES, drop)

    def succeeded(self) -> None:
        """Say how it went."""
        _let_end()
        compat.all_is_done()
        if self.verify.begun:
            self.verify.say_outcome(logging.INFO)
        elif all(each.is_merged for each in self._migrations.values()):
            # Else something less than the migration was asked for: the listing alone, or one marker.
            self._say_outcome(list(self._migrations.values()))

    def failed(self) -> None:
        """Write the mappings and reports that the run did not come to, and say how it went."""
        _let_end()
        if self.verify.begun:
            self.verify.say_outcome(logging.ERROR)
            return
        try:
            merged = [each for each in self._migrations.values() if each.merge(self._run_id)]
            if self.settings.folders and merged:
                self._merge_mappings()
            stopped_because = self._stopped_because
            unlisted = (each for each in self._migrations.values() if each not in merged)
            # A listing that finds no room for itself finds none for the reason in its log.
            reason = stopped_because or self._run.unwritable_because
            # Of a run that was asked for one marker, nothing had to be listed.
            if not reason and self._progress.listing_has_begun:
                reason = "nothing was listed"
            for line in dict.fromkeys([reason, *each.said_while_listing()][-1] for each in unlisted):
                if line:
                    say(one_line(line), logging.ERROR)
            if merged:
                self._say_outcome(merged, stopped_because)
        except MigrationError as error:
            say(str(error), logging.ERROR)
        except OSError as error:
            say(
                f"{error.filename or self._run.results_folder} cannot be written to: {error.strerror or error}",
                logging.ERROR,
            )

    def _job_failed(self) -> None:
        """A job outside the pool cannot end the run when nothing else can succeed: it leaves the reason."""
        if not self._in_pool and not self._stopping and self._stopped_because:
            self._stopping = True
            os.kill(os.getpid(), signal.SIGTERM)

    @property
    def _stopped_because(self) -> str:
        """The line that says why this run was stopped; "" if it was not."""
        return next((line for each in self._migrations.values() if (line := each.run.stopped_because)), "")

    def _waits_for(self) -> dict[str, str]:
        """For each service that this run waits for, the line that says so."""
        return {service: line for each in self._migrations.values() for service, line in each.run.waits_for.items()}

    def _merge_mappings(self) -> None:
        # Only here, because a run that succeeds has a rule for it.
        from drive2cloudinary.report.merging import merge_mappings

        try:
            mappings = [each.mapping for each in self._migrations.values() if each.mapping.exists()]
            merge_mappings(mappings, Path(self.settings.results))
        except MigrationError as error:
            say(str(error), logging.ERROR)

    def _say_outcome(self, migrations: list[Migration], stopped_because: str = "") -> None:
        mappings = [each.mapping for each in migrations]
        whole = self.combined[0] if self.settings.folders else mappings[0].with_suffix(".csv")
        counted = sum(map(mapping.counts, mappings), Counter())
        reports = [each.report for each in migrations]
        gone = {each.orphans: count for each in migrations if (count := orphans.count(each.orphans))}
        unlisted = len(self._migrations) - len(migrations)
        failures = mapping.failures(mappings)
        self._progress.sum_up(Outcome(counted, Path(whole), reports, failures, gone, unlisted, stopped_because))

    def _hold(self) -> None:
        """Take the results folders for this run, once, if it is a real one."""
        # Where Snakemake only looks at what is there (--report, --summary), it has no executor.
        is_real = self._workflow.executor_plugin is not None and not self._workflow.dryrun
        if not self._begun and self._workflow.is_main_process and is_real:
            _or_exit(self._begin)
            self._begun = True

    def _begin(self) -> None:
        if self.verify.begun:
            raise MigrationError(ALONE)
        profiles.check(sys.argv[1:], self._base, self._workflow.executor_plugin.name)
        check_credentials()
        compat.start_no_timers(self._workflow)
        for migration in self._migrations.values():
            migration.begin(self._run_id)
        self._progress.watch(self._waits_for)
        run_in_pool(
            Task(
                requests={"upload_image": _marker_request, "upload_batch": _batch_requests},
                function=task.FUNCTION,
                argument=task.argument(self.settings, self._run),
                log=task.log_of(self._run),
                threads=task.THREADS,
                answered=self._answered,
            )
        )

    @property
    def _quiet(self) -> set[str]:
        return {str(each).rpartition(".")[2].lower() for each in self._workflow.output_settings.quiet or ()}

    def _look_ahead(self, migration: Migration) -> list[str]:
        dryrun = self._workflow.dryrun
        listed = migration.listed_as_set() if dryrun else listing.read(migration.listing)
        asked = self._workflow.dag_settings
        again = asked.forceall or "upload_image" in asked.forcerun
        found = migration.pending(listed, again)
        if dryrun:
            if not self._previews:
                atexit.register(self._preview)
            self._previews.append((found, listed))
        else:
            for line in migration.said_while_listing():
                if line.startswith("warning: "):
                    say(line, logging.WARNING)
        images = [each.image for each in found]
        if not dryrun:
            skipped = count_excluded(listed.images, migration.results_folder)
            self._progress.listed(migration.results_folder, images, len(listed.images), skipped)
        wanted = migration.markers(images)
        if dryrun:
            return wanted[: JOBS_IN_A_DRY_RUN // len(self._migrations)]
        size = self._images_per_job(len(wanted))
        if size == 1:
            return wanted
        # A batch moves those of its images that have no marker.
        for path in wanted if again else ():
            Path(path).unlink(missing_ok=True)
        return batches.write(migration.results_folder, self._run_id, wanted, size)

    def _images_per_job(self, pending: int) -> int:
        if self.settings.images_per_job != "auto":
            return self.settings.images_per_job
        # Known only now: while the Snakefile is read, Snakemake has no executor yet.
        in_batches = pending > SINGLY if self._in_pool else not self._workflow.local_exec
        return IN_A_BATCH if in_batches else 1

    def _answered(self, request: str, status: Status, line: str) -> None:
        """Take note of what came of an image, in the thread of the pool."""
        path = task.marker_of(request, Path(self.settings.results))
        if status == "lost":
            try:
                task.record_lost(request, Path(self.settings.results), line)
            except OSError as error:
                self._run.stop_because(f"{path.parents[1]} cannot be written to: {error.strerror or error}")
        if status != "stop":
            self._progress.ended([path])

    def _preview(self) -> None:
        for found, listed in [] if self.silent else self._previews:
            if len(self._migrations) > 1:
                print(f"{one_line(listed.folder, 100)} ({listed.folder_id}):")
            names = self._quiet != {"rules", "progress"}
            preview(found, listed, names, self.settings)

    def _migration(self, folder_id: str) -> Migration:
        """One of this run's folders. Raises MigrationError if it is none."""
        try:
            return self._migrations[folder_id]
        except KeyError:
            raise MigrationError(f"{folder_id} is no folder of this run" if self._migrations else NEEDED) from None


def _marker_request(job: Any) -> list[str]:
    return [task.request_for(Path(job.output[0]))]


def _batch_requests(job: Any) -> list[str]:
    path = Path(job.input[0])
    paths = [marker.named(path.parents[1], name) for name in batches.read(path)]
    return [task.request_for(each) for each in paths if not each.exists()]


def _let_end() -> None:
    """From now on, Ctrl-C interrupts nothing: what is left takes moments, and it would end in the midst of them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _have_a_user_name() -> None:
    """Snakemake asks for it, with a traceback where there is none: in a container the user ID may be unknown."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["USER"] = str(os.getuid())


def _need_writable(directory: Path) -> None:
    """Raise MigrationError if Snakemake cannot keep its .snakemake in the working directory; it shows a traceback."""
    own = directory / ".snakemake"
    if not os.access(own if own.exists() else directory, os.W_OK | os.X_OK, effective_ids=True):
        raise MigrationError(
            f"{directory} cannot be written to, where Snakemake keeps its .snakemake: run it in a folder of your own"
        )


def _or_exit(function: Callable[..., Result], *arguments: Any) -> Result:
    """The result of a function; an error of ours ends the program with its line, not with a traceback."""
    try:
        return function(*arguments)
    except MigrationError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"{error.filename or 'the results folder'}: {error.strerror or error}")
