"""Which image formats Cloudinary can store, and which it can deliver as a JPG.

Facts: https://cloudinary.com/documentation/transformations_on_image_formats. Drive's MIME type or the extension of the
file name identifies the format; Cloudinary itself uses the extension for raw photos.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Literal

Fate = Literal["shown", "only stored", "not taken"]

_ONLY_STORED = {
    "arw": ["image/x-sony-arw"],
    "cr2": ["image/x-canon-cr2"],
    "cr3": ["image/x-canon-cr3"],
    "dng": ["image/x-adobe-dng"],
    "djvu": ["image/vnd.djvu", "image/x-djvu", "image/x.djvu"],
}
"""Extension → MIME types of formats that can be uploaded, but not delivered as a JPG, first the one that Drive uses."""
_SHOWN = {
    "ai": ["application/illustrator"],
    "avif": ["image/avif"],
    "bmp": ["image/bmp", "image/x-bmp", "image/x-ms-bmp"],
    "eps": ["application/postscript", "image/x-eps"],
    "gif": ["image/gif"],
    # Drive calls HEIC image/heif.
    "heic": ["image/heif", "image/heic", "image/heic-sequence"],
    "heif": ["image/heif", "image/heif-sequence"],
    "ico": ["image/x-icon", "image/vnd.microsoft.icon"],
    "jp2": ["image/jp2"],
    "jpg": ["image/jpeg", "image/jpg", "image/pjpeg"],
    "jpeg": ["image/jpeg"],
    "jpe": ["image/jpeg"],
    "jxl": ["image/jxl"],
    "pdf": ["application/pdf"],
    "png": ["image/png", "image/apng"],
    "psd": ["image/vnd.adobe.photoshop", "image/x-photoshop", "image/psd"],
    "svg": ["image/svg+xml"],
    "tga": ["image/x-tga", "image/x-targa", "image/tga"],
    "tif": ["image/tiff"],
    "tiff": ["image/tiff"],
    "webp": ["image/webp"],
}
"""Extension → MIME types of formats that can be delivered as a JPG, first the one that Drive uses."""


def fate(mime_type: str, filename: str) -> Fate:
    """Whether Cloudinary can deliver an image as a JPG, can only store it, or does not accept it.

    In: Drive's MIME type and the file name. The content is not checked: a text file named x.jpg counts as a JPEG.
    """
    kinds = {mime_type.lower(), PurePosixPath(filename.lower()).suffix.removeprefix(".")}
    # Raw photos come first, because many have the MIME type of TIFF, on which they are based.
    if kinds & _names(_ONLY_STORED):
        return "only stored"
    return "shown" if kinds & _names(_SHOWN) else "not taken"


def mime_type(extension: str) -> str:
    """The MIME type of the format that has this extension, "" if Cloudinary knows none. In: without a dot."""
    kinds = {**_ONLY_STORED, **_SHOWN}.get(extension.lower())
    return kinds[0] if kinds else ""


def usual_mime_type(kind: str) -> str:
    """The MIME type that Drive uses for a format; another MIME type in small letters, of another extension "".

    In: an extension (jpg, .jpg, *.jpg), or any MIME type.
    """
    kind = kind.lower()
    for extension, mime_types in {**_ONLY_STORED, **_SHOWN}.items():
        if kind in (extension, f".{extension}", f"*.{extension}", *mime_types):
            return mime_types[0]
    return kind if "/" in kind else ""


def _names(table: dict[str, list[str]]) -> set[str]:
    return {*table, *(mime_type for mime_types in table.values() for mime_type in mime_types)}
