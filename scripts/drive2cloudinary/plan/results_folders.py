"""Which results folder each migration has: one Drive folder can go into several folders of Cloudinary."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace

from drive2cloudinary.cloudinary import names
from drive2cloudinary.results import layout, listing, marker
from drive2cloudinary.results.listing import Destination
from drive2cloudinary.settings import Settings


def placed(migrations: Sequence[Settings]) -> list[Settings]:
    """The settings of each migration with its results folder, in the same order.

    The first migration of a Drive folder has results/ID. Another `folder_name` is another migration, in
    results/ID@NAME. Without `folder_name`, the one in results/ID goes on, with the `folder_name` that it had. Raises
    NewerFormat.
    """
    found: dict[int, Settings] = {}
    taken: dict[str, str] = {}
    # If none has begun, the one without a folder_name is the first.
    for number, each in sorted(enumerate(migrations), key=lambda item: bool(item[1].folder_name)):
        found[number] = placed = _placed(each, taken.get(each.folder_id))
        if not placed.results_name:
            taken[each.folder_id] = each.folder_name
    return [found[number] for number in range(len(migrations))]


def _placed(settings: Settings, taken_by: str | None) -> Settings:
    """In: the folder_name of the migration of this run that has results/ID; None if none has it yet."""
    name, first = settings.folder_name, _first(settings)
    if first and not name:
        return replace(settings, folder_name=first.folder_name)
    if taken_by == name:
        return settings
    if first and _key(first.cloudinary_folder) == _key(name):
        return settings
    another = replace(settings, results_name=f"{settings.folder_id}@{_as_name(name)}") if name else settings
    is_other = first or taken_by is not None or layout.listing(another.results_folder).exists()
    return another if is_other else settings


def _first(settings: Settings) -> Destination | None:
    """Where the images of the migration in results/ID go; None if it has moved nothing yet."""
    folder = settings.results_folder
    return listing.destination(folder) if marker.has_any(folder) else None


def _key(folder_name: str) -> str:
    """The same for two names of the same Cloudinary folder. In: a name, not "".

    A part of the path that has no letter or digit counts as it is: the asset_keys of 🎄 and 🎁 are the same.
    """
    folder = names.asset_folder(folder_name, ())
    parts = zip(names.asset_key(folder).split("/"), folder.split("/"), strict=True)
    return "/".join(key or part for key, part in parts)


def _as_name(folder_name: str) -> str:
    """A file name for a Cloudinary folder, readable, and another for each folder."""
    key = _key(folder_name)
    readable = re.sub("[^A-Za-z0-9_-]+", "_", key)[:60]
    return readable if readable == key else f"{readable}_{hashlib.sha256(key.encode()).hexdigest()[:8]}"
