"""Fitting Snakemake's scheduler, and what ends it, to jobs that do nothing but wait for others."""

from __future__ import annotations

import os
import signal
import sys
import threading
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

WAITING = 1
"""Jobs of Snakemake beyond one for each worker."""
AT_A_TIME = 200
"""Jobs that one round of scheduling looks at; the profile has it choose among 32 of them."""


def fit_scheduler(workflow: Workflow) -> None:
    """Let more jobs run than there are cores, as fast as they come. To be called as the scheduler is about to begin."""
    scheduler = workflow.scheduler
    # Its limit of jobs in a second starts a thread for each round of scheduling, a quarter of all its work here, and
    # waits for the last one at the end. How fast the services let us be is known to pacing.py.
    scheduler.job_rate_limiter = None
    # As many images are moved at once as there are workers, and none of these waits for Snakemake.
    scheduler.resources["_cores"] += WAITING
    scheduler.global_resources["_cores"] += WAITING

    class OfFewJobs(type(scheduler)):  # type: ignore[misc]
        """Each round, dozens in a second, goes through all jobs: with 20,000 that took a third of the time."""

        @property
        def open_jobs(self) -> list[Any]:
            return list(islice(self.workflow.dag.ready_jobs, AT_A_TIME))

        remaining_jobs = open_jobs

    scheduler.__class__ = OfFewJobs


def ignore_jumps_of_the_clock(workflow: Workflow) -> None:
    """Let a job's outputs stand that seem to be older than its inputs: the clock was set back between the two.

    Snakemake would end the run and remove them. What is new does not hang on these times here: see `make_older`.
    """

    async def believe(job: object, outputs: object) -> None:
        pass

    workflow.dag.check_output_mtime = believe


def end_gracefully(notice: str) -> None:
    """Have SIGTERM, and the first Ctrl-C, end the run when the jobs under way have ended.

    In: a line to say then, "" for none. Snakemake's own handler of SIGTERM takes a lock that the interrupted main
    thread may hold already, and then waits for ever; Ctrl-C in the midst of its event loop ends it with tracebacks.
    Jobs on this machine get theirs from the terminal.
    """
    handler = signal.getsignal(signal.SIGTERM)
    if callable(handler):

        def stop(*interrupted: object) -> None:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if notice:
                os.write(sys.stderr.fileno(), f"{notice}\n".encode())
            threading.Thread(target=handler, args=interrupted).start()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)


def cancel_at_interrupt(workflow: Workflow) -> None:
    """Have Ctrl-C end the program before its first job, when nothing can be lost; Snakemake would show tracebacks.

    To be called as soon as the Snakefile is read: its imports alone take long. In a dry run it holds to the end.
    """
    if not workflow.is_main_process:
        return

    def cancel(*_: object) -> None:
        os.write(sys.stderr.fileno(), b"cancelled before anything was moved\n")
        os._exit(1)

    signal.signal(signal.SIGINT, cancel)
