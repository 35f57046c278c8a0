"""The executor: a job of a rule that the workflow named is some requests to the pool; all others are for `local`."""

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

from .answers import Status, outcome
from .pool import Pool


@dataclass(frozen=True)
class Task:
    """What a workflow has the pool do.

    requests: for each rule, what its jobs ask for, as a function of the job. function: "module:function" of what
    prepares the processes, and argument, its argument: see pool.py; for its answers, see answers.py. threads: how many
    requests one process has in hand. log: where the processes say what nobody foresaw. answered: told what came of each
    request that was not dropped, in a thread that must not wait.
    """

    requests: Mapping[str, Callable[[Any], Sequence[str]]]
    function: str
    argument: str
    log: Path
    threads: int
    answered: Callable[[str, Status, str], None]


_task: Task | None = None
_executor: Executor | None = None


def run_in_pool(task: Task) -> None:
    """Have this process' workflow do this; to be called before the scheduler begins."""
    global _task
    _task = task


def drop() -> None:
    """Begin no further request: those under way are finished, and the jobs of the others end without a word."""
    if _executor:
        _executor.drop()


class Executor(RealExecutor):  # type: ignore[misc]
    """See the package."""

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
        """Announce a job, unless it is one of very many: what Snakemake says of each takes a tenth of a run."""
        if not self._is_pooled(job):
            self._local.run_job_pre(job)

    def print_job_error(self, job_info: SubmittedJobInfo, msg: str | None = None, **kwargs: Any) -> None:
        """Nothing: the task has told of what it could not do."""

    def run_job(self, job: Any) -> None:
        """As RealExecutor.run_job."""
        if not self._is_pooled(job):
            self._local.run_job(job)
            return
        assert _task and self._pool
        # With --force and its like, what stands is to be made anew. Who cannot remove it cannot write it, and says so.
        with suppress(OSError):
            for output in job.output:
                Path(output).unlink(missing_ok=True)
        # The outputs appear whole or not at all, so Snakemake need not know which are incomplete.
        self.report_job_submission(SubmittedJobInfo(job), register_job=False)
        _Requests(_task, job, self).submit(self._pool)

    def ended(self, job: Any, problem: str | None) -> None:
        """All requests of a job are answered. In: the line that says why it failed; None if it did not."""
        if problem is None:
            self.report_job_success(SubmittedJobInfo(job))
            return
        if job.log and problem:
            log = Path(job.log[0])
            # The task itself has recorded what matters: the job ends also where the disk is full.
            with suppress(OSError):
                log.parent.mkdir(parents=True, exist_ok=True)
                log.write_text(f"{problem}\n", encoding="utf-8")
        self.report_job_error(SubmittedJobInfo(job))

    def stop(self) -> None:
        """Nothing else can succeed: the run ends when what is under way has ended."""
        self.drop()
        # The scheduler's lock may be held by who waits for this thread.
        threading.Thread(target=self.workflow.scheduler.exit_gracefully).start()

    def drop(self) -> None:
        if self._pool:
            self._pool.drop()

    def cancel(self) -> None:
        """As RealExecutor.cancel: at once."""
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
    """The requests of one job, until the last of them is answered."""

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

    def _answered(self, request: str, future: Future[str]) -> None:
        try:
            self._take(request, *outcome(future))
        except Exception as error:
            # A future drops the exceptions of its callbacks: the run would wait for this job for ever.
            self._executor.workflow.scheduler.executor_error_callback(error)

    def _take(self, request: str, status: Status, line: str) -> None:
        if status != "dropped":
            self._task.answered(request, status, line)
        if status == "stop":
            self._executor.stop()
        self._left -= 1
        if status != "done":
            self._problem = line or self._problem or ""
        if not self._left:
            self._executor.ended(self._job, self._problem)
