"""Re-encode an image that is too large for the account."""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from PIL import ExifTags, Image, ImageOps, TiffImagePlugin

from drive2cloudinary.causes import Cause
from drive2cloudinary.errors import ImageError
from drive2cloudinary.wording import counted

QUALITIES = (95, 92, 88, 84, 80, 75, 70)
"""JPEG qualities, tried in this order before the image is scaled down; below the last, artifacts become visible."""
SHRINK = 0.85
"""The factor for both sides from one try to the next."""

LONGEST_EXIF = 65_533
"""The bytes of one segment of a JPEG, of which EXIF data may have one (CIPA DC-008, 4.5.4)."""
EXIF_TAGS = (
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Orientation,
    ExifTags.Base.XResolution,
    ExifTags.Base.YResolution,
    ExifTags.Base.ResolutionUnit,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
)
"""The tags of a JPEG's first EXIF directory (CIPA DC-008, table 4). A TIFF's first directory has many others, too."""


@dataclass(frozen=True)
class Fitted:
    """The new bytes, and a description of the re-encoding."""

    content: bytes
    what: str


def fit(stream: IO[bytes], limit: int) -> Fitted:
    """Re-encode an image as a JPEG of at most `limit` bytes: first with lower quality, then with fewer pixels.

    Orientation, the other EXIF data and the colour profile are kept; of a TIFF's tags, those that EXIF data can have.
    Raises ImageError for transparent and animated images and for grey of an unknown range, which would lose more than
    quality, and for anything that is not an image.
    """
    try:
        with Image.open(stream) as image:
            if reason := _loses_more(image):
                raise ImageError(
                    f"larger than {counted(limit, 'byte')}, and left alone because {reason}", Cause.CANNOT_FIT
                )
            return _smaller(image, limit)
    except (ImageError, MemoryError):
        raise
    except Exception as error:
        # Which exceptions Pillow's decoders raise for damaged bytes is not documented: SyntaxError, KeyError …
        raise ImageError(
            f"it cannot be re-encoded to fit {counted(limit, 'byte')}: {error}", Cause.NOT_AN_IMAGE
        ) from error


def _loses_more(image: Image.Image) -> str:
    """Why a JPEG would lose more of this image than quality; "" if it would not."""
    if getattr(image, "is_animated", False):
        return "it is animated"
    if image.has_transparency_data:
        return "it is transparent"
    return "the range of its values is not known" if image.mode in ("I", "F") else ""


def _smaller(image: Image.Image, limit: int) -> Fitted:
    # A TIFF is turned upright as it is loaded, and its orientation forgotten.
    image.load()
    exif, lost = _exif(image)
    kept = {"exif": exif, "icc_profile": image.info.get("icc_profile")}
    picture = _of_eight_bits(image)
    for quality in QUALITIES:
        content = _encoded(picture, quality, kept)
        if len(content) <= limit:
            return Fitted(content, f"JPEG of quality {quality}{lost}")
    # A side of three pixels shrinks no further, and to shrink the other one alone would distort the picture.
    while min((smaller := ImageOps.scale(picture, SHRINK)).size) < min(picture.size):
        picture = smaller
        content = _encoded(picture, QUALITIES[-1], kept)
        if len(content) <= limit:
            size = f"{picture.width} x {picture.height} pixels"
            return Fitted(content, f"JPEG of quality {QUALITIES[-1]}, {size}{lost}")
    raise ImageError(f"it cannot be made to fit {counted(limit, 'byte')}", Cause.CANNOT_FIT)


def _exif(image: Image.Image) -> tuple[bytes, str]:
    """The EXIF data for the JPEG, and words for what is lost of them, "" if nothing."""
    orientation = None
    # Which exceptions damaged EXIF data cause is not documented, and the picture can be good.
    with suppress(Exception):
        found = image.getexif()
        orientation = found.get(ExifTags.Base.Orientation)
        data = (_of_a_photo(found) if image.format == "TIFF" else found).tobytes()
        if len(data) <= LONGEST_EXIF:
            return data, ""
    kept = Image.Exif()
    if orientation in range(1, 9):
        kept[ExifTags.Base.Orientation] = orientation
    return kept.tobytes(), ", without its EXIF data (too long or damaged)"


def _of_a_photo(tags: Image.Exif) -> Image.Exif:
    """Those of a TIFF's tags that a JPEG's EXIF data may have, too."""
    kept = Image.Exif()
    kept.update({tag: tags[tag] for tag in EXIF_TAGS if tag in tags})
    for tag in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        # The value of Interop is a position in the TIFF.
        kept.get_ifd(tag).update(
            {name: value for name, value in tags.get_ifd(tag).items() if name != ExifTags.IFD.Interop}
        )
    return kept


def _of_eight_bits(image: Image.Image) -> Image.Image:
    """The image in a mode that a JPEG can have."""
    if image.mode in ("RGB", "L", "CMYK"):
        return image
    if not image.mode.startswith("I;16"):
        return image.convert("RGB")
    # Pillow's convert would make every value above 255 white. It also passes the values of a TIFF on as they are, of 12
    # bits and with white as zero, too (TiffImagePlugin.OPEN_INFO).
    tags = getattr(image, "tag_v2", {})
    highest = 2 ** tags.get(TiffImagePlugin.BITSPERSAMPLE, (16,))[0] - 1
    wide = image if image.mode == "I;16" else image.convert("I")
    grey = wide.point(lambda value: value * (255 / highest) + 0.5).convert("L")
    return ImageOps.invert(grey) if tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0 else grey


def _encoded(picture: Image.Image, quality: int, kept: dict[str, bytes | None]) -> bytes:
    buffer = io.BytesIO()
    picture.save(
        buffer, "JPEG", quality=quality, optimize=True, **{name: value for name, value in kept.items() if value}
    )
    return buffer.getvalue()
