"""The executor: jobs of the rules that the workflow named become requests to the pool; `local` runs all others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.real import RealExecutor
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry
from snakemake_interface_executor_plugins.settings import ExecMode

from .answers import Answer, Status
from .pool import Pool


@dataclass(frozen=True)
class Task:
    """The work that a workflow gives to the pool.

    requests: rule name → function that returns the requests of a job, values that JSON can hold. function:
    "module:function" that prepares the processes, and argument, its argument (see pool.py). threads: how many requests
    one process works on at once. log: the file for unexpected errors of the processes. answered: called with each
    request that was not dropped, and its answer, in a thread that must not block.
    """

    requests: Mapping[str, Callable[[Any], Sequence[Any]]]
    function: str
    argument: str
    log: Path
    threads: int
    answered: Callable[[Any, Answer], None]


_task: Task | None = None
_executor: Executor | None = None


def run_in_pool(task: Task) -> None:
    """Register the task of this process' workflow. Call it before the scheduler starts."""
    global _task
    _task = task


def drop() -> int:
    """Start no further requests; the jobs of these end without a message. Out: how many are under way and go on."""
    return _executor.drop() if _executor else 0


class Executor(RealExecutor):  # type: ignore[misc]
    """The executor that Snakemake instantiates; see the package's docstring."""

    def __post_init__(self) -> None:
        global _executor
        _executor = self
        self._local = ExecutorPluginRegistry().get_plugin("local").executor(self.workflow, self.logger)
        self._pool: Pool | None = None
        if _task:
            self._pool = Pool(
                task=_task.function,
                argument=_task.argument,
                processes=self.cores or 1,
                threads=_task.threads,
                log=_task.log,
                patience=self.workflow.executor_settings.patience,
            )

    def run_job_pre(self, job: Any) -> None:
        """Announce a job, but not the pool's: there are very many, and Snakemake's messages take a tenth of the run."""
        if not self._is_pooled(job):
            self._local.run_job_pre(job)

    def print_job_error(self, job_info: SubmittedJobInfo, msg: str | None = None, **kwargs: Any) -> None:
        """Print nothing: the task has already reported the error."""

    def run_job(self, job: Any) -> None:
        """As RealExecutor.run_job."""
        if not self._is_pooled(job):
            self._local.run_job(job)
            return
        assert _task and self._pool
        # The outputs are written atomically, so Snakemake need not record which ones are incomplete.
        self.report_job_submission(SubmittedJobInfo(job), register_job=False)
        _Requests(_task, job, self).submit(self._pool)

    def ended(self, job: Any, problem: str | None) -> None:
        """Report a job whose requests are all answered. In: why it failed, in one line; None if it succeeded."""
        if problem is None:
            self.report_job_success(SubmittedJobInfo(job))
            return
        if job.log and problem:
            log = Path(job.log[0])
            # The task has recorded its failure itself, so the job can end although the disk is full.
            with suppress(OSError):
                log.parent.mkdir(parents=True, exist_ok=True)
                log.write_text(f"{problem}\n", encoding="utf-8")
        self.report_job_error(SubmittedJobInfo(job))

    def stop(self) -> None:
        """End the run when the requests under way are finished, because no other request can succeed."""
        self.drop()
        # The scheduler's lock may be held by a thread that waits for this one.
        threading.Thread(target=self.workflow.scheduler.exit_gracefully).start()

    def drop(self) -> int:
        return self._pool.drop() if self._pool else 0

    def cancel(self) -> None:
        """As RealExecutor.cancel: kills the processes at once."""
        if self._pool:
            self._pool.kill()
        self._local.cancel()

    def shutdown(self) -> None:
        """As RealExecutor.shutdown."""
        if self._pool:
            self._pool.close()
        self._local.shutdown()

    def handle_job_success(self, job: Any) -> None:
        """As RealExecutor.handle_job_success."""
        if not self._is_pooled(job):
            self._local.handle_job_success(job)

    def handle_job_error(self, job: Any) -> None:
        """As RealExecutor.handle_job_error."""
        if not self._is_pooled(job):
            self._local.handle_job_error(job)

    @property
    def cores(self) -> int | None:
        cores: int | None = self.workflow.resource_settings.cores
        return cores

    def get_exec_mode(self) -> ExecMode:
        return self._local.get_exec_mode()

    def get_python_executable(self) -> str:
        return str(self._local.get_python_executable())

    def _is_pooled(self, job: Any) -> bool:
        return self._pool is not None and _task is not None and not job.is_group() and job.rule.name in _task.requests


class _Requests:
    """The requests of one job; ends the job when the last of them is answered."""

    def __init__(self, task: Task, job: Any, executor: Executor) -> None:
        self._task, self._job, self._executor = task, job, executor
        self._requests = list(task.requests[job.rule.name](job))
        self._left = len(self._requests)
        self._problem: str | None = None

    def submit(self, pool: Pool) -> None:
        for request in self._requests:
            pool.submit(request).add_done_callback(partial(self._answered, request))
        if not self._requests:
            self._executor.ended(self._job, None)

    def _answered(self, request: Any, future: Future[Answer]) -> None:
        try:
            self._take(request, future.result())
        except Exception as error:
            # A future swallows exceptions of its callbacks, and the run would wait for this job forever.
            self._executor.workflow.scheduler.executor_error_callback(error)

    def _take(self, request: Any, answer: Answer) -> None:
        if answer.status is not Status.DROPPED:
            self._task.answered(request, answer)
        if answer.status is Status.STOP:
            self._executor.stop()
        self._left -= 1
        if answer.status is not Status.DONE:
            self._problem = answer.line or self._problem or ""
        if not self._left:
            self._executor.ended(self._job, self._problem)
