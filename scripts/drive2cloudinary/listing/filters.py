"""Which images the settings include and exclude leave to be moved."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase, translate
from functools import cache

from drive2cloudinary.paths import Folders
from drive2cloudinary.results.listing import Image
from drive2cloudinary.settings import Settings


def excluded(settings: Settings, image: Image) -> str:
    """The setting that excludes an image, in words; "" if the image is to be moved."""
    if not any(fnmatchcase(image.mime_type, pattern) for pattern in settings.include):
        return f"include has no {image.mime_type}"
    path = composed(image.path)
    matching = (each for each in settings.exclude if each == image.id or fnmatchcase(path, composed(each)))
    pattern = next(matching, None)
    return f"exclude has {pattern}" if pattern else ""


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

    def fits_file(self, folder: Sequence[str], name: str) -> bool:
        """Whether this excludes a file. In: the names of the folders that lead to it, and its own."""
        if self.fits_folder(folder):
            return True
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
