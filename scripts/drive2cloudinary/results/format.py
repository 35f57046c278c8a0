"""The number of the format that a JSON file of a results folder has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drive2cloudinary.checks import is_whole_number
from drive2cloudinary.errors import MigrationError

FORMAT = 2
"""What this version reads and writes."""


class NewerFormat(MigrationError):
    """A newer version of this tool wrote the file: nothing may be concluded from it, and nothing put in its place."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} was made by a newer version of drive2cloudinary: update it")


def numbered(value: dict[str, Any]) -> dict[str, Any]:
    """The object with the number of the present format as its first field."""
    return {"format": FORMAT, **value}


def without_number(value: dict[str, Any], path: Path) -> dict[str, Any]:
    """The object without the number. In: its file, for the message.

    Raises NewerFormat if the number is higher than FORMAT, ValueError if it is not that.
    """
    number: Any = value.get("format")
    if not is_whole_number(number) or number < FORMAT:
        raise ValueError("wrong format")
    if number > FORMAT:
        raise NewerFormat(path)
    return {name: value[name] for name in value if name != "format"}
