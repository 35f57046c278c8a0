"""Make the listing of a Drive folder."""

from __future__ import annotations

import glob
import json
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drive2cloudinary.cloudinary import formats, names, texts
from drive2cloudinary.command import warn
from drive2cloudinary.drive.children import cannot_list
from drive2cloudinary.drive.drive_api import Drive
from drive2cloudinary.drive.file import FOLDER, SHORTCUT, DriveFile
from drive2cloudinary.drive.token_file import token_warnings
from drive2cloudinary.drive.walk import FoundImage, Walked, images_below
from drive2cloudinary.errors import ImageError, MigrationError, StopRun, TransientError, one_line
from drive2cloudinary.network.notices import Tell
from drive2cloudinary.paths import Folders, folder_path
from drive2cloudinary.plan import assets_file, held_names, public_ids
from drive2cloudinary.plan.filters import excludes_folder, name_of_root, with_exclusions
from drive2cloudinary.results import failure, layout, listing, marker, shared
from drive2cloudinary.results.listing import Image, Listing, NoListing, empty_folders, image_of
from drive2cloudinary.results.marker import Marker
from drive2cloudinary.settings import FREE_PLAN_PIXELS, Settings
from drive2cloudinary.wording import counted

CLOSED_NAMED = 5
"""The most closed folders that a line names."""


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


def find_images(
    settings: Settings, tell: Tell, found: Callable[[int], None] = lambda images: None
) -> tuple[DriveFile, Walked]:
    """The Drive folder of the settings, and what is in it. In: as for `list_images`.

    Raises MigrationError, also if the account may not open a folder in it that `exclude` does not leave out.
    """
    for warning in token_warnings(Path(settings.token)):
        warn(warning)
    drive = Drive.of(settings, tell)
    root = root_folder(drive, settings)
    walked = images_below(drive, root, settings, formats.mime_type, warn, found)
    top = {each.file.name for each in walked.images if not each.folders} | {folders[0] for folders in walked.folders}
    name = name_of_root(root.name, top)
    if closed := [each for each in walked.closed if not excludes_folder(settings, each, name)]:
        raise _cannot_open(drive, settings, closed)
    return root, walked


def _cannot_open(drive: Drive, settings: Settings, closed: Sequence[Folders]) -> MigrationError:
    """The error that ends the listing of a Drive folder in which the account may not open some folders."""
    named = closed[:CLOSED_NAMED]
    paths = ", ".join(one_line(folder_path(each), 200) for each in named)
    patterns = [*settings.exclude, *(f"{glob.escape(folder_path(each))}/*" for each in named)]
    # A comma separates patterns, unless they are a list.
    typed = json.dumps(patterns, ensure_ascii=False) if "," in "".join(patterns) else ",".join(patterns)
    exclude = f"exclude={shlex.quote(one_line(typed, 1000))}"
    if len(closed) == 1:
        what = f"{paths}: {_account(drive)} may not open this folder: share it with this account, or leave it out by"
    else:
        more = f" and {len(closed) - len(named)} more" if len(closed) > len(named) else ""
        what = f"{paths}{more}: {_account(drive)} may not open these folders: share them with this account, or leave"
        what += f" them out{', each like this:' if more else ' by'}"
    return MigrationError(f"cannot list {what} {exclude}")


def _account(drive: Drive) -> str:
    """The signed-in account for a message: its name is no reason for another error."""
    try:
        return drive.account() or "this account"
    except MigrationError:
        return "this account"


def root_folder(drive: Drive, settings: Settings) -> DriveFile:
    """The Drive folder to migrate; a shortcut is followed.

    Raises StopRun if it is not a folder, or cannot be read or opened.
    """
    try:
        root = drive.file(settings.folder_id, settings.resource_key)
        if root.target and root.target[1] == FOLDER:
            root = drive.file(root.target[0], root.target[2])
    except TransientError as error:
        raise cannot_list(f"the folder {settings.folder_id}", error) from error
    except ImageError as error:
        raise StopRun(
            f"the Drive folder {settings.folder_id} does not exist, or is not shared with the account of "
            f"{settings.token}: check folder_id, or share the folder ({error})"
        ) from error
    if root.mime_type != FOLDER:
        kind = "a shortcut" if root.mime_type == SHORTCUT else f"a file ({root.mime_type})"
        raise StopRun(f"folder_id {settings.folder_id} is {kind}, not a folder")
    if root.is_closed:
        raise StopRun(
            f"{_account(drive)} may not open the Drive folder {one_line(root.name, 200)} ({settings.folder_id}): share "
            "it with this account, or check folder_id"
        )
    return root


