"""Paths in Drive: a tuple of the folders' names, because a name may hold a slash or be empty, until they are shown."""

from __future__ import annotations

from functools import cache

Folders = tuple[str, ...]
"""The names of the folders from below the migrated Drive folder down to a file's own folder; () for that itself."""


@cache
def folder_path(folders: Folders) -> str:
    """The path as people see it. Two paths may look the same: `2023/24` is one folder, or two."""
    return "/".join(folders)


@cache
def split(path: str) -> Folders:
    """The names in a path of which nothing else is known: each slash separates two of them."""
    return tuple(path.split("/")) if path else ()
