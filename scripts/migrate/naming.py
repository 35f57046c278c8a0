"""From what was found in Drive to the listing: who gets which public_id, what is left out, what replaces what."""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import listing, marker, names
from .drive_file import DriveFile
from .drive_walk import FoundImage
from .errors import MigrationError
from .files import open_lock
from .filters import skipped
from .listing import Image, Listing
from .settings import Settings


def make_listing(settings: Settings, root: DriveFile, found: Iterable[FoundImage], run: str) -> Listing:
    """The listing of what was found in the folder `root` by a run.

    Looks at the last listing and at the markers in the results folder, so that every image keeps its public_id, and
    one whose content has changed knows which asset it replaces; and at the listings beside it, so that no image of
    another Drive folder has the same. To be called within `alone`, until the listing is written.
    """
    folder = settings.folder
    ordered = sorted(found, key=lambda each: (each.folder_path, each.file.name, each.file.id))
    last = _last_images(folder)
    markers = marker.by_file(folder)
    folder_name = settings.cloudinary_folder(root.name)
    own = {each.file.id for each in ordered}
    given = names.assign(
        ((each.file.id, names.public_id(folder_name, each.folder_path, each.file.name)) for each in ordered),
        {**_held_beside(folder, own, folder_name), **_held(folder, own, last, markers)},
    )
    images = []
    for each in ordered:
        file = each.file
        image = Image(
            id=file.id,
            name=file.name,
            folder_path=each.folder_path,
            mime_type=file.mime_type,
            size=file.size,
            md5=file.md5,
            modified_time=file.modified_time,
            public_id=given[file.id],
            resource_key=file.resource_key,
            no_download=not file.can_download,
            photos=file.photos,
        )
        replaces = _replaces(folder, image, markers.get(file.id, []), last.get(file.id))
        left_out = skipped(settings, image)
        images.append(replace(image, replaces=replaces, skipped=left_out) if replaces or left_out else image)
    listed_at = datetime.now(UTC).isoformat(timespec="seconds")
    return Listing(settings.folder_id, root.name, folder_name, listed_at, run, images)


@contextmanager
def alone(results: Path) -> Iterator[None]:
    """While this lasts, no other process names images below these results: two could choose the same name."""
    results.mkdir(parents=True, exist_ok=True)
    with open_lock(results / ".naming.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _held_beside(folder: Path, own: set[str], folder_name: str) -> dict[str, str]:
    """File ID → public_id, of the images of other Drive folders that go to the same place in Cloudinary.

    The same is what the service may take for it.
    """
    target = names.asset_key(names.asset_folder(folder_name, ""))
    held: dict[str, str] = {}
    for path in folder.parent.glob("*/listing.json"):
        if path.parent == folder:
            continue
        try:
            other = names.asset_key(names.asset_folder(listing.head(path).cloudinary_folder, ""))
            if f"{target}/".startswith(f"{other}/") or f"{other}/".startswith(f"{target}/"):
                held |= {image.id: image.public_id for image in listing.read(path).images if image.id not in own}
        except MigrationError:
            # Nothing was ever uploaded from what is no listing.
            continue
    return held


def _last_images(folder: Path) -> dict[str, Image]:
    try:
        return {image.id: image for image in listing.read(folder / "listing.json").images}
    except MigrationError:
        return {}


def _held(folder: Path, present: set[str], last: dict[str, Image], markers: dict[str, list[str]]) -> dict[str, str]:
    """File ID → the public_id it holds: by the last listing, or by a marker, whose asset stays in Cloudinary."""
    held = {file_id: image.public_id for file_id, image in last.items() if file_id in present}
    for file_id in markers.keys() - held.keys():
        for name in markers[file_id]:
            if each := marker.read(marker.named(folder, name)):
                held[file_id] = each.drive["public_id"]
    return held


def _replaces(folder: Path, image: Image, markers: list[str], last: Image | None) -> dict[str, Any] | None:
    """What is known of the asset that an older content of this image has in Cloudinary.

    Once its job has begun, only the last listing knows: the job removes the old marker before it uploads.
    """
    if marker.name_of(image.id, image.fingerprint) in markers:
        return None
    known = [(each, name) for name in markers if (each := marker.read(marker.named(folder, name)))]
    if not known:
        return last.replaces if last else None
    # The version is a time by Cloudinary's clock; ours may have been wrong.
    newest, name = max(known, key=lambda each: (each[0].cloudinary.get("version") or 0, each[0].uploaded_at))
    # What was there before this migration is not its own, though its bytes were the same.
    own = ("version", "etag") if newest.status == "uploaded" else ()
    return {key: newest.cloudinary.get(key) for key in own} | {"marker": name}
