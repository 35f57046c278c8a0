"""How the Snakefile gets its pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drive2cloudinary.run.compat import cancel_at_interrupt
from drive2cloudinary.run.terminal import outlive_output

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

    from drive2cloudinary.run.pipeline import Pipeline


def start(workflow: Workflow, config: dict[str, Any], checkpoints: Any) -> Pipeline:
    """The pipeline of this invocation of snakemake; a wrong setting ends the program with a line.

    In: what Snakemake calls by these names in a Snakefile. From now on Ctrl-C is answered with a line, and output that
    nobody reads does not matter.
    """
    cancel_at_interrupt(workflow)
    outlive_output()
    # Only now, because it takes long to import.
    from drive2cloudinary.run.pipeline import Pipeline

    return Pipeline(workflow, config, checkpoints)
