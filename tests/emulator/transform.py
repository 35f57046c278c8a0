"""Transformations in delivery URLs: parses them, and carries out with Pillow those that are needed here."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

from .images import EXTENSIONS

COMPONENT = re.compile(r"[a-z]{1,3}_[^,/]+(,[a-z]{1,3}_[^,/]+)*")
CROPS = ("fill", "limit", "fit", "scale", "thumb")
SAVED_AS = {"jpg": "JPEG", "jp2": "JPEG2000"}


class TransformError(ValueError):
    """A transformation that is unknown, or makes no sense."""


@dataclass(frozen=True, slots=True)
class Step:
    """One component: an optional size, how to get there, and an optional format."""

    width: int | None = None
    height: int | None = None
    crop: str = "scale"
    format: str | None = None


def looks_like_one(component: str) -> bool:
    """True if a part of a URL's path would be taken for a transformation."""
    return COMPONENT.fullmatch(component) is not None


def parse(component: str) -> Step:
    """One component (`w_200,h_100,c_fill`); raises TransformError."""
    sizes: dict[str, int] = {}
    crop, wanted = "scale", None
    for part in component.split(","):
        name, _, value = part.partition("_")
        if name in ("w", "h") and value.isdigit() and int(value) > 0:
            sizes[name] = int(value)
        elif name == "c" and value in CROPS:
            crop = value
        elif name == "f" and (value == "auto" or value in EXTENSIONS):
            wanted = None if value == "auto" else EXTENSIONS[value]
        elif not (name == "q" and (value.split(":")[0] == "auto" or value.isdigit())) and part != "g_auto":
            raise TransformError(f"Invalid transformation component - {part}")
    return Step(sizes.get("w"), sizes.get("h"), crop, wanted)


def result_format(stored: str, steps: list[Step], extension: str | None) -> str:
    """The format that a URL delivers: the last `f_`, else the extension's, else the stored one."""
    asked = [step.format for step in steps if step.format]
    return asked[-1] if asked else extension or stored


def render(data: bytes, stored: str, steps: list[Step], wanted: str) -> bytes:
    """The transformed picture in the requested format; `data` itself if nothing has to be changed."""
    if wanted == stored and not any(step.width or step.height for step in steps):
        return data
    try:
        with Image.open(io.BytesIO(data)) as opened:
            image: Image.Image = ImageOps.exif_transpose(opened)
    except (UnidentifiedImageError, OSError):
        # A vector or raw format, which Cloudinary rasterises: a blank page stands for it here.
        image = Image.new("RGB", (612, 792), "white")
    for step in steps:
        image = _resize(image, step)
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


def _resize(image: Image.Image, step: Step) -> Image.Image:
    if not step.width and not step.height:
        return image
    if image.mode == "P":
        image = image.convert("RGBA")
    width, height = image.size
    # Where one side is given, the other follows from the proportions.
    scale = (step.width / width) if step.width else (step.height or height) / height
    target = (step.width or max(round(width * scale), 1), step.height or max(round(height * scale), 1))
    if step.crop in ("fill", "thumb"):
        return ImageOps.fit(image, target)
    if step.crop in ("limit", "fit"):
        box = (step.width or 1 << 20, step.height or 1 << 20)
        if step.crop == "limit":
            box = (min(box[0], width), min(box[1], height))
        return ImageOps.contain(image, box)
    return image.resize(target)