def make_listing(
    settings: Settings,
    root: DriveFile,
    walked: Walked,
    last_listed: Listing | None,
    claims: Mapping[str, str] | None = None,
) -> Listing:
    """The listing of what a run found in the Drive folder `root`.

    In: the last listing, from last_listing; `claims`, file ID → the public_id of an asset that was there before this
    migration. An image that has never been uploaded gets this name, unless it is that of another image.

    The markers in the results folder are read, too, so that every image keeps its public_id, and a changed image knows
    which asset it replaces. No new image gets a public_id that an image of another migration has. Hold
    `shared.held` from this call until the listing is written.
    """
    results_folder = settings.results_folder
    ordered = sorted(walked.images, key=lambda each: each.order)
    markers = marker.by_file(results_folder)
    last = _images_of(last_listed, settings, bool(markers))
    lines = assets_file.of_images(
        assets_file.read(settings.assets), ((each.file.id, each.path) for each in ordered), warn
    )
    folder_name = settings.cloudinary_folder(root.name)
    given = public_ids.assign(
        ((each.file.id, _wanted_name(folder_name, each)) for each in ordered),
        *_held_names(results_folder, ordered, last, markers, lines, claims or {}),
    )
    images = []
    for each in ordered:
        file_id = each.file.id
        image = _image(settings, each, given[file_id], lines.get(file_id))
        known = markers.get(file_id, []), last.get(file_id)
        replaces = _replaces(results_folder, image, *known)
        kind = _type(results_folder, settings, *known)
        images.append(replace(image, replaces=replaces, type=kind))
    _warn_of_kept_types(settings, images)
    kept = _in_closed_folders(results_folder, walked, last, markers)
    images += (replace(each, closed=True) for each in kept)
    _warn_of_closed(walked.closed, len(kept))
    listed_at = datetime.now(UTC).isoformat(timespec="seconds")
    made = Listing(
        folder_id=settings.folder_id,
        folder=root.name,
        cloudinary_folder=folder_name,
        listed_at=listed_at,
        settings=settings.of_listing,
        images=images,
        empty_folders=empty_folders(walked.folders, images),
        closed=tuple(walked.closed),
    )
    return with_exclusions(settings, made)


def _in_closed_folders(
    results_folder: Path, walked: Walked, last: Mapping[str, Image], markers: Mapping[str, list[str]]
) -> list[Image]:
    """The images that were copied from folders which the account may not open any more, as they were last known.

    They were not found, but nothing says that they are gone. The last listing knows best where an image was; without
    one, its marker does.
    """
    if not walked.closed:
        return []
    found = []
    for file_id in sorted(markers.keys() - {each.file.id for each in walked.images}):
        image = last.get(file_id)
        if not image and (newest := _newest(results_folder, markers[file_id])):
            image = image_of(newest[0].drive)
        if image and any(image.folders[: len(each)] == each for each in walked.closed):
            found.append(image)
    return found


def _warn_of_closed(closed: Sequence[Folders], kept: int) -> None:
    if closed:
        paths = ", ".join(one_line(folder_path(each), 200) for each in closed[:CLOSED_NAMED])
        more = f" and {len(closed) - CLOSED_NAMED} more" if len(closed) > CLOSED_NAMED else ""
        kept_rows = counted(kept, "image copied before keeps its row", "images copied before keep their rows")
        before = f"; {kept_rows}" if kept else ""
        warn(f"excluded, and this account may not open it: {paths}{more}{before}")


def _held_names(
    results_folder: Path,
    found: Sequence[FoundImage],
    last: Mapping[str, Image],
    markers: Mapping[str, list[str]],
    lines: Mapping[str, assets_file.Line],
    claims: Mapping[str, str],
) -> tuple[dict[str, str], dict[str, str]]:
    """The public_ids that are given already, `held` and `others` as for public_ids.assign.

    In: the images of the last listing by ID; file ID → its markers, its line in the file of the setting `assets`, the
    public_id that it claims.
    """
    held = held_names.held(results_folder, {each.file.id for each in found}, last, markers)
    are_all_old = all(each.file.id in held for each in found)
    if are_all_old and not claims and not any(line.public_id for line in lines.values()):
        return held, {}
    others = held_names.held_by_others(results_folder)

    def may_be_stored(file_id: str) -> bool:
        replaces = file_id in last and last[file_id].replaces
        return bool(markers.get(file_id) or replaces) or failure.may_be_stored(results_folder, file_id)

    if claims:
        uploaded = {each for each in held if may_be_stored(each)}
        held = public_ids.with_claims(held, uploaded, claims, others)

    def has_to_stay(file_id: str) -> bool:
        return file_id in claims or may_be_stored(file_id)

    for line in public_ids.choose(lines, held, has_to_stay, others):
        warn(f"{line.where}: the image keeps its public_id: it may be in Cloudinary already, and its URL would break")
    return held, others


