"""The listing: all images found in the Drive folder at one moment."""

from __future__ import annotations

import hashlib
import json
import mmap
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from drive2cloudinary.causes import Cause
from drive2cloudinary.checks import is_id, is_md5, is_public_id, is_text, is_texts, is_time, is_whole_number
from drive2cloudinary.errors import ImageError, MigrationError
from drive2cloudinary.files import NotAFile, open_file, parsed, read_json_object, replacing, write_json
from drive2cloudinary.paths import Folders, folder_path, split
from drive2cloudinary.results import layout
from drive2cloudinary.results.format import numbered, without_number


@dataclass(frozen=True, slots=True)
class Image:
    """One Drive file of the listing.

    folders: the names of the folders that it is in, below the migrated Drive folder. size (in bytes) and md5: None if
    Drive has none. modified_time: as Drive writes it (RFC 3339). replaces: for an image whose content changed, the
    asset of its old marker (its version and etag if it is our own, and the marker's file name). skipped: the setting
    that excludes it. resource_key: needed for a link-shared file. no_download: this account may view the file, but not
    download it. photos: it came from Google Photos, so Drive's md5 may be wrong. pixels: width × height, of an image
    with more than FREE_PLAN_PIXELS; None for all others. type: of its asset, private or authenticated; "" is upload.
    Like the public_id, it stays what it is once the asset exists. tags, caption and alt: its own, besides those of the
    settings. extension: what Drive takes for the name's extension; "" if there is none, or if it is that of a picture's
    format, which the name tells. closed: it was copied before, and its folder is one of Listing.closed now, so this is
    what was known then.
    """

    id: str
    name: str
    folders: Folders
    mime_type: str
    size: int | None
    md5: str | None
    modified_time: str
    public_id: str
    replaces: dict[str, Any] | None = None
    skipped: str = ""
    resource_key: str = ""
    no_download: bool = False
    photos: bool = False
    pixels: int | None = None
    type: str = ""
    tags: Sequence[str] = ()
    caption: str = ""
    alt: str = ""
    extension: str = ""
    closed: bool = False

    @property
    def fingerprint(self) -> str:
        """The MD5 in the marker's name: of the content or, if Drive has none, of the size and modified time."""
        known = f"{self.size} {self.modified_time}".encode(errors="surrogatepass")
        return self.md5 or hashlib.md5(known, usedforsecurity=False).hexdigest()

    @property
    def order(self) -> tuple[str, str, str]:
        """The key by which images are sorted wherever people see them: in the mapping, in a dry run, for `limit`."""
        return self.folder_path, self.name, self.id

    @property
    def folder_path(self) -> str:
        """The path of its folder below the migrated Drive folder, for people; "" for that itself."""
        return folder_path(self.folders)

    @property
    def path(self) -> str:
        """Its own path in Drive below the migrated Drive folder, for people."""
        return "/".join([*self.folders, self.name])

    def to_dict(self) -> dict[str, Any]:
        """The listing's entry, without empty optional fields. `folders` is one: most paths tell it by their slashes."""
        values = ((name, getattr(self, name)) for name in ("id", "name", "folder_path", *self.__slots__[2:]))
        entry = {name: value for name, value in values if value or name not in _OPTIONAL}
        if self.folders == split(self.folder_path):
            del entry["folders"]
        return entry


_OPTIONAL = {
    "replaces",
    "skipped",
    "resource_key",
    "no_download",
    "photos",
    "pixels",
    "type",
    "tags",
    "caption",
    "alt",
    "extension",
    "closed",
}


