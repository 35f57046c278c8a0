"""Reads the body of a Cloudinary call: multipart or urlencoded fields, and one file."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from aiohttp import web
from multipart import MultipartError, MultipartParser, parse_options_header  # type: ignore[import-untyped]

WHOLE = 1 << 30  # bytes of a part that are kept in memory: there is no file in between


class FormError(ValueError):
    """The body does not match its Content-Type."""


@dataclass(slots=True)
class Form:
    """Fields by name (several `x[]` are one `x`, joined by commas), and the file with the name it was sent under."""

    fields: dict[str, str] = field(default_factory=dict)
    file: bytes | None = None
    filename: str = ""

    def add(self, fields: Iterable[tuple[str, str]]) -> None:
        """Adds fields."""
        for name, value in fields:
            short = name.removesuffix("[]")
            several = short != name and short in self.fields
            self.fields[short] = f"{self.fields[short]},{value}" if several else value


async def read_form(request: web.BaseRequest) -> Form:
    """The form in the body of `request`; raises FormError."""
    kind, options = parse_options_header(request.headers.get("Content-Type", ""))
    form = Form()
    body = await request.content.read()
    if kind != "multipart/form-data":
        form.add(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
        return form
    limits = {"spool_limit": WHOLE, "memory_limit": WHOLE, "part_limit": 1000}
    try:
        for part in MultipartParser(io.BytesIO(body), options.get("boundary", ""), len(body), **limits):
            if part.filename is not None:
                form.file, form.filename = part.raw, part.filename
            else:
                form.add([(part.name, part.raw.decode(errors="replace"))])
    except MultipartError as error:
        raise FormError(str(error)) from error
    return form