def _image(settings: Settings, found: FoundImage, public_id: str, line: assets_file.Line | None) -> Image:
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


def _warn_of_kept_types(settings: Settings, images: Iterable[Image]) -> None:
    if kept := [each for each in images if each.replaces and each.type != _wanted_type(settings)]:
        warn(
            f"upload.type is {settings.upload.type}, but changed images keep the type of their asset, and with it "
            f"their URL: {len(kept)} of them, such as {one_line(kept[0].path, 100)}"
        )


def _wanted_name(folder_name: str, found: FoundImage) -> str:
    return names.public_id(folder_name, found.folders, found.file.name, found.file.extension)


def _extension_if_needed(file: DriveFile) -> str:
    """What Drive takes for the extension, "" if the name says it."""
    return file.extension if names.stem(file.name, file.extension) != names.stem(file.name) else ""


def _pixels_if_many(file: DriveFile) -> int | None:
    pixels = (file.width or 0) * (file.height or 0)
    return pixels if pixels > FREE_PLAN_PIXELS else None


def _own_values(settings: Settings, file: DriveFile, line: assets_file.Line | None) -> dict[str, Any]:
    """The tags, caption and alt of one image. In: its line in the file of the setting `assets`, if it has one."""
    described = texts.value(file.description) if settings.caption_from_description else ""
    if line is None:
        return {"caption": described, "alt": described}
    return {"tags": line.tags, "caption": line.caption or described, "alt": line.alt or described}


def _wanted_type(settings: Settings) -> str:
    return "" if settings.upload.type == "upload" else settings.upload.type


def _type(results_folder: Path, settings: Settings, markers: list[str], last: Image | None) -> str:
    """The `type` of an image's asset: that of the settings, unless the asset exists already."""
    if last and (markers or last.replaces):
        return last.type
    known = (each for name in markers if (each := marker.read(marker.named(results_folder, name))))
    return next((str(each.drive.get("type", "")) for each in known), _wanted_type(settings))


def last_listing(results_folder: Path) -> Listing | None:
    """The listing at hand; None if there is none. Raises NewerFormat."""
    try:
        return listing.read(layout.listing(results_folder))
    except NoListing:
        return None


def _images_of(last: Listing | None, settings: Settings, has_markers: bool) -> dict[str, Image]:
    """The images of the last listing by ID; {} if it was made for another Cloudinary folder and nothing was moved."""
    if last is None or (not has_markers and last.settings["folder_name"] != settings.folder_name):
        return {}
    return {image.id: image for image in last.images}


def _replaces(results_folder: Path, image: Image, markers: list[str], last: Image | None) -> dict[str, Any] | None:
    """What is known about the asset in Cloudinary that holds an older content of this image; None if nothing.

    The upload job removes the old marker before it uploads. After that, only the last listing knows the asset.
    """
    if marker.name_of(image.id, image.fingerprint) in markers:
        return None
    known = _newest(results_folder, markers)
    if not known:
        return last.replaces if last else None
    newest, name = known
    # An asset with status `existing` was there before this migration, so it is not our own.
    own = ("version", "etag") if newest.status == "uploaded" else ()
    return {key: newest.cloudinary.get(key) for key in own} | {"marker": name}


def _newest(results_folder: Path, names: Iterable[str]) -> tuple[Marker, str] | None:
    """The newest valid marker of an image, and its file name; None if none is valid. In: the names of its markers."""
    known = [(each, name) for name in names if (each := marker.read(marker.named(results_folder, name)))]
    # The version is a time by Cloudinary's clock, which is more reliable than ours.
    return max(known, key=lambda each: (each[0].cloudinary.get("version") or 0, each[0].uploaded_at), default=None)
