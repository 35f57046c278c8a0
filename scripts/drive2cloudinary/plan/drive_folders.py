"""The migrations of a run, each with its settings: the one of folder_id, or those of the setting folders."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from drive2cloudinary.errors import MigrationError, one_line
from drive2cloudinary.files import read_table
from drive2cloudinary.plan.results_folders import placed
from drive2cloudinary.settings import Settings, folder_of, no_text

NEEDED = "folder_id is missing: snakemake --cores 8 --config folder_id=ID_OR_URL_OF_A_DRIVE_FOLDER"
"""The message for a run without a Drive folder."""
LINK_COLUMNS = ("folder_id", "link", "url", "folder_link", "folder_url")
NAME_COLUMNS = ("folder_name", "name", "folder")
"""The columns of a CSV file that are known without a setting, best first; capitals and spaces do not matter."""
KEYS = {"folder_name", "folder_id", "link"}
"""The keys of an entry of a list in config.yaml."""


def folders_of(settings: Settings, leave_out: Callable[[str], None]) -> list[Settings]:
    """The settings of each migration of the run, in order; [] if neither folder_id nor folders is set.

    With `folders`, each entry of the file or list sets folder_id and folder_name; the rest is the same for all. Raises
    MigrationError for the first wrong line, with its number; with `skip_wrong_lines`, `leave_out` is called instead.
    """
    if not settings.folders:
        return placed([settings]) if settings.folder_id else []
    if settings.folder_id or settings.folder_name:
        key = "folder_id" if settings.folder_id else "folder_name"
        raise MigrationError(f"{key} and folders are both set: give one folder, or many")
    entries = _lines(settings) if isinstance(settings.folders, str) else _items(settings.folders)

    def wrong(error: MigrationError) -> None:
        if not settings.skip_wrong_lines:
            raise error
        leave_out(str(error))

    named: list[tuple[str, Settings]] = []
    for entry in entries:
        try:
            named.append((entry.where, _folder(settings, entry)))
        except MigrationError as error:
            wrong(error)
    if not named:
        raise MigrationError(f"{settings.folders} names no folder")
    found: dict[Path, tuple[str, Settings]] = {}
    for (where, _), each in zip(named, placed([each for _, each in named]), strict=True):
        first, _ = found.setdefault(each.results_folder, (where, each))
        if first != where:
            same = f"folder {each.folder_id} with the same folder_name is that of {first}, too"
            wrong(MigrationError(f"{where}: {same}"))
    return [each for _, each in found.values()]


@dataclass(frozen=True)
class _Entry:
    """One line or list entry: its place for messages, what it says of the folder and of its name, and what is wrong."""

    where: str
    links: Sequence[str]
    names: Sequence[str]
    wrong: str = ""


def _folder(settings: Settings, entry: _Entry) -> Settings:
    """The settings of one Drive folder. Raises MigrationError, which names the entry's place."""
    try:
        if entry.wrong:
            raise MigrationError(entry.wrong)
        folders: dict[str, str] = {}
        for folder_id, key in map(folder_of, entry.links):
            # A bare ID beside the link has no resource key.
            folders[folder_id] = folders.get(folder_id) or key
        if len(folders) != 1:
            raise MigrationError("two folders" if folders else "no folder_id and no link")
    except MigrationError as error:
        raise MigrationError(f"{entry.where}: {error}") from error
    [(folder_id, resource_key)] = folders.items()
    name = next(iter(entry.names), "")
    return replace(settings, folder_id=folder_id, resource_key=resource_key, folder_name=name, folders=())


def _lines(settings: Settings) -> Iterator[_Entry]:
    """The lines of a CSV file. Raises MigrationError if it cannot be read, or has no column of folders."""
    path = Path(str(settings.folders))
    table = read_table(path)
    _, first = next(table, ("", []))
    header = [_plain(cell) for cell in first]
    links = _columns(header, LINK_COLUMNS, settings.folders_link_column, f"{path}, line 1")
    if not links:
        raise MigrationError(
            f"{path}, line 1: the columns must be folder_name,link or folder_name,folder_id; or set "
            "folders_link_column to the name of the column with the Drive folders"
        )
    names = _columns(header, NAME_COLUMNS, settings.folders_name_column, f"{path}, line 1")[:1]
    for where, cells in table:
        yield _Entry(
            where,
            [cell for at, cell in enumerate(cells) if cell and at in links],
            [cell for at, cell in enumerate(cells) if cell and at in names],
            "more cells than columns" if any(cells[len(header) :]) else "",
        )


def _plain(column: str) -> str:
    """A column's name for comparison: `Folder Name` is `folder_name`."""
    return "_".join(re.split(r"[\s_-]+", column.strip().lower()))


def _columns(header: Sequence[str], known: Sequence[str], chosen: str, where: str) -> list[int]:
    """The numbers of the columns with one of the `known` names, best first; or with the `chosen` name, if not "".

    In: the file's columns. Raises MigrationError if there is no column with the chosen name.
    """
    wanted = [_plain(chosen)] if chosen else known
    found = [at for name in wanted for at, column in enumerate(header) if column == name]
    if chosen and not found:
        raise MigrationError(f"{where}: there is no column {one_line(chosen, 60)!r}")
    return found


def _items(items: tuple[Any, ...]) -> Iterator[_Entry]:
    """The entries of a list in config.yaml: IDs, URLs, or objects with KEYS."""
    for number, item in enumerate(items, 1):
        entry = item if isinstance(item, Mapping) else {"folder_id": item}
        texts = {key: value.strip() for key, value in entry.items() if isinstance(value, str)}
        yield _Entry(
            f"folders, entry {number}",
            [texts[key] for key in ("folder_id", "link") if texts.get(key)],
            [texts[key] for key in ("folder_name",) if texts.get(key)],
            next(_wrong_in(entry), ""),
        )


def _wrong_in(entry: Mapping[Any, Any]) -> Iterator[str]:
    """What is wrong with the keys and values of a list's entry."""
    yield from (f"unknown key {one_line(key, 60)!r}" for key in sorted(map(str, entry.keys() - KEYS)))
    yield from (f"{key}: {no_text(value)}" for key, value in entry.items() if not isinstance(value, str | None))
