"""Read a configuration file, and refuse a key that stands in it twice: YAML keeps the last one without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from drive2cloudinary.errors import MigrationError, one_line


def read(path: Path) -> dict[str, Any]:
    """The settings in a configuration file. Raises MigrationError."""
    shown = one_line(path, 200)
    try:
        text = path.read_text(encoding="utf-8")
        found = yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise MigrationError(f"{shown} cannot be read: {one_line(error, 200)}") from error
    need_unique_keys(text, shown)
    return found if isinstance(found, dict) else {}


def need_unique_keys(text: str, where: str) -> None:
    """Raise MigrationError if a key stands twice in a mapping of a YAML text. What is no YAML has no keys.

    In: the place of the text, for the message.
    """
    try:
        nodes = [yaml.compose(text, Loader=yaml.SafeLoader)]
    except yaml.YAMLError:
        return
    known = set()
    for node in nodes:
        # An alias can lead back to a node around it.
        if isinstance(node, yaml.CollectionNode) and id(node) not in known:
            known.add(id(node))
            if isinstance(node, yaml.MappingNode):
                _need_unique([key for key, _ in node.value], where)
            nodes += [part for each in node.value for part in (each if isinstance(each, tuple) else (each,))]


def _need_unique(keys: list[yaml.Node], where: str) -> None:
    seen = set()
    for key in keys:
        # 1 and "1" are one key here, because both are taken as text.
        text = str(key.value)
        if text in seen:
            line = f", line {key.start_mark.line + 1}" if key.start_mark.line else ""
            raise MigrationError(f"{where}{line}: {one_line(text, 60)} is set twice: leave one of the two out")
        seen.add(text)
