"""Create the Snakefile's pipeline."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive2cloudinary.errors import MigrationError, line_of
from drive2cloudinary.run.compat import cancel_at_interrupt
from drive2cloudinary.terminal.output import outlive_output

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

    from drive2cloudinary.run.pipeline import Pipeline


def start(workflow: Workflow, base: str, config: dict[str, Any], checkpoints: Any) -> Pipeline:
    """The pipeline of this invocation of snakemake. A wrong setting ends the program with a one-line error.

    In: the Snakefile's folder, and Snakemake's objects with these names in a Snakefile. From now on, Ctrl-C ends the
    program without a traceback, and a closed terminal or pipe does not end it.
    """
    cancel_at_interrupt(workflow)
    outlive_output()
    # Imported only now, after Ctrl-C is handled, because it takes long.
    from drive2cloudinary.run.pipeline import Pipeline

    try:
        return Pipeline(workflow, Path(base), config, checkpoints)
    except (MigrationError, OSError) as error:
        sys.exit(line_of(error))
