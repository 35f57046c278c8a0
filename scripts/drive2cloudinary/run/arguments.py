"""Options of Snakemake's that mean something else here than Snakemake takes them for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from drive2cloudinary.errors import MigrationError, one_line
from drive2cloudinary.settings import Settings

if TYPE_CHECKING:
    from snakemake.workflow import Workflow


CONFIG = ("--config", "-C")


def check_settings(arguments: Sequence[str], known: Collection[str]) -> None:
    """Raise MigrationError if a setting stands outside of --config, where Snakemake takes it for a file to make.

    Also for a second --config, and for an option that has no effect here. In: snakemake's arguments, and the names of
    the settings.
    """
    if sum(argument in CONFIG or argument.startswith("--config=") for argument in arguments) > 1:
        raise MigrationError(
            "--config stands twice, and Snakemake takes only the last one: put all settings behind one"
        )
    inside = False
    for argument in arguments:
        name, is_pair, _ = argument.partition("=")
        if name == "--max-jobs-per-timespan":
            raise MigrationError(f"{name} has no effect here: set drive_units_per_minute or uploads_at_once instead")
        if argument.startswith("-"):
            inside = argument in CONFIG
        elif is_pair and name in known and not inside:
            shown = one_line(argument, 100)
            raise MigrationError(f"{shown} is a setting: put --config before it, as in --config {shown}")


def check_options(workflow: Workflow, executor: str, is_listed: bool) -> None:
    """Raise MigrationError for an option of Snakemake's that could not do what it says.

    In: the name of the executor; whether all Drive folders of the run have been listed before.
    """
    asked = workflow.dag_settings
    if asked.until & {"upload_image", "upload_batch"}:
        raise MigrationError("--until: which images there are is known only after list_images; leave it out")
    if asked.batch:
        raise MigrationError("--batch: which images there are is known only after list_images; leave it out")
    if workflow.execution_settings.no_hooks:
        raise MigrationError("--no-hooks: if images fail, a hook writes the mapping and the summary; leave it out")
    if executor == "touch" and not is_listed:
        raise MigrationError("--touch: there are no results yet; run without it first")


def within_resources(settings: Settings, workflow: Workflow) -> Settings:
    """The settings, in which `--resources uploads=N` limits uploads_at_once: that is what the resource stands for."""
    given = workflow.global_resources.get("uploads")
    limit = (given and given.value) or settings.uploads_at_once
    return replace(settings, uploads_at_once=min(limit, settings.uploads_at_once))