@dataclass(frozen=True)
class Listing:
    """A complete listing: the Drive folder (ID and name), the Cloudinary folder, the time (ISO, UTC).

    settings: Settings.of_listing. empty_folders: the paths of the folders without an image in them or below, but for
    those that another one is in. closed: the Drive folders that the account may not open, all of which the setting
    `exclude` leaves out. In the file, the images are sorted by ID, so that one can be found by bisection.
    """

    folder_id: str
    folder: str
    cloudinary_folder: str
    listed_at: str
    settings: dict[str, Any]
    images: Sequence[Image] = field(default_factory=list)
    empty_folders: Sequence[Folders] = ()
    closed: Sequence[Folders] = ()

    def write(self, path: Path) -> None:
        """Write the listing to a file atomically, one line for each image. Raises OSError."""
        values = ((name, getattr(self, name)) for name in _HEAD)
        head = numbered({name: value for name, value in values if value or name not in ("empty_folders", "closed")})
        with replacing(path) as stream:
            stream.write(json.dumps(head, ensure_ascii=False)[:-1] + ', "images": [')
            for number, image in enumerate(sorted(self.images, key=lambda each: each.id)):
                stream.write(("," if number else "") + "\n" + json.dumps(image.to_dict(), ensure_ascii=False))
            stream.write("\n]}\n")


def empty_folders(folders: Iterable[Folders], images: Iterable[Image]) -> tuple[Folders, ...]:
    """Those of a listing. In: the paths of all folders; the images."""
    known = {above for image in images for above in _above(image.folders)}
    found = []
    for each in sorted(folders, key=len, reverse=True):
        if each not in known:
            found.append(each)
            known.update(_above(each))
    return tuple(sorted(found))


def all_folders(listed: Listing) -> set[Folders]:
    """The paths of all folders of a listing."""
    of_images = {image.folders for image in listed.images}
    return {above for each in (*of_images, *listed.empty_folders) for above in _above(each)}


def _above(folders: Folders) -> Iterator[Folders]:
    """A folder's path, and those of the folders that it is in."""
    return (folders[:end] for end in range(1, len(folders) + 1))


def finds_the_same(one: Listing, other: Listing) -> bool:
    """Whether two listings differ in nothing but the time."""
    of_both = [[getattr(each, name) for name in _HEAD if name != "listed_at"] for each in (one, other)]
    return of_both[0] == of_both[1] and {each.id: each for each in one.images} == {
        each.id: each for each in other.images
    }


def is_by_lines(path: Path) -> bool:
    """Whether the file has a line for each image, as `Listing.write` has made it, and `Entries` needs it."""
    try:
        with open_file(path) as stream:
            return stream.readline(_LONGEST_HEAD).endswith(_HEAD_END)
    except OSError:
        return False


