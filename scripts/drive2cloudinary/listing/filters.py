"""Which images the settings include and exclude leave to be moved."""

from __future__ import annotations

import unicodedata
from fnmatch import fnmatchcase

from drive2cloudinary.paths import Folders
from drive2cloudinary.results.listing import Image
from drive2cloudinary.settings import Settings


def excluded(settings: Settings, image: Image) -> str:
    """The setting that excludes an image, in words; "" if the image is to be moved."""
    if not any(fnmatchcase(image.mime_type, pattern) for pattern in settings.include):
        return f"include has no {image.mime_type}"
    path = _composed(image.path)
    matching = (each for each in settings.exclude if each == image.id or fnmatchcase(path, _composed(each)))
    pattern = next(matching, None)
    return f"exclude has {pattern}" if pattern else ""


def excludes_folder(settings: Settings, folders: Folders) -> bool:
    """Whether `exclude` leaves out whatever a Drive folder holds, as PATH/* does, of it or of a folder above it."""
    anything = _composed("/".join([*folders, "\0" * 8]))
    return any(fnmatchcase(anything, _composed(pattern)) for pattern in settings.exclude)


def _composed(text: str) -> str:
    """In NFC: a Mac uploads é as two characters, and other keyboards type it as one."""
    return unicodedata.normalize("NFC", text)
