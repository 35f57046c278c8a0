"""Which images the settings include and exclude leave to be moved."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase, translate
from functools import cache
from pathlib import PurePosixPath

from drive2cloudinary.cloudinary import formats
from drive2cloudinary.errors import MigrationError, one_line
from drive2cloudinary.paths import Folders, folder_path
from drive2cloudinary.results import listing
from drive2cloudinary.results.listing import Image, Listing
from drive2cloudinary.settings import Settings


def with_mime_types(settings: Settings) -> Settings:
    """The settings, in which `include` has MIME types only, in small letters: jpg and image/jpg are image/jpeg.

    Raises MigrationError for what is neither a MIME type nor the extension of a picture.
    """

    def known(pattern: str) -> str:
        usual = formats.usual_mime_type(pattern)
        if not usual and (pattern.startswith("*.") or not re.search(r"[*?[]", pattern)):
            raise MigrationError(
                f"wrong setting include: {one_line(pattern, 60)!r} is no MIME type such as image/jpeg, and no "
                "extension of a picture"
            )
        return usual or pattern.lower()

    return replace(settings, include=tuple(map(known, settings.include)))


def with_exclusions(settings: Settings, listed: Listing) -> Listing:
    """The listing, in which each image says which setting excludes it."""
    patterns = _patterns(settings, listed)
    of_folder: dict[Folders, dict[str, bool]] = {}

    def excluded(image: Image) -> str:
        if not any(_is_of_type(image.mime_type, pattern) for pattern in settings.include):
            return f"include has no {image.mime_type}"
        if image.folders not in of_folder:
            of_folder[image.folders] = {each: glob.fits_folder(image.folders) for each, glob in patterns.items()}
        fits = of_folder[image.folders]
        for pattern, glob in patterns.items():
            if fits[pattern] or pattern == image.id or glob.fits_name(image.folders, image.name):
                return f"exclude has {pattern}"
        return ""

    return replace(listed, images=[replace(each, skipped=excluded(each)) for each in listed.images])


def without_effect(settings: Settings, listed: Listing) -> dict[str, str]:
    """What the user asked for, and what fits nothing in a Drive folder → the nearest value that does, "" if none.

    In: a listing `with_exclusions` of these settings. Out: lines such as `exclude 'draft/*' fits nothing`. Without
    `recursive`, the names of the subfolders are not known, so that a pattern for them counts as one that fits.
    """
    found: dict[str, str] = {}
    ids = {image.id for image in listed.images}
    types = {image.mime_type for image in listed.images}
    for pattern in settings.include if settings.include != Settings.include else ():
        if not any(_is_of_type(each, pattern) for each in types):
            found[f"include {_shown(pattern)} fits nothing"] = _nearest(pattern, types, 0.8)
    said = {image.skipped for image in listed.images}
    unknown = {
        pattern: glob for pattern, glob in _patterns(settings, listed).items() if f"exclude has {pattern}" not in said
    }
    folders = listing.all_folders(listed) if unknown else set()
    for pattern, glob in unknown.items():
        fits = (
            pattern in ids
            or any(map(glob.fits_folder, folders))
            or any(glob.fits_name(image.folders, image.name) for image in listed.images)
            or (not settings.recursive and (glob.is_of_folder or "/" in glob.text))
        )
        if not fits:
            found[f"exclude {_shown(pattern)} fits nothing"] = _nearest(
                pattern, _near_patterns(pattern, listed, folders)
            )
    for file_id in settings.trust_checksum.keys() - ids - {"photos"}:
        found[f"trust_checksum {_shown(file_id)} fits nothing"] = ""
    return found


def _patterns(settings: Settings, listed: Listing) -> dict[str, Glob]:
    """The patterns of exclude, each with what it means in this Drive folder."""
    if not settings.exclude:
        return {}
    folders = listing.all_folders(listed)
    top = {folders[0] for folders in folders} | {image.name for image in listed.images if not image.folders}
    root = name_of_root(listed.folder, top)
    globs = {pattern: glob_of(pattern, root) for pattern in settings.exclude}
    if any("[" in glob.text for glob in globs.values()):
        names = {name for folders in folders for name in folders} | {image.name for image in listed.images}
        return {pattern: with_literal_brackets(glob, names) for pattern, glob in globs.items()}
    return globs


def _is_of_type(mime_type: str, pattern: str) -> bool:
    """In: a pattern of include, as `with_mime_types` leaves it."""
    return fnmatchcase(mime_type.lower(), pattern) or formats.usual_mime_type(mime_type) == pattern


def _near_patterns(pattern: str, listed: Listing, folders: Iterable[Folders]) -> list[str]:
    """The patterns of the same kind that fit something: of folders, or also of images."""
    end = next((end for end in ("/**", "/*", "/") if pattern.endswith(end)), "")
    found = [f"{folder_path(each)}{end}" for each in folders]
    if "/" not in pattern.removesuffix("/"):
        found += [f"{each[-1]}{end}" for each in folders]
    if not end:
        images = listed.images
        found += [image.path for image in images] if "/" in pattern else [image.name for image in images]
        found += {f"*{PurePosixPath(image.name).suffix.lower()}" for image in images}
    return found


def _nearest(pattern: str, candidates: Iterable[str], likeness: float = 0.65) -> str:
    """The candidate that is most like a pattern; "" if none is as like as this number from 0 to 1."""
    by_small_letters = {each.casefold(): each for each in candidates}
    near = difflib.get_close_matches(pattern.casefold(), by_small_letters, 1, likeness)
    return by_small_letters[near[0]] if near else ""


def _shown(text: str) -> str:
    return f"'{one_line(text, 100)}'"


@dataclass(frozen=True)
class Glob:
    """One pattern of the setting exclude, taken apart.

    text: the glob itself, in NFC. is_anchored: it begins at the Drive folder; else it fits a name anywhere on a path.
    is_of_folder: it fits folders only, and with them all that is in them.
    """

    text: str
    is_anchored: bool
    is_of_folder: bool

    def fits_folder(self, folder: Sequence[str]) -> bool:
        """Whether this excludes a Drive folder as a whole. In: the folder names to it, its own last."""
        fits = _fits(self.text)
        names = [composed(name) for name in folder]
        if not self.is_anchored and any(map(fits, names)):
            return True
        return any(fits("/".join(names[:end])) for end in range(1, len(names) + 1))

    def fits_name(self, folder: Sequence[str], name: str) -> bool:
        """Whether this excludes a file for its own name or path, not for a folder that it is in.

        In: the names of the folders that lead to it, and its own.
        """
        if self.is_of_folder:
            return False
        name = composed(name)
        path = "/".join([*map(composed, folder), name])
        tried = [path] if self.is_anchored else [path, name]
        return any(map(_fits(self.text), tried)) or any(
            map(_fits(_with_small_extension(self.text)), map(_with_small_extension, tried))
        )


def glob_of(pattern: str, root: str = "") -> Glob:
    """A pattern of the setting exclude.

    `drafts` fits each file and folder of this name, and all that is in such a folder; `drafts/` only folders. With a
    slash inside or at its beginning, a pattern begins at the Drive folder: `a/drafts`, `/drafts`, `./drafts`,
    `drafts/*`, `drafts/**`. `*` also crosses slashes; `**/` may stand for nothing. In: the name of the Drive folder,
    with which people begin a path, too; "" if something directly in it has this name.
    """
    text = re.sub("/+", "/", composed(pattern))
    is_anchored = text.startswith(("/", "./"))
    text = re.sub(r"^(\./|/)+", "", text)
    if root and text.startswith(f"{composed(root)}/") and text != f"{composed(root)}/":
        is_anchored, text = True, text.removeprefix(f"{composed(root)}/")
    of_all_inside = re.fullmatch(r"(.+?)(?:/\*\*?)+", text)
    if of_all_inside:
        return Glob(of_all_inside[1], True, True)
    bare = text.removesuffix("/")
    return Glob(bare, is_anchored or "/" in bare, text.endswith("/"))


def name_of_root(folder: str, inside: Iterable[str]) -> str:
    """The Drive folder's name, if a path may begin with it: "" if something directly in it has this name.

    In: its name; the names of the files and folders directly in it.
    """
    return "" if composed(folder) in map(composed, inside) else folder


def excludes_folder(settings: Settings, folders: Folders, root: str = "") -> bool:
    """Whether `exclude` leaves out a Drive folder with all that is in it.

    In: the names of the folders that lead to it, its own last; the name of the migrated Drive folder, "" if something
    directly in it has this name. Brackets in a pattern may be part of the name or a set of characters.
    """
    globs = [glob_of(pattern, root) for pattern in settings.exclude]
    return any(each.fits_folder(folders) or with_literal_brackets(each, folders).fits_folder(folders) for each in globs)


def with_literal_brackets(glob: Glob, names: Iterable[str]) -> Glob:
    """The glob in which brackets stand for themselves where one of these names has them; else they are a set."""
    if "[" not in glob.text:
        return glob
    known = {part for name in names for part in composed(name).split("/")}

    def part(text: str) -> str:
        literal = re.sub(r"[\[\]]", lambda found: f"[{found[0]}]", text)
        return literal if "[" in text and any(map(_fits(literal), known)) else text

    return replace(glob, text="/".join(map(part, glob.text.split("/"))))


def composed(text: str) -> str:
    """In NFC: a Mac uploads é as two characters, and other keyboards type it as one."""
    return unicodedata.normalize("NFC", text)


@cache
def _fits(glob: str) -> Callable[[str], object]:
    """A test of texts. In: a glob, in which `**/` may stand for nothing."""
    parts = [translate(part) for part in re.split(r"(?:^|(?<=/))\*\*/", glob)]
    # Without the end of the text, which has two characters, each part can be followed by the next one.
    return re.compile("(?:.*/)?".join([part[:-2] for part in parts[:-1]] + parts[-1:]), re.DOTALL).match


def _with_small_extension(name: str) -> str:
    stem, dot, extension = name.rpartition(".")
    return f"{stem}{dot}{extension.lower()}" if stem and "/" not in extension else name
