"""All that this workflow needs of Snakemake 9.27 and of its Kubernetes executor 0.5.1 beyond what they promise."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake.cli import get_profile_dir

from drive2cloudinary.errors import MigrationError

if TYPE_CHECKING:
    from snakemake.workflow import Workflow


INTERRUPTED = 130
"""The exit code that shells give a program that Ctrl-C ended: 128 + SIGINT."""


def start_no_timers(workflow: Workflow) -> None:
    """Switch off Snakemake's limit of jobs in a second; to be called before the scheduler is made.

    It starts a thread for each round of scheduling, a quarter of all its work here, and waits for the last one at the
    end. How fast the services let us be is known to pacing.py.
    """
    workflow.scheduling_settings.max_jobs_per_timespan = None


def ignore_jumps_of_the_clock(workflow: Workflow) -> None:
    """Let a job's outputs stand that seem to be older than its inputs: the clock was set back between the two.

    Snakemake would end the run and remove them. What is new does not hang on these times here: see `make_older`.
    """

    async def believe(job: object, outputs: object) -> None:
        pass

    workflow.dag.check_output_mtime = believe


def end_gracefully(notice: str, begin_no_more: Callable[[], None]) -> None:
    """Have SIGTERM, SIGHUP and the first Ctrl-C end the run when the jobs under way have ended.

    In: a line to say then, "" for none; what keeps jobs that wait from beginning. Snakemake's own handler of SIGTERM
    takes a lock that the interrupted main thread may hold already, and then waits for ever; Ctrl-C in the midst of its
    event loop ends it with tracebacks. Jobs on this machine get theirs from the terminal.
    """
    handler = signal.getsignal(signal.SIGTERM)
    if not callable(handler):
        return
    # nohup has it ignored.
    heeds_hangup = signal.getsignal(signal.SIGHUP) == signal.SIG_DFL

    def stop(number: int, *interrupted: object) -> None:
        if number == signal.SIGINT:
            atexit.register(_exit_interrupted)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # Who closes the terminal after Ctrl-C does not want to wait; a terminal that is closed may say so twice.
        if heeds_hangup and number == signal.SIGINT:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
        if notice:
            os.write(sys.stderr.fileno(), f"{notice}\n".encode())
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
    """Have Ctrl-C end the program before its first job, when nothing can be lost; Snakemake would show tracebacks.

    To be called as soon as the Snakefile is read: its imports alone take long. In a dry run it holds to the end.
    """
    if not workflow.is_main_process:
        return

    def cancel(*_: object) -> None:
        os.write(sys.stderr.fileno(), b"cancelled before anything was moved\n")
        os._exit(INTERRUPTED)

    signal.signal(signal.SIGINT, cancel)


def profile_file(profile: str) -> Path | None:
    """The file that `--profile` means; None if there is no such profile."""
    found = get_profile_dir(profile)
    return Path(found[1]) if found else None


def take_files_from_volume(workflow: Workflow, results: str) -> None:
    """Let every file of the rules be what lies under its own name, on this machine and in the pods.

    Otherwise Snakemake, for which pods share nothing, would have the rules work on copies in its default storage, where
    the markers of a batch are not. What remains for the storage are the workflow's own files. Raises MigrationError if
    results cannot be on a volume.
    """
    if not Path(results).is_absolute():
        raise MigrationError("results has to be on the volume that the pods share: --config results=/shared/results")
    workflow.modifier.path_modifier.apply_default_storage = lambda path: path


def ask_as_kubernetes_answers(workflow: Workflow) -> None:
    """Let the executor (0.5.1), which has been started, ask the cluster so that no pod costs more than its own images.

    It asks for the log of the pod before a failed one; there is none where nothing is restarted, so Kubernetes refuses
    (kubelet's validateContainerLogStatus), and that ends the whole run. And it waits for ever for a job whose status it
    could not learn once: because the job was deleted, or because the cluster was too busy to answer.
    """
    from kubernetes.client import ApiException, V1Job, V1JobStatus

    executor = workflow.scheduler._executor
    logs, jobs = type(executor.kubeapi), type(executor.batchapi)
    read_log, read_status = logs.read_namespaced_pod_log, jobs.read_namespaced_job_status

    def status_of(self: Any, name: str, namespace: str) -> Any:
        try:
            return read_status(self, name, namespace)
        except ApiException as error:
            if error.status == 404:
                return None
            if error.status == 429 or error.status >= 500:
                return V1Job(status=V1JobStatus())
            raise

    logs.read_namespaced_pod_log = lambda self, **asked: read_log(self, **{**asked, "previous": False})
    jobs.read_namespaced_job_status = status_of
