"""The order in which people look for a name: photo 2 comes before photo 12."""

from __future__ import annotations

import re

from drive2cloudinary.paths import Folders


def natural(text: str) -> str:
    """A key that sorts texts without regard to case, and the numbers in them by their value."""
    return re.sub(r"[0-9]+", lambda digits: digits[0].zfill(20), text.casefold())


def natural_path(folders: Folders) -> list[str]:
    """A key that sorts folder paths naturally, with the subfolders of a folder right after it."""
    return [natural(name) for name in folders]
