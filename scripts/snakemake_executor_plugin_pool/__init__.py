"""A Snakemake executor that runs the jobs of some rules in long-lived processes, and all others as `local` does.

A job that starts a new process spends most of its time on starting, importing and signing in. Here the workflow names
rules whose jobs become requests to a pool of processes that have done that once:

    run_in_pool(
        Task(
            requests={"upload_image": lambda job: [job.output[0]]},
            function="package.module:function",
            argument=argument,
            log=Path("pool.log"),
            threads=2,
            answered=answered,
        )
    )

Snakemake imports this package each time it starts, so the import must be fast.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from snakemake_interface_executor_plugins.settings import CommonSettings, ExecutorSettingsBase

from .answers import Answer, Status
from .executor import Executor, Task, drop, run_in_pool

__all__ = ["Answer", "Executor", "ExecutorSettings", "Status", "Task", "common_settings", "drop", "run_in_pool"]

common_settings = CommonSettings(
    non_local_exec=False,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    pass_envvar_declarations_to_cmd=True,
    auto_deploy_default_storage_provider=False,
)


@dataclass
class ExecutorSettings(ExecutorSettingsBase):  # type: ignore[misc]
    """The executor's options, for the command line and profiles: --pool-patience."""

    patience: int = field(
        default=3600,
        metadata={"help": "Seconds after which a process that has not answered a request is killed.", "type": int},
    )
