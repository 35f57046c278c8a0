"""The processing of an uploaded file: its detected type, and the bytes to store."""

from __future__ import annotations

from dataclasses import dataclass

from .form import Form
from .images import EXTENSIONS, look
from .transform import TransformError, parse, render, result_format


class Refused(ValueError):
    """A file that Cloudinary refuses with 400 and this message."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A file as it will be stored; width and height are 0 for what isn't an image."""

    resource_type: str
    format: str
    data: bytes
    width: int = 0
    height: int = 0


def take(resource_type: str, form: Form, data: bytes) -> Taken:
    """Looks at the bytes of an upload to /image, /video, /raw or /auto; raises Refused."""
    if not data:
        raise Refused("Empty file")
    ending = form.filename.rpartition(".")[2].lower()
    video = "mp4" if data[4:8] == b"ftyp" else "webm" if data.startswith(b"\x1aE\xdf\xa3") else ""
    if resource_type == "raw":
        return Taken("raw", ending, data)
    if resource_type == "video":
        if not video:
            raise Refused("Unsupported video format or file")
        return Taken("video", video, data)
    seen = look(data, form.filename)
    if seen:
        return _image(form, Taken("image", seen.format, data, seen.width, seen.height))
    if resource_type == "auto":
        return Taken("video", video, data) if video else Taken("raw", ending, data)
    raise Refused("Invalid image file")


def _image(form: Form, taken: Taken) -> Taken:
    """Applies an incoming transformation; only then the etag differs from the file's MD5."""
    fields = form.fields
    if not fields.get("format") and not fields.get("transformation"):
        return taken
    try:
        steps = [parse(part) for part in fields.get("transformation", "").split("/") if part]
        wanted = result_format(taken.format, steps, EXTENSIONS.get(fields.get("format", "")))
        data = render(taken.data, taken.format, steps, wanted)
    except TransformError as error:
        raise Refused(str(error)) from error
    seen = look(data)
    assert seen is not None
    return Taken("image", seen.format, data, seen.width, seen.height)