class NoListing(MigrationError):
    """There is no listing in the file."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is not a listing: delete it, and the next run lists anew")


def read(path: Path) -> Listing:
    """The listing in a file. Raises NoListing, NewerFormat, or OSError if it cannot be read."""
    try:
        with open_file(path) as stream:
            first, images = stream.readline(_LONGEST_HEAD), []
            if not first.endswith(_HEAD_END):
                # Another program has written it again.
                value = parsed(first + stream.read())
                return replace(_head(value, path), images=list(map(image_of, value["images"])))
            # Line by line: as one value, 100,000 images would take 100 MB more.
            while (line := stream.readline()) not in _END:
                images.append(image_of(parsed(line.rstrip(b",\n"))))
        return replace(_head(parsed(first + b"]}"), path), images=images)
    except (FileNotFoundError, NotAFile, ValueError, KeyError, TypeError) as error:
        raise NoListing(path) from error


def head(path: Path) -> Listing:
    """The listing in a file without its images. Raises NoListing, NewerFormat."""
    try:
        with open_file(path) as stream:
            first = stream.readline(_LONGEST_HEAD)
            return _head(parsed(first + (b"]}" if first.endswith(_HEAD_END) else stream.read())), path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoListing(path) from error


def public_ids(path: Path) -> Iterator[tuple[str, str]]:
    """Drive file ID and public_id of each image of the listing in a file; nothing if there is no listing.

    As `read`, but five times as fast. Raises NewerFormat.
    """
    try:
        if not is_by_lines(path):
            yield from ((image.id, image.public_id) for image in read(path).images)
            return
        head(path)
        with open_file(path) as stream:
            stream.readline(_LONGEST_HEAD)
            while (line := stream.readline()) not in _END:
                entry = parsed(line.rstrip(b",\n"))
                if is_id(entry["id"]) and is_public_id(entry["public_id"]):
                    yield entry["id"], entry["public_id"]
    except (NoListing, OSError, ValueError, KeyError, TypeError):
        return


class Entries:
    """The images of a listing by ID. Each is read from the file on demand, so that 100,000 images take no memory."""

    def __init__(self, path: Path) -> None:
        """Raises NoListing, NewerFormat."""
        self.head = head(path)
        self._path = path
        with open_file(path) as stream:
            self._text = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)

    def image(self, file_id: str) -> Image:
        """The image of this ID. Raises ImageError if it is not listed, NoListing if the listing is damaged."""
        # Search between the first line and the line that closes the list.
        low, high = self._text.find(b"\n") + 1, self._text.rfind(b"\n", 0, -1) + 1
        while low < high:
            start = self._text.rfind(b"\n", 0, (low + high) // 2) + 1
            end = self._text.find(b"\n", start) + 1
            try:
                image = image_of(parsed(self._text[start:end].rstrip(b",\n")))
            except (ValueError, TypeError) as error:
                raise NoListing(self._path) from error
            if image.id == file_id:
                return image
            low, high = (end, high) if image.id < file_id else (low, start)
        raise ImageError("this file is not in the listing: run snakemake again", Cause.CHANGED)


@dataclass(frozen=True)
class Confirmation:
    """The last time that the Drive folder was listed: the run's ID, and the time (ISO, UTC); "" if unknown."""

    run: str = ""
    at: str = ""


def confirm(results_folder: Path, run: str, at: str) -> None:
    """Record that listing.json is what a run found in the Drive folder. Raises OSError. In: "" for a dry run."""
    goes_to = destination(results_folder)
    value = {"run": run, "at": at, "listing": stamp(layout.listing(results_folder))} | (
        vars(goes_to) if goes_to else {}
    )
    write_json(layout.confirmation(results_folder), value)


def confirmed(results_folder: Path) -> Confirmation:
    """When the listing at hand was last made, or found to be right."""
    value = read_json_object(layout.confirmation(results_folder)) or {}
    is_valid = is_text(value.get("run")) and is_time(value.get("at"))
    try:
        if is_valid and value.get("listing") == stamp(layout.listing(results_folder)):
            return Confirmation(value["run"], value["at"])
    except FileNotFoundError:
        pass
    return Confirmation()


@dataclass(frozen=True)
class Destination:
    """Where the images of a results folder go: the setting folder_name, and the Cloudinary folder; "" if unknown."""

    folder_name: str
    cloudinary_folder: str


def destination(results_folder: Path) -> Destination | None:
    """Where the images of a results folder go, by its listing or, without one, by its confirmation; else None."""
    try:
        found = head(layout.listing(results_folder))
        return Destination(found.settings["folder_name"], found.cloudinary_folder)
    except NoListing:
        value = read_json_object(layout.confirmation(results_folder)) or {}
        name, folder = value.get("folder_name"), value.get("cloudinary_folder")
        return Destination(name, folder) if isinstance(name, str) and isinstance(folder, str) else None


def read_confirmed(results_folder: Path) -> Listing:
    """The listing at hand, with the time when it was last found to be right. Raises as `read`."""
    found = read(layout.listing(results_folder))
    return replace(found, listed_at=confirmed(results_folder).at or found.listed_at)


