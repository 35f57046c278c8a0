"""The migrations of a run, each with its settings: the one of folder_id, or those of the setting folders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from drive2cloudinary.errors import MigrationError, one_line
from drive2cloudinary.files import read_table
from drive2cloudinary.run.results_folders import placed
from drive2cloudinary.settings import Settings, folder_of

NEEDED = "folder_id is missing: snakemake --cores 8 --config folder_id=ID_OR_URL_OF_A_DRIVE_FOLDER"
"""The message for a run without a Drive folder."""
COLUMNS = {"folder_name", "folder_id", "link"}
SHOULD_BE = "folder_name,link or folder_name,folder_id"


def folders_of(settings: Settings) -> list[Settings]:
    """The settings of each migration of the run, in order; [] if neither folder_id nor folders is set.

    With `folders`, each entry of the file or list sets folder_id and folder_name; the rest is the same for all. Raises
    MigrationError for the first wrong line, with its number.
    """
    if not settings.folders:
        return placed([settings]) if settings.folder_id else []
    if settings.folder_id or settings.folder_name:
        key = "folder_id" if settings.folder_id else "folder_name"
        raise MigrationError(f"{key} and folders are both set: give one folder, or many")
    entries = (
        read_table(Path(settings.folders), COLUMNS, {"folder_id", "link"}, SHOULD_BE)
        if isinstance(settings.folders, str)
        else _items(settings.folders)
    )
    named = [(where, _folder(settings, where, entry)) for where, entry in entries]
    if not named:
        raise MigrationError(f"{settings.folders} names no folder")
    found = placed([each for _, each in named])
    seen: dict[Path, str] = {}
    for (where, _), each in zip(named, found, strict=True):
        first = seen.setdefault(each.results_folder, where)
        if first != where:
            raise MigrationError(f"{where}: folder {each.folder_id} with the same folder_name is that of {first}, too")
    return found


def _folder(settings: Settings, where: str, entry: Mapping[str, str]) -> Settings:
    links = [text.strip() for key in ("folder_id", "link") if (text := entry.get(key) or "").strip()]
    if len(links) != 1:
        raise MigrationError(f"{where}: {'two folders' if links else 'no folder_id and no link'}")
    try:
        folder_id, resource_key = folder_of(links[0])
    except MigrationError as error:
        raise MigrationError(f"{where}: {error}") from error
    name = (entry.get("folder_name") or "").strip()
    return replace(settings, folder_id=folder_id, resource_key=resource_key, folder_name=name, folders=())


def _items(items: tuple[Any, ...]) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The entries of a list in config.yaml: IDs, URLs, or objects with the CSV's column names as keys."""
    for number, item in enumerate(items, 1):
        where = f"folders, entry {number}"
        if not isinstance(item, Mapping):
            yield where, {"link": str(item)}
        elif unknown := set(item) - COLUMNS:
            raise MigrationError(f"{where}: unknown key {one_line(sorted(map(str, unknown))[0], 60)!r}")
        else:
            yield where, {key: str(value) for key, value in item.items() if value is not None}
