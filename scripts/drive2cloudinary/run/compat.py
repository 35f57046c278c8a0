"""All uses of undocumented internals of Snakemake 9.27."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import re
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake import cli

if TYPE_CHECKING:
    from snakemake.workflow import Workflow


INTERRUPTED = 130
"""The exit code that shells give a program that Ctrl-C ended: 128 + SIGINT."""


def take_comments_as_texts() -> None:
    """Have `--config` take a text that YAML reads as a comment, such as #1, as it is typed; a text of spaces, too.

    Snakemake would end with a traceback before it reads the Snakefile. So call it when a plugin of this workflow is
    imported, which is earlier, in the jobs on a cluster, too.
    """
    parse = cli.parse_config

    def parse_config(entries: Sequence[str] | None) -> dict[str, Any]:
        comments = {}
        others = []
        for entry in entries or ():
            key, _, text = entry.partition("=")
            if re.fullmatch(r"\s+|\s*#.*", text.strip("'\""), re.DOTALL):
                comments[key] = text
            else:
                others.append(entry)
        return {**parse(others), **comments}

    cli.parse_config = parse_config


def quote_for_jobs(workflow: Workflow) -> None:
    """Have the settings reach the jobs on other machines as they are.

    Snakemake writes them into a job's command as Python does, in which the shell finds \\ twice, and $ in double
    quotes. What is quoted already it leaves alone.
    """
    arguments = workflow.config_settings.config_args or ()
    workflow.config_settings.config_args = [shlex.quote(each) for each in arguments]


def start_no_timers(workflow: Workflow) -> None:
    """Switch off Snakemake's limit on jobs per second. Call it before the scheduler is created.

    The limit starts a thread for each scheduling round, which is a quarter of Snakemake's work here, and waits for the
    last one at the end. It is not needed, because network/limits.py limits the calls of the services.
    """
    workflow.scheduling_settings.max_jobs_per_timespan = None


def know_of(workflow: Workflow, paths: Iterable[Path]) -> None:
    """Make Snakemake see files that were created after it read their folder: it remembers what it found there."""
    for path in paths:
        workflow.iocache.exists_local[str(path)] = True


def leave_times_alone(workflow: Workflow) -> None:
    """Keep a job's outputs, and the times that the job gave them. Not with --touch, which is there to change them.

    Snakemake would end the run and delete outputs that seem older than the inputs, because the clock was set back
    between the two. And it would renew the times of a listing that found nothing new. This workflow does not rely on
    these times: see `make_older`.
    """
    check = workflow.dag.check_and_touch_output
    alone = workflow.executor_plugin.name != "touch"

    async def only_look(job: object, *arguments: Any, **options: Any) -> None:
        await check(job, *arguments, **{**options, "no_touch": alone, "check_output_mtime": False})

    workflow.dag.check_and_touch_output = only_look


def end_gracefully(begin_no_more: Callable[[], None]) -> None:
    """On SIGTERM, SIGHUP or the first Ctrl-C, finish the jobs under way, then end the run.

    In: a function that keeps waiting jobs from starting, called in a thread of its own. Snakemake's own handler
    of SIGTERM takes a lock that the interrupted main thread may already hold, so it can hang; Ctrl-C inside its event
    loop ends it with tracebacks. Local jobs get Ctrl-C directly from the terminal.
    """
    handler = signal.getsignal(signal.SIGTERM)
    if not callable(handler):
        return
    # Under nohup, SIGHUP is ignored and must stay so.
    heeds_hangup = signal.getsignal(signal.SIGHUP) == signal.SIG_DFL

    def stop(number: int, *interrupted: object) -> None:
        if number == signal.SIGINT:
            atexit.register(_exit_interrupted)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # If the terminal is closed after Ctrl-C, end at once. After SIGHUP, do not: a closed terminal may send two.
        if heeds_hangup and number == signal.SIGINT:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
        threading.Thread(target=handler, args=(number, *interrupted)).start()
        threading.Thread(target=begin_no_more).start()

    for number in (signal.SIGTERM, signal.SIGINT, *([signal.SIGHUP] if heeds_hangup else [])):
        signal.signal(number, stop)


def all_is_done() -> None:
    """The run has done all its work, so that its exit code is 0 although somebody pressed Ctrl-C."""
    atexit.unregister(_exit_interrupted)


def _exit_interrupted() -> None:
    """Snakemake itself would exit with 1, like a run in which something failed."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(INTERRUPTED)


def cancel_at_interrupt(workflow: Workflow) -> None:
    """End the program at once on Ctrl-C before its first job, when nothing can be lost, and in a dry run.

    Snakemake would print tracebacks. Call it first in the Snakefile, because the other imports take long.
    """
    if not workflow.is_main_process:
        return

    def cancel(*_: object) -> None:
        os.write(sys.stderr.fileno(), b"cancelled before anything was moved\n")
        os._exit(INTERRUPTED)

    signal.signal(signal.SIGINT, cancel)


def profile_file(profile: str) -> Path | None:
    """The file of the profile that `--profile` names; None if there is no such profile."""
    found = cli.get_profile_dir(profile)
    return Path(found[1]) if found else None