def stamp(path: Path) -> list[int]:
    """The size and the time of a listing: one that has changed has another stamp. Raises FileNotFoundError."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def image_of(entry: Any) -> Image:
    """The image of a listing's entry. Raises TypeError if a field is missing, ValueError if one is invalid."""
    if not isinstance(entry, dict):
        raise TypeError("not a JSON object")
    known = {name: entry[name] for name in entry if name in _FIELDS}
    _check(known, _FIELDS)
    if "tags" in known:
        known["tags"] = tuple(known["tags"])
    if "folder_path" not in known:
        raise TypeError("no folder_path")
    path = known.pop("folder_path")
    known["folders"] = tuple(known.get("folders", split(path)))
    if folder_path(known["folders"]) != path:
        raise ValueError("folders is not folder_path")
    if "mime_type" in known:
        # A text that many images share is kept once.
        known["mime_type"] = sys.intern(known["mime_type"])
    image = Image(**known)
    if image.replaces and image.replaces["marker"].partition(".")[0] != image.id:
        raise ValueError("replaces names the marker of another image")
    return image


def is_marker_name(value: Any) -> bool:
    """Whether this is ID.FINGERPRINT.json; such a name cannot point out of the folder of the markers."""
    if not isinstance(value, str):
        return False
    file_id, _, rest = value.partition(".")
    return is_id(file_id) and rest.endswith(".json") and is_md5(rest.removesuffix(".json"))


def _head(value: Any, path: Path) -> Listing:
    """The listing in the JSON value of this file, without its images. Raises ValueError, TypeError, NewerFormat."""
    if not isinstance(value, dict):
        raise TypeError("no JSON object")
    value = without_number(value, path)
    head = {name: value[name] for name in _HEAD if name in value}
    _check(head, _HEAD)
    head |= {name: tuple(map(tuple, head[name])) for name in ("empty_folders", "closed") if name in head}
    return Listing(**head)


def _check(values: Mapping[str, Any], checks: Mapping[str, Callable[[Any], bool]]) -> None:
    """Raise ValueError for the first invalid value."""
    for name, value in values.items():
        if not checks[name](value):
            raise ValueError(f"wrong {name}")


def _is_of_listing(value: Any) -> bool:
    """Whether this is a Settings.of_listing."""
    return (
        isinstance(value, dict)
        and {"folder_name", "recursive", "include"} <= value.keys()
        and is_text(value["folder_name"])
        and isinstance(value["recursive"], bool)
        and is_texts(value["include"])
    )


def _is_replaced(value: Any) -> bool:
    """Whether this is a valid `replaces`: the file name of the old marker, and optionally version and etag."""
    return (
        isinstance(value, dict)
        and value.keys() <= {"version", "etag", "marker"}
        and (value.get("version") is None or is_whole_number(value["version"]))
        and (value.get("etag") is None or is_text(value["etag"]))
        and is_marker_name(value.get("marker"))
    )


_FIELDS: dict[str, Callable[[Any], bool]] = {
    "id": is_id,
    "name": is_text,
    "folder_path": is_text,
    "folders": is_texts,
    "mime_type": is_text,
    "size": lambda value: value is None or is_whole_number(value),
    "md5": lambda value: value is None or is_md5(value),
    "modified_time": is_text,
    "public_id": is_public_id,
    "replaces": lambda value: value is None or _is_replaced(value),
    "skipped": is_text,
    "resource_key": is_text,
    "no_download": lambda value: isinstance(value, bool),
    "photos": lambda value: isinstance(value, bool),
    "pixels": lambda value: value is None or is_whole_number(value),
    "type": lambda value: value in ("", "private", "authenticated"),
    "tags": is_texts,
    "caption": is_text,
    "alt": is_text,
    "extension": is_text,
    "closed": lambda value: isinstance(value, bool),
}
_HEAD: dict[str, Callable[[Any], bool]] = {
    "folder_id": is_id,
    "folder": is_text,
    "cloudinary_folder": is_text,
    "listed_at": is_time,
    "settings": _is_of_listing,
    "empty_folders": lambda value: isinstance(value, list) and all(map(is_texts, value)),
    "closed": lambda value: isinstance(value, list) and all(map(is_texts, value)),
}
_HEAD_END, _END = b"[\n", (b"]}\n", b"]}")
_LONGEST_HEAD = 100_000_000
"""The most bytes of a listing's first line, which holds all fields but the images."""
