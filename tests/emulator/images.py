"""Detects images as Cloudinary does: format and size, from the first bytes."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

# Pillow's name → Cloudinary's.
NAMES = {
    "JPEG": "jpg",
    "MPO": "jpg",
    "PNG": "png",
    "GIF": "gif",
    "WEBP": "webp",
    "BMP": "bmp",
    "TIFF": "tiff",
    "AVIF": "avif",
    "ICO": "ico",
    "JPEG2000": "jp2",
    "PSD": "psd",
    "EPS": "eps",
    "TGA": "tga",
}
CONTENT_TYPES = {
    "jpg": "image/jpeg",
    "svg": "image/svg+xml",
    "tiff": "image/tiff",
    "ico": "image/x-icon",
    "pdf": "application/pdf",
}
# Extensions that a delivery URL may end with to ask for a format, and the name of that format.
EXTENSIONS = {name: name for name in (*NAMES.values(), "svg", "pdf", "heic", "heif", "jxl", "djvu", "dng", "ai")}
EXTENSIONS |= {"jpeg": "jpg", "jpe": "jpg", "tif": "tiff"}
# Pillow detects MPO through JPEG.
OPENED = tuple(name for name in NAMES if name not in ("MPO", "TGA"))
FRAGMENT = 1 << 16
MADE_UP = ("pdf", "svg", "jxl", "djvu")  # formats whose size `look` does not read


@dataclass(frozen=True, slots=True)
class Seen:
    """Format and size of an image."""

    format: str
    width: int
    height: int


def look(data: bytes, filename: str = "") -> Seen | None:
    """The format and size of an image, from its header; None if Cloudinary would refuse it."""
    # A TGA has no magic number: it would be seen in any rubbish.
    formats = ("TGA",) if filename.lower().endswith(".tga") else OPENED
    try:
        with Image.open(io.BytesIO(data), formats=formats) as image:
            return Seen(NAMES[image.format or ""], image.width, image.height)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError):
        return _unopened(data)


def pixels(data: bytes) -> tuple[int, int] | None:
    """The width and height that are stored in a picture; None if they are not known here."""
    seen = look(data)
    return (seen.width, seen.height) if seen and seen.format not in MADE_UP else None


def _unopened(data: bytes) -> Seen | None:
    """Formats that Cloudinary takes and Pillow doesn't open, by their magic; sizes that lie deep are made up."""
    head = data[:FRAGMENT].lstrip()
    if head.startswith(b"%PDF-"):
        return Seen("pdf", 612, 792)
    if b"<svg" in head and head[:1] == b"<":
        return Seen("svg", 300, 150)
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"hevc"):
        at = data.find(b"ispe")
        width, height = struct.unpack(">II", data[at + 8 : at + 16]) if 0 < at < len(data) - 16 else (1, 1)
        return Seen("heic", width, height)
    if data.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")):
        return Seen("jxl", 1, 1)
    if data.startswith(b"AT&TFORM"):
        return Seen("djvu", 1, 1)
    return None


def content_type(name: str) -> str:
    """The MIME type of a format, by Cloudinary's name of it."""
    return CONTENT_TYPES.get(name, f"image/{name}")
