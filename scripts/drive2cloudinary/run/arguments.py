"""What was typed after `snakemake`, where Snakemake itself would not say what is wrong with it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from drive2cloudinary.errors import MigrationError, one_line


def check_settings(arguments: Sequence[str], known: Collection[str]) -> None:
    """Raise MigrationError if a setting stands outside of --config, where Snakemake takes it for a file to make.

    Also for an option that has no effect here. In: snakemake's arguments, and the names of the settings.
    """
    inside = False
    for argument in arguments:
        name, is_pair, _ = argument.partition("=")
        if name == "--max-jobs-per-timespan":
            raise MigrationError(f"{name} has no effect here: set drive_units_per_minute or uploads_at_once instead")
        if argument.startswith("-"):
            inside = argument in ("--config", "-C")
        elif is_pair and name in known and not inside:
            shown = one_line(argument, 100)
            raise MigrationError(f"{shown} is a setting: put --config before it, as in --config {shown}")
