"""Reads the body of a Cloudinary call: multipart or urlencoded fields, and one file."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from aiohttp import web
from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)

from .wire import read_body


class FormError(ValueError):
    """The body does not match its Content-Type."""


@dataclass(slots=True)
class Form:
    """Fields by name (several `x[]` are one `x`, joined by commas), and the file with the name it was sent under."""

    fields: dict[str, str] = field(default_factory=dict)
    file: bytes | None = None
    filename: str = ""

    def add(self, name: str, value: str) -> None:
        """Adds one field."""
        if name.endswith("[]"):
            name = name[:-2]
            value = f"{self.fields[name]},{value}" if name in self.fields else value
        self.fields[name] = value


async def read_form(request: web.BaseRequest) -> Form:
    """The form in the body of `request`; raises FormError."""
    kind, options = parse_options_header(request.headers.get("Content-Type", ""))
    form = Form()
    if kind != "multipart/form-data":
        for name, value in parse_qsl((await read_body(request)).decode(errors="replace"), keep_blank_values=True):
            form.add(name, value)
        return form
    segment: MultipartSegment | None = None
    pieces: list[bytes] = []
    try:
        with PushMultipartParser(options.get("boundary", ""), max_segment_count=1000) as parser:
            while not parser.closed:
                for event in parser.parse(await request.content.readany()):
                    if isinstance(event, MultipartSegment):
                        segment, pieces = event, []
                    elif event is not None:
                        pieces.append(bytes(event))
                    elif segment is not None:
                        _close(form, segment, b"".join(pieces))
    except MultipartError as error:
        raise FormError(str(error)) from error
    await read_body(request)
    return form


def _close(form: Form, segment: MultipartSegment, data: bytes) -> None:
    if segment.filename is not None:
        form.file, form.filename = data, segment.filename
    else:
        form.add(segment.name or "", data.decode(errors="replace"))
