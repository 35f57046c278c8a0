"""Transformations in delivery URLs: those that are needed here, which Pillow carries out; others are refused."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

from .images import EXTENSIONS

COMPONENT = re.compile(r"[a-z]{1,3}_[^,/]+(,[a-z]{1,3}_[^,/]+)*")
SAVED_AS = {"jpg": "JPEG", "jp2": "JPEG2000"}


class TransformError(ValueError):
    """A transformation that is unknown, or makes no sense."""


@dataclass(frozen=True, slots=True)
class Step:
    """One component: a size that is to be filled (c_fill), and a format."""

    size: tuple[int, int] | None = None
    format: str | None = None


def looks_like_one(component: str) -> bool:
    """True if a part of a URL's path would be taken for a transformation."""
    return COMPONENT.fullmatch(component) is not None


def parse(component: str) -> Step:
    """One component (`w_200,h_100,c_fill`); raises TransformError."""
    parts = dict(part.partition("_")[::2] for part in component.split(","))
    wanted, quality = parts.pop("f", "auto"), parts.pop("q", "auto")
    if wanted != "auto" and wanted not in EXTENSIONS or not (quality.split(":")[0] == "auto" or quality.isdigit()):
        raise TransformError(f"Invalid transformation component - {component}")
    size = None
    if parts:
        if parts.keys() != {"c", "w", "h"} or parts["c"] != "fill" or not (parts["w"] + parts["h"]).isdigit():
            raise TransformError(f"Invalid transformation component - {component}")
        size = max(int(parts["w"]), 1), max(int(parts["h"]), 1)
    return Step(size, EXTENSIONS.get(wanted))


def result_format(stored: str, steps: list[Step], extension: str | None) -> str:
    """The format that a URL delivers: the last `f_`, else the extension's, else the stored one."""
    asked = [step.format for step in steps if step.format]
    return asked[-1] if asked else extension or stored


def render(data: bytes, stored: str, steps: list[Step], wanted: str) -> bytes:
    """The transformed picture in the requested format; `data` itself if nothing has to be changed."""
    if wanted == stored and not any(step.size for step in steps):
        return data
    try:
        with Image.open(io.BytesIO(data)) as opened:
            image: Image.Image = ImageOps.exif_transpose(opened)
    except (UnidentifiedImageError, OSError):
        # A vector or raw format, which Cloudinary rasterises: a blank page stands for it here.
        image = Image.new("RGB", (612, 792), "white")
    for size in (step.size for step in steps if step.size):
        image = ImageOps.fit(image.convert("RGBA") if image.mode == "P" else image, size)
    if wanted in ("jpg", "bmp", "eps"):
        image = _flatten(image)
    elif image.mode not in ("RGB", "RGBA", "L", "P"):
        image = image.convert("RGBA" if "A" in image.mode else "RGB")
    buffer = io.BytesIO()
    try:
        image.save(buffer, SAVED_AS.get(wanted, wanted.upper()))
    except (KeyError, OSError) as error:
        raise TransformError(f"Unsupported format {wanted}") from error
    return buffer.getvalue()


def _flatten(image: Image.Image) -> Image.Image:
    """Without transparency, on white, as Cloudinary does for JPEG."""
    if image.mode in ("RGB", "L"):
        return image
    clear = image.convert("RGBA")
    page = Image.new("RGBA", clear.size, "white")
    return Image.alpha_composite(page, clear).convert("RGB")
