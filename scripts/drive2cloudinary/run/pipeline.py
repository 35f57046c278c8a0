"""The Snakefile's input functions and handlers: what a run has to make."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, ParamSpec, TypeVar

from drive2cloudinary import configuration
from drive2cloudinary.cloudinary.account import check_credentials
from drive2cloudinary.errors import MigrationError, line_of
from drive2cloudinary.files import make_older
from drive2cloudinary.plan import assets_file
from drive2cloudinary.plan.drive_folders import NEEDED, folders_of
from drive2cloudinary.plan.filters import with_mime_types
from drive2cloudinary.plan.migration import Migration
from drive2cloudinary.plan.nested import leave_out
from drive2cloudinary.results import layout, merged, shared
from drive2cloudinary.results.run import Run, new_id
from drive2cloudinary.run import compat, process, profiles
from drive2cloudinary.run.arguments import check_options, check_settings, within_resources
from drive2cloudinary.run.ending import Ending
from drive2cloudinary.run.invocation import Invocation
from drive2cloudinary.run.jobs import Jobs
from drive2cloudinary.run.pool import transfer_in_pool
from drive2cloudinary.run.verify_run import ALONE, VerifyRun
from drive2cloudinary.settings import SETTABLE, Settings, need_no_braces
from drive2cloudinary.terminal.console import say
from drive2cloudinary.terminal.preview import Previews
from drive2cloudinary.terminal.progress import Progress
from drive2cloudinary.terminal.tally import Now
from snakemake_executor_plugin_pool import drop

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

WAITING_FOR_NODES = "stopping: waiting for the submitted jobs; Ctrl-C once more cancels them"
WAITING = 3
"""Images per core that Snakemake gives to the pool: two under way in a process, and one that waits."""


def in_one_line(
    method: Callable[Concatenate[Pipeline, Arguments], Result],
) -> Callable[Concatenate[Pipeline, Arguments], Result]:
    """A method that Snakemake calls. An error that the user can do something about ends the run with one line."""

    @wraps(method)
    def called(self: Pipeline, /, *arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
        try:
            return method(self, *arguments, **options)
        except (MigrationError, OSError) as error:
            self.end(line_of(error))

    return called


class Pipeline:
    """One invocation of snakemake, on one Drive folder or many."""

    def __init__(self, workflow: Workflow, base: Path, config: dict[str, Any], checkpoints: Any) -> None:
        """Read the settings. Raises MigrationError for a wrong one. In: the Snakefile's folder."""
        self.invocation = Invocation(workflow)
        is_main = self.invocation.is_main
        if is_main:
            process.need_writable(Path.cwd())
            check_settings(sys.argv[1:], SETTABLE)
            need_no_braces("the folder of the Snakefile", str(base))
            for path in self.invocation.config_files:
                configuration.need_unique_keys(path.read_text(encoding="utf-8"), str(path))
        process.prepare()
        self._base = base
        settings = Settings.from_config(config, base / "config.schema.yaml", self.invocation.config_arguments)
        settings = with_mime_types(settings)
        self.settings = within_resources(settings, workflow)
        # On Slurm, a job begins another snakemake.
        compat.quote_for_jobs(workflow)
        if is_main:
            # The job that makes the listing reads it again; a wrong line is said before anything starts.
            assets_file.read(self.settings.assets)
        # A job on a cluster node needs no list of Drive folders, and the file may not exist there.
        self._wrong_lines: list[str] = []
        folders = []
        if is_main or not self.settings.folders:
            folders = folders_of(self.settings, self._wrong_lines.append)
        self._migrations = {each.results_folder.name: Migration(each, _warn) for each in folders}
        self._workflow, self._checkpoints = workflow, checkpoints
        # Jobs look there for the lock and for the reason to stop of the whole run.
        first_results_folder = (folders or [self.settings])[0].results_folder
        self._run = Run(first_results_folder)
        self._progress = Progress(self._job_failed)
        self._begun = False
        self._is_scheduling = False
        self._stopping = False
        self._are_located = False
        self.verify = VerifyRun(list(self._migrations.values()), first_results_folder)
        self._run_id = (not is_main and self._run.id) or new_id()
        combined_in = Path(self.settings.results) if self.settings.folders else None
        self._ending = Ending(
            list(self._migrations.values()), self._wrong_lines, combined_in, self._run, self._run_id, self._progress
        )
        self._previews = Previews(workflow.output_settings, is_one_of_many=len(self._migrations) > 1)
        self._jobs = Jobs(self.invocation, self.settings, self._run_id, self._progress, self._previews)
        self._expected: dict[str, tuple[int, list[str]]] = {}
        workflow.register_resource("uploads", self.settings.uploads_at_once)
        workflow.register_resource("transfers", WAITING * self.invocation.cores)
        if is_main:
            self._progress.begin()
        for line in self._wrong_lines:
            say(f"left out: {line}", logging.WARNING)

    def end(self, line: str) -> NoReturn:
        """End the run for the reason in this line."""
        if self._is_scheduling:
            # Snakemake would take the exit for Ctrl-C, and print no message.
            self._ending.say_error(line)
            sys.exit(1)
        sys.exit(line)

    @property
    def combined(self) -> list[str]:
        """The combined mapping of all Drive folders."""
        results = Path(self.settings.results)
        return [str(layout.mapping_csv(results)), str(layout.mapping_json(results))]

    @property
    def targets(self) -> list[Callable[[object], list[str]]]:
        """The run's targets, by a function for each Drive folder, so that one does not wait for the other's listing."""

        def of(migration: Migration) -> Callable[[object], list[str]]:
            return lambda wildcards: self._targets_of(migration)

        if not self._migrations:
            return [lambda wildcards: self.end(NEEDED)]
        found = [of(each) for each in self._migrations.values()]
        return [*found, self._combined_if_changed] if self.settings.folders else found

    @in_one_line
    def _targets_of(self, migration: Migration) -> list[str]:
        """The mapping and the report of a Drive folder. In a real run, none if nothing has changed.

        Raises Snakemake's IncompleteCheckpointException until a real run has listed the folder. A dry run does not
        list, so it cannot see that a mapping is outdated. Its targets include the pending images.
        """
        # run.json must exist before Snakemake reads the results folder: it caches which files exist.
        self._hold()
        if self.invocation.is_dry_run:
            self._leave_out_nested()
        if migration.left_out:
            return []
        folder = migration.results_folder.name
        if self.invocation.is_real:
            self._checkpoints.list_images.get(folder=folder)
            self.pending(folder)
            return [] if migration.is_up_to_date else migration.targets
        return [*migration.targets, *(self.pending(folder) if self.invocation.is_dry_run else [])]

    @in_one_line
    def _combined_if_changed(self, wildcards: object) -> list[str]:
        if not self.invocation.is_real:
            return self.combined
        has_changed = [bool(self._targets_of(each)) for each in self._migrations.values()]
        is_up_to_date = merged.is_combined_recorded(Path(self.settings.results), self._mappings, self.settings.csv_bom)
        if not any(has_changed) and is_up_to_date:
            return []
        self._need_combined()
        return self.combined

    def _need_combined(self) -> None:
        results = Path(self.settings.results)
        with shared.held(results):
            for target in self.combined:
                make_older(Path(target), self._run.path)

    @property
    def _mappings(self) -> list[Path]:
        return [each.mapping for each in self._copied]

    @property
    def _copied(self) -> list[Migration]:
        """The migrations that are not left out."""
        return [each for each in self._migrations.values() if not each.left_out]

    def _leave_out_nested(self) -> None:
        """Find the Drive folders that lie inside another one of the run, once, and say so."""
        migrations = list(self._migrations.values())
        if self._are_located or len(migrations) < 2 or not self.settings.recursive:
            return
        self._are_located = True
        leave_out(migrations, self.settings)
        for each in migrations:
            if each.left_out:
                say(f"left out: {each.left_out}", logging.WARNING)

    def mappings(self, wildcards: object) -> list[str]:
        """mapping.json of each Drive folder."""
        return list(map(str, self._mappings))

    @in_one_line
    def changed_mappings(self, wildcards: object) -> list[str]:
        """The mappings that have to be made before the combined one: those of Drive folders with a change."""
        changed = [str(each.mapping) for each in self._copied if not each.is_up_to_date]
        return [*changed, *self._run_file(self._run.path)]

    @in_one_line
    def begin(self, wildcards: Any) -> list[str]:
        """run.json, which every real run writes: so every real run lists again, and merges what has changed.

        In a dry run nothing, because the existing listing is used.
        """
        path = self._migration(wildcards.folder).run.path
        self._hold()
        return self._run_file(path)

    def _run_file(self, path: Path) -> list[str]:
        # What only prints (--summary) must find the input that the last run had.
        return [str(path)] if self.invocation.is_real or (path.exists() and not self.invocation.is_dry_run) else []

    @in_one_line
    def settings_of(self, wildcards: Any) -> str:
        """The settings of one Drive folder, as the scripts' argument."""
        return self._migration(wildcards.folder).settings.to_json()

    def all_settings(self, wildcards: object) -> str:
        """The settings of the run. A function, because Snakemake takes {folder} in a text for a wildcard."""
        return self.settings.to_json()

    @in_one_line
    def transferred(self, wildcards: Any) -> list[str]:
        """The files that exist when all images of a Drive folder are transferred.

        Raises Snakemake's IncompleteCheckpointException until the Drive folder is listed; a dry run lists it here.
        """
        has_listing = self._migration(wildcards.folder).listing.exists()
        if self.invocation.is_real or not (self.invocation.is_dry_run or has_listing):
            self._checkpoints.list_images.get(folder=wildcards.folder)
        return self.pending(wildcards.folder)

    @in_one_line
    def pending(self, folder: str) -> list[str]:
        """The files needed before the markers can be merged: see Jobs.of."""
        migration = self._migration(folder)
        if self.invocation.is_dry_run:
            # Snakemake calls this more than once; list only the first time.
            forced = self.invocation.repeats("list_images") and folder not in self._expected
            migration.list_for_a_dry_run(forced)
        stamp = migration.listing.stat().st_mtime_ns
        # Snakemake calls this more than once; compute it once for each listing.
        if self._expected.get(folder, (0,))[0] != stamp:
            self._expected[folder] = stamp, self._jobs.of(migration, len(self._migrations))
            self._previews.without_effect = self._ending.without_effect
            if self.invocation.is_real:
                for line in self._previews.without_effect:
                    say(line, logging.WARNING)
                migration.need_mapping()
        return self._expected[folder][1]

    @in_one_line
    def mappings_at_hand(self, wildcards: object) -> list[str]:
        """The input of verify: run.json of each results folder. Not the mapping: Snakemake would make it again first.

        In a dry run, no files; the number of URLs is printed at the end.
        """
        if not self._migrations:
            raise MigrationError(NEEDED)
        # A Drive folder that the migration has left out has no mapping.
        if self.invocation.executor and not all(each.mapping.exists() for each in self._migrations.values()):
            self._leave_out_nested()
        if self.invocation.is_dry_run:
            self.verify.preview(self.invocation.is_silent)
        if not self.invocation.is_real:
            return []
        if not self.verify.begun and self.invocation.is_main:
            if self._begun:
                raise MigrationError(ALONE)
            self.verify.begin(self._run_id)
        return [str(each.run.path) for each in self._migrations.values()]

    @in_one_line
    def hold_and_settings(self, wildcards: object) -> str:
        """The settings, as the scripts' argument; in a real run, also locks the results folders."""
        self._hold()
        return self.settings.to_json()

    @property
    def run_folder(self) -> str:
        """The results folder of the run as a whole."""
        return str(self._run.results_folder)

    def threads(self, wildcards: object) -> int:
        """The cores that an upload job takes. Functions, because the executor is not known yet when rules are read."""
        return self.invocation.upload_threads

    def uploads_of_an_image(self, wildcards: object) -> int:
        """What a job takes of uploads_at_once: nothing in the pool, which itself keeps to it."""
        return self.invocation.upload_threads

    def uploads_in_a_batch(self, wildcards: object) -> int:
        return self.invocation.uploads_in_a_batch

    def started(self) -> None:
        """Called when Snakemake's scheduler exists and is about to begin."""
        self._is_scheduling = True
        compat.leave_times_alone(self._workflow)
        compat.end_gracefully(self._stop)

    @in_one_line
    def succeeded(self) -> None:
        """Called when the run has succeeded: print the summary."""
        _let_end()
        compat.all_is_done()
        is_good = True
        if self.verify.begun:
            self.verify.say_outcome(logging.INFO)
        else:
            is_good = self._ending.succeeded(self.invocation.is_verbose)
        if self._wrong_lines:
            where = self.settings.folders if isinstance(self.settings.folders, str) else "folders"
            say(f"wrong lines of {where} left out: {len(self._wrong_lines)}", logging.ERROR)
        if nested := len(self._migrations) - len(self._copied):
            say(f"Drive folders left out, because they lie inside another one: {nested}", logging.ERROR)
        if self._wrong_lines or nested or not is_good:
            sys.exit(1)

    def failed(self) -> None:
        """Called when the run has failed: write the missing mappings and reports, and print the summary."""
        _let_end()
        if self.verify.begun:
            self.verify.say_outcome(logging.ERROR)
        else:
            self._ending.failed(self.invocation.is_verbose)

    def _job_failed(self) -> None:
        """End the run if a job outside the pool has recorded a reason to stop; such a job cannot do that itself."""
        if not self.invocation.in_pool and not self._stopping and self._ending.stopped_because:
            self._stopping = True
            os.kill(os.getpid(), signal.SIGTERM)

    def _stop(self) -> None:
        """Begin no other image, and say what the run still waits for."""
        images = drop()
        if self.invocation.on_cluster:
            say(WAITING_FOR_NODES, logging.WARNING)
        elif images:
            say(finishing(images), logging.WARNING)

    def _now(self) -> Now:
        """What this run is at."""
        runs = [each.run for each in self._migrations.values()]
        notices = {subject: line for run in runs for subject, line in run.notices.items()}
        return Now(notices, sum(run.found_so_far for run in runs))

    def _hold(self) -> None:
        """Lock the results folders for this run, once, if it is a real run."""
        if not self._begun and self.invocation.is_main and self.invocation.is_real:
            self._begin()
            self._begun = True
            compat.know_of(self._workflow, [each.run.path for each in self._migrations.values()])

    def _begin(self) -> None:
        if self.verify.begun:
            raise MigrationError(ALONE)
        profiles.check(sys.argv[1:], self._base, self.invocation.executor)
        is_listed = all(each.listing.exists() for each in self._migrations.values())
        check_options(self._workflow, self.invocation.executor, is_listed)
        check_credentials()
        self._leave_out_nested()
        compat.start_no_timers(self._workflow)
        for migration in self._migrations.values():
            migration.begin(self._run_id)
        self._progress.watch(self._now)
        transfer_in_pool(self.settings, self._run, self._progress.ended)

    def _migration(self, folder: str) -> Migration:
        """The migration with this results folder. Raises MigrationError if this run does not have it."""
        try:
            return self._migrations[folder]
        except KeyError:
            raise MigrationError(
                f"{folder} is not a results folder of this run" if self._migrations else NEEDED
            ) from None


def finishing(images: int) -> str:
    """The line for a run that is told to stop. In: how many images are in hand."""
    if images == 1:
        return "stopping: 1 upload under way is finished; Ctrl-C once more ends it"
    return f"stopping: {images} uploads under way are finished; Ctrl-C once more ends them"


def _warn(line: str) -> None:
    say(line, logging.WARNING)


def _let_end() -> None:
    """Ignore Ctrl-C from now on: the rest takes only moments and must not be interrupted half-way."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
