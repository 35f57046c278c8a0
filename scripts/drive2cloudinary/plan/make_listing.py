"""Make the listing of a Drive folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drive2cloudinary.cloudinary import names, texts
from drive2cloudinary.command import warn
from drive2cloudinary.drive.file import DriveFile
from drive2cloudinary.drive.walk import FoundImage, Walked
from drive2cloudinary.errors import one_line
from drive2cloudinary.network.notices import Tell
from drive2cloudinary.paths import Folders, folder_path
from drive2cloudinary.plan import assets_file, held_names, public_ids
from drive2cloudinary.plan.assets_file import Line
from drive2cloudinary.plan.earlier import Earlier, last_listing, wanted_type
from drive2cloudinary.plan.filters import with_exclusions
from drive2cloudinary.plan.find_images import CLOSED_NAMED, find_images
from drive2cloudinary.results import layout, listing, shared
from drive2cloudinary.results.listing import Image, Listing, empty_folders
from drive2cloudinary.settings import FREE_PLAN_PIXELS, Settings
from drive2cloudinary.wording import counted


def list_images(
    settings: Settings,
    output: Path,
    run_id: str,
    tell: Tell,
    found: Callable[[int], None] = lambda images: None,
    may_write: Callable[[], bool] = lambda: True,
) -> bool:
    """Write the listing of the settings' Drive folder to `output`, and record which run made it; False if it may not.

    Raises MigrationError; then the last one is unchanged. If it is the same as the last one, it stays, so that nothing
    has to be made from it again. In: the run's ID, "" for a dry run; `tell`, called with messages about waiting;
    `found`, called now and then with the number of images so far; `may_write`, asked when all of them are found.
    """
    root, walked = find_images(settings, tell, found)
    with shared.held(settings.results_folder.parent):
        if not may_write():
            return False
        last = last_listing(settings.results_folder)
        made = make_listing(settings, root, walked, last)
        is_readable = listing.is_by_lines(layout.listing(settings.results_folder))
        if last is None or not is_readable or not listing.finds_the_same(made, last):
            made.write(output)
        listing.confirm(settings.results_folder, run_id, made.listed_at)
    return True


def make_listing(
    settings: Settings,
    root: DriveFile,
    walked: Walked,
    last: Listing | None,
    claims: Mapping[str, str] | None = None,
) -> Listing:
    """The listing of what a run found in the Drive folder `root`.

    In: the last listing, from last_listing; `claims`, file ID → the public_id of an asset that was there before this
    migration. An image that has never been uploaded gets this name, unless it is that of another image.

    The markers in the results folder are read, too, so that every image keeps its public_id, and a changed image knows
    which asset it replaces. No new image gets a public_id that an image of another migration has. Hold
    `shared.held` from this call until the listing is written.
    """
    found = sorted(walked.images, key=lambda each: each.order)
    earlier, folder_name = Earlier(settings, last), settings.cloudinary_folder(root.name)
    lines = assets_file.of_images(
        assets_file.read(settings.assets), ((each.file.id, each.path) for each in found), warn
    )
    given = _public_ids(settings.results_folder, folder_name, found, earlier, lines, claims or {})
    new = [_image(settings, each, given[each.file.id], lines.get(each.file.id)) for each in found]
    images = [replace(each, replaces=earlier.replaced_by(each), type=earlier.type_of(each.id)) for each in new]
    _warn_of_kept_types(settings, images)
    closed = earlier.in_closed_folders(walked.closed, given)
    _warn_of_closed(walked.closed, len(closed))
    images += (replace(each, closed=True) for each in closed)
    made = Listing(
        folder_id=settings.folder_id,
        folder=root.name,
        cloudinary_folder=folder_name,
        listed_at=datetime.now(UTC).isoformat(timespec="seconds"),
        settings=settings.of_listing,
        images=images,
        empty_folders=empty_folders(walked.folders, images),
        closed=tuple(walked.closed),
    )
    return with_exclusions(settings, made)


def _public_ids(
    results_folder: Path,
    folder_name: str,
    found: Sequence[FoundImage],
    earlier: Earlier,
    lines: Mapping[str, Line],
    claims: Mapping[str, str],
) -> dict[str, str]:
    """Drive file ID → public_id, of all images that were found.

    In: the Cloudinary folder; file ID → its line in the file of the setting `assets`, the public_id that it claims.
    """
    wanted = {
        each.file.id: names.public_id(folder_name, each.folders, each.file.name, each.file.extension) for each in found
    }
    held, others = earlier.names(wanted), dict[str, str]()
    if wanted.keys() - held.keys() or claims or any(line.public_id for line in lines.values()):
        others = held_names.held_by_others(results_folder)
    if claims:
        held = public_ids.with_claims(held, set(filter(earlier.may_be_stored, held)), claims, others)

    def has_to_stay(file_id: str) -> bool:
        return file_id in claims or earlier.may_be_stored(file_id)

    for line in public_ids.choose(lines, held, has_to_stay, others):
        warn(f"{line.where}: the image keeps its public_id: it may be in Cloudinary already, and its URL would break")
    return public_ids.assign(wanted.items(), held, others)


def _image(settings: Settings, found: FoundImage, public_id: str, line: Line | None) -> Image:
    file = found.file
    return Image(
        id=file.id,
        name=file.name,
        folders=found.folders,
        mime_type=file.mime_type,
        size=file.size,
        md5=file.md5,
        modified_time=file.modified_time,
        public_id=public_id,
        resource_key=file.resource_key,
        no_download=not file.can_download,
        photos=file.photos,
        pixels=_pixels_if_many(file),
        extension=_extension_if_needed(file),
        **_own_values(settings, file, line),
    )


def _extension_if_needed(file: DriveFile) -> str:
    """What Drive takes for the extension, "" if the name says it."""
    return file.extension if names.stem(file.name, file.extension) != names.stem(file.name) else ""


def _pixels_if_many(file: DriveFile) -> int | None:
    pixels = (file.width or 0) * (file.height or 0)
    return pixels if pixels > FREE_PLAN_PIXELS else None


def _own_values(settings: Settings, file: DriveFile, line: Line | None) -> dict[str, Any]:
    """The tags, caption and alt of one image. In: its line in the file of the setting `assets`, if it has one."""
    described = texts.value(file.description) if settings.caption_from_description else ""
    if line is None:
        return {"caption": described, "alt": described}
    return {"tags": line.tags, "caption": line.caption or described, "alt": line.alt or described}


def _warn_of_kept_types(settings: Settings, images: Iterable[Image]) -> None:
    if kept := [each for each in images if each.replaces and each.type != wanted_type(settings)]:
        warn(
            f"upload.type is {settings.upload.type}, but changed images keep the type of their asset, and with it "
            f"their URL: {len(kept)} of them, such as {one_line(kept[0].path, 100)}"
        )


def _warn_of_closed(closed: Sequence[Folders], kept: int) -> None:
    if closed:
        paths = ", ".join(one_line(folder_path(each), 200) for each in closed[:CLOSED_NAMED])
        more = f" and {len(closed) - CLOSED_NAMED} more" if len(closed) > CLOSED_NAMED else ""
        kept_rows = counted(kept, "image copied before keeps its row", "images copied before keep their rows")
        before = f"; {kept_rows}" if kept else ""
        warn(f"excluded, and this account may not open it: {paths}{more}{before}")
