"""The executor: jobs of the rules that the workflow named become requests to the pool; `local` runs all others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
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
        requests, answers = _task.requests[job.rule.name](job), list[Answer]()
        # Callbacks run in the pool's thread and in this one; count() gives each another number.
        numbers = count(1)

        def answered(request: Any, future: Future[Answer]) -> None:
            try:
                answers.append(future.result())
                self._heed(request, answers[-1])
                if next(numbers) == len(requests):
                    self._end(job, answers)
            except Exception as error:
                # A future swallows exceptions of its callbacks, and the run would wait for this job forever.
                self.workflow.scheduler.executor_error_callback(error)

        for request in requests:
            self._pool.submit(request).add_done_callback(partial(answered, request))
        if not requests:
            self._end(job, answers)

    def _heed(self, request: Any, answer: Answer) -> None:
        assert _task
        if answer.status is not Status.DROPPED:
            _task.answered(request, answer)
        if answer.status is Status.STOP:
            # End the run when the requests under way are finished.
            self.drop()
            # The scheduler's lock may be held by a thread that waits for this one.
            threading.Thread(target=self.workflow.scheduler.exit_gracefully).start()

    def _end(self, job: Any, answers: Sequence[Answer]) -> None:
        """Report a job whose requests are all answered."""
        if all(answer.status is Status.DONE for answer in answers):
            self.report_job_success(SubmittedJobInfo(job))
            return
        lines = [answer.line for answer in answers if answer.line]
        if job.log and lines:
            log = Path(job.log[0])
            # The task has recorded its failure itself, so the job can end although the disk is full.
            with suppress(OSError):
                log.parent.mkdir(parents=True, exist_ok=True)
                log.write_text(f"{lines[-1]}\n", encoding="utf-8")
        self.report_job_error(SubmittedJobInfo(job))

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
