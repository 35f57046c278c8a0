"""How snakemake was called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from drive2cloudinary.terminal.preview import quietness

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

UPLOADS_ON_A_NODE = 8


class Invocation:
    """What the command line and the profile make of this invocation. Complete only once the Snakefile is read."""

    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow

    @property
    def is_main(self) -> bool:
        """Whether a person has called it: not a job on a cluster node, or in a process of its own."""
        return bool(self._workflow.is_main_process)

    @property
    def is_dry_run(self) -> bool:
        return bool(self._workflow.dryrun)

    @property
    def is_real(self) -> bool:
        """Whether this invocation runs jobs. A dry run does not, nor does one that only prints (--summary, --dag)."""
        return bool(self.executor) and not self.is_dry_run

    @property
    def executor(self) -> str:
        """The executor's name; "" if no jobs are run."""
        plugin = self._workflow.executor_plugin
        return plugin.name if plugin else ""

    @property
    def in_pool(self) -> bool:
        """Whether the pool transfers the images."""
        return self.executor == "pool"

    @property
    def on_cluster(self) -> bool:
        """Whether jobs run on other machines."""
        return not self._workflow.local_exec

    @property
    def cores(self) -> int:
        return self._workflow.resource_settings.cores or 1

    @property
    def upload_threads(self) -> int:
        """The cores that an upload job takes: none in the pool, which itself has as many processes as cores."""
        return 0 if self.in_pool else 1

    @property
    def uploads_in_a_batch(self) -> int:
        """How many images a batch transfers at once: eight on a cluster node; locally one, for its one core."""
        return UPLOADS_ON_A_NODE if self.on_cluster or self._workflow.remote_exec else 1

    @property
    def is_silent(self) -> bool:
        """Whether the user wants no output at all (--quiet all)."""
        return "all" in quietness(self._workflow.output_settings)

    @property
    def config_arguments(self) -> Sequence[str]:
        """The arguments of `--config`, as they were typed or stand in a profile."""
        return self._workflow.config_settings.config_args or ()

    @property
    def config_files(self) -> Sequence[Path]:
        """The files that hold the settings: that of the workflow, and those of --configfile."""
        return list(map(Path, self._workflow.configfiles))

    @property
    def is_verbose(self) -> bool:
        return bool(self._workflow.output_settings.verbose)

    def repeats(self, *rules: str) -> bool:
        """Whether one of these rules is to run although its outputs are there (-R, -F)."""
        asked = self._workflow.dag_settings
        return bool(asked.forceall or asked.forcerun.intersection(rules))
