"""Re-encode an image that is too large for the account."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import IO

from PIL import Image, ImageOps

from drive2cloudinary.causes import Cause
from drive2cloudinary.errors import ImageError

QUALITIES = (95, 92, 88, 84, 80, 75, 70)
"""JPEG qualities, tried in this order before the image is scaled down; below the last, artifacts become visible."""
SHRINK = 0.85
"""The factor for both sides from one try to the next."""


@dataclass(frozen=True)
class Fitted:
    """The new bytes, and a description of the re-encoding."""

    content: bytes
    what: str


def fit(stream: IO[bytes], limit: int) -> Fitted:
    """Re-encode an image as a JPEG of at most `limit` bytes: first with lower quality, then with fewer pixels.

    Orientation, the other EXIF data and the colour profile are kept. Raises ImageError for transparent and animated
    images, which would lose more than quality, and for anything that is not an image.
    """
    try:
        with Image.open(stream) as image:
            if getattr(image, "is_animated", False):
                raise ImageError(
                    f"larger than {limit:,} bytes, and left alone because it is animated", Cause.CANNOT_FIT
                )
            if image.has_transparency_data:
                raise ImageError(
                    f"larger than {limit:,} bytes, and left alone because it is transparent", Cause.CANNOT_FIT
                )
            return _smaller(image, limit)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(f"it cannot be re-encoded to fit {limit:,} bytes: {error}", Cause.NOT_AN_IMAGE) from error


def _smaller(image: Image.Image, limit: int) -> Fitted:
    kept = {"exif": image.getexif().tobytes(), "icc_profile": image.info.get("icc_profile")}
    picture = image if image.mode in ("RGB", "L", "CMYK") else image.convert("RGB")
    picture.load()
    for quality in QUALITIES:
        content = _encoded(picture, quality, kept)
        if len(content) <= limit:
            return Fitted(content, f"JPEG of quality {quality}")
    while min(picture.size) > 1:
        picture = ImageOps.scale(picture, SHRINK)
        content = _encoded(picture, QUALITIES[-1], kept)
        if len(content) <= limit:
            return Fitted(content, f"JPEG of quality {QUALITIES[-1]}, {picture.width} x {picture.height} pixels")
    raise ImageError(f"it cannot be made to fit {limit:,} bytes", Cause.CANNOT_FIT)


def _encoded(picture: Image.Image, quality: int, kept: dict[str, bytes | None]) -> bytes:
    buffer = io.BytesIO()
    picture.save(
        buffer, "JPEG", quality=quality, optimize=True, **{name: value for name, value in kept.items() if value}
    )
    return buffer.getvalue()
