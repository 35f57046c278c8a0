"""Which migrations of a run are left out, because another one of it has their images, too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from drive2cloudinary.errors import one_line
from drive2cloudinary.plan.migration import Migration
from drive2cloudinary.settings import Settings

if TYPE_CHECKING:
    from drive2cloudinary.drive.file import DriveFile
    from drive2cloudinary.drive.inside import Located


def leave_out(migrations: Sequence[Migration], settings: Settings) -> None:
    """Say of each migration whether another one has its images, too, and of the others what they leave to whom.

    That is so if its Drive folder lies inside the other one's, or is the same by a shortcut, and both have the same
    setting `folder_name`. What a shortcut inside a folder leads to cannot be known before that is listed: its listing
    leaves the folders of the others to them. In: the settings of the run. Raises StopRun.
    """
    # Imported here, because the Google client takes long.
    from drive2cloudinary.drive.drive_api import Drive
    from drive2cloudinary.drive.inside import located

    named = [(each.settings.folder_id, each.settings.resource_key) for each in migrations]
    places = located(Drive.of(settings), named)
    known = [(each, place) for each, place in zip(migrations, places, strict=True) if place]
    for each, place in known:
        if outer := _outermost((each, place), known):
            each.left_out = _why(each, place.folder, outer.folder)
    for each, place in known:
        others = (
            other.folder.id
            for migration, other in known
            if _is_alike(migration, each) and not migration.left_out and other.folder.id != place.folder.id
        )
        each.settings = replace(each.settings, copied_alone=tuple(sorted(others)))


def _why(migration: Migration, folder: DriveFile, outer: DriveFile) -> str:
    if folder.id == outer.id:
        return f"the Drive folder {migration.settings.folder_id} is a shortcut to {_named(outer)}, which is copied, too"
    return (
        f"the Drive folder {_named(folder)} lies inside {_named(outer)}, which has its images, too: give it a "
        "folder_name of its own to copy them twice"
    )


def _outermost(inner: tuple[Migration, Located], known: Iterable[tuple[Migration, Located]]) -> Located | None:
    """Of the folders that have all images of one, that which has all images of the others; None if there is none."""
    migration, place = inner
    outer = [each for other, each in known if _is_alike(other, migration) and _contains(other, each, migration, place)]
    return min(outer, key=lambda each: len(each.above), default=None)


def _contains(outer: Migration, its: Located, inner: Migration, place: Located) -> bool:
    if its.folder.id == place.folder.id:
        # Of two shortcuts to one folder, the first one counts.
        order = [(each.settings.folder_id != its.folder.id, each.settings.folder_id) for each in (outer, inner)]
        return order[0] < order[1]
    return its.folder.id in place.above


def _is_alike(one: Migration, other: Migration) -> bool:
    return one.settings.folder_name == other.settings.folder_name


def _named(folder: DriveFile) -> str:
    return f"'{one_line(folder.name, 60)}' ({folder.id})"
