"""The HTTP engine under the services: it asks the service, applies the faults, answers, and keeps the record."""

from __future__ import annotations

import asyncio
import gzip
import html
import itertools
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from .faults import Faults, flip
from .record import Record

Json = dict[str, Any]
JSON_TYPE = "application/json; charset=UTF-8"
HTML_TYPE = "text/html; charset=UTF-8"


@dataclass(slots=True)
class Reply:
    """An answer. A large body comes as an iterator of `pieces` with its `length`, a small one as `body`."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    pieces: Iterator[bytes] | None = None
    length: int = 0

    @classmethod
    def of_json(cls, value: object, status: int = 200) -> Reply:
        """`value` as JSON."""
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return cls(status, body, {"Content-Type": JSON_TYPE})

    @classmethod
    def of_html(cls, status: int, title: str, body: str = "") -> Reply:
        """A page such as a front end or a proxy sends when the service behind it didn't answer; or one with a body."""
        page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1>{body}</body></html>\n"
        return cls(status, page.encode(), {"Content-Type": HTML_TYPE})


@dataclass(slots=True)
class Call:
    """One request as its service understood it.

    `keys` is what a fault's `match` is looked up in, and the first of them what the log shows; `payload` is for the
    service alone.
    """

    request: web.BaseRequest
    op: str
    keys: tuple[str, ...] = ()
    query: dict[str, str] = field(default_factory=dict)
    payload: Any = None
    fault: Json = field(default_factory=dict)
    received: int = 0
    delay: float = 0.0
    finished: Callable[[], None] | None = None


class Service(Protocol):
    """What is served under one prefix of one port."""

    async def open(self, request: web.BaseRequest) -> Call:
        """Reads as much of the request as is needed to name the operation."""

    async def answer(self, call: Call) -> Reply:
        """Does the work."""

    def error(self, status: int, reason: str, message: str) -> Reply:
        """An error in the service's own envelope."""


class Dropped(Exception):
    """Close the connection without an answer."""


class Port:
    """One listening port: a name for the record and its services by path prefix, the first that fits is asked."""

    def __init__(self, name: str, services: list[tuple[str, Service]], faults: Faults, record: Record) -> None:
        self.name = name
        self._services = services
        self._faults = faults
        self._record = record
        self._numbers: dict[int, int] = {}
        self._last_number = 0
        self._silent: set[int] = set()  # connections that no service was called on yet
        self._server = web.Server(self._handle, access_log=None)
        self._listener: asyncio.Server | None = None
        self.port = 0

    async def listen(self, port: int) -> int:
        """Starts to listen on 127.0.0.1 at `port` (0: any free one); answers which it is."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self._accepted, "127.0.0.1", port, backlog=1024)
        self.port = int(self._listener.sockets[0].getsockname()[1])
        return self.port

    async def close(self) -> None:
        """Stops listening and closes the connections."""
        if self._listener:
            self._listener.close()
        await self._server.shutdown(timeout=0.05)

    def _accepted(self) -> RequestHandler:
        protocol = self._server()
        # The id of a protocol is unique while its connection is open, and is given anew with the next connection.
        self._last_number += 1
        self._numbers[id(protocol)] = self._last_number
        self._silent.add(self._last_number)
        return protocol

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        fitting = (service for prefix, service in self._services if request.raw_path.startswith(prefix))
        service = next(fitting, self._services[-1][1])
        at, start = time.time(), time.perf_counter()
        number = self._numbers.get(id(request.protocol), 0)
        try:
            call = await service.open(request)
        except (ConnectionError, web.PayloadAccessError, web.RequestPayloadError):
            seconds = time.perf_counter() - start
            self._record.add(self.name + ".aborted", request.raw_path, 0, at, seconds, 0, number, "", request.method)
            return web.Response()
        if call.op == "control":
            return await _send(request, await service.answer(call))
        if number in self._silent:
            self._silent.discard(number)
            self._record.connections[self.name] += 1
        call.fault = self._faults.pick(call.op, call.keys)
        status = size = 0
        try:
            reply = await self._reply(service, call)
            size = call.received or reply.length or len(reply.body)
            zipped = call.op.startswith("drive.") and _zip(request, reply)
            response = await _send(request, reply, call.fault.get("cut"), zipped or bool(call.fault.get("chunked")))
            status = reply.status
            return response
        except (Dropped, ConnectionError):
            if request.transport is not None:
                request.transport.close()
            return web.Response()
        finally:
            if call.finished:
                call.finished()
            fault = ",".join(call.fault)
            key = call.keys[0] if call.keys else ""
            seconds = time.perf_counter() - start
            self._record.add(call.op, key, status, at, seconds, size, number, fault, request.method)

    async def _reply(self, service: Service, call: Call) -> Reply:
        do = call.fault
        wait = call.delay + float(do.get("delay", 0))
        if do.get("hang"):
            while call.request.transport is not None:
                await asyncio.sleep(0.02)
            raise Dropped
        if wait:
            await asyncio.sleep(wait)
        if "hold" in do:
            await self._faults.hold(call.op, int(do["hold"]), lambda: call.request.transport is not None)
        if do.get("refuse"):
            raise Dropped
        if "raw" in do:
            await _send_raw(call.request, str(do["raw"]))
            raise Dropped
        if do.get("drip"):
            await _drip(call.request)
            raise Dropped
        if "echo" in do:
            return Reply.of_html(int(do["echo"]), f"Error {do['echo']}", f"<pre>{html.escape(_told(call))}</pre>")
        reply = _canned(do, service, call.request) if do else None
        if reply is None:
            reply = await service.answer(call)
        for name in do.get("without", ()):
            reply.headers.pop(name, None)
        if "answer" in do and reply.status == 200:
            reply.body = Reply.of_json({**json.loads(reply.body), **do["answer"]}).body
        if do.get("lose"):
            raise Dropped
        if do.get("corrupt") and call.op in ("drive.media", "delivery"):
            reply.body, reply.pieces = flip(b"".join(reply.pieces) if reply.pieces else reply.body), None
        return reply


def _zip(request: web.BaseRequest, reply: Reply) -> bool:
    """Compresses a JSON answer for a client that takes that, as Google does; such an answer states no length."""
    takes = "gzip" in request.headers.get("Accept-Encoding", "")
    if not takes or reply.headers.get("Content-Type") != JSON_TYPE or "Content-Encoding" in reply.headers:
        return False
    if reply.pieces is not None:
        return False
    reply.body = gzip.compress(reply.body, 1)
    reply.headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return True


def _told(call: Call) -> str:
    """A request as an error page repeats it: its first line, its headers, and the fields of a form in it."""
    request = call.request
    headers = [f"{name}: {value}" for name, value in request.headers.items()]
    form = next((part.fields for part in call.payload or () if hasattr(part, "fields")), call.payload)
    fields = [f"{name}={value}" for name, value in form.items()] if isinstance(form, dict) else []
    return "\n".join([f"{request.method} {request.raw_path} HTTP/1.1", *headers, *fields])


def _canned(do: Json, service: Service, request: web.BaseRequest) -> Reply | None:
    """The answer that a fault injects instead of the real one, or None."""
    if "html" in do:
        return Reply.of_html(int(do["html"]), f"Error {do['html']}")
    if "error" in do:
        error = do["error"]
        reply = service.error(int(error["status"]), error.get("reason", ""), error.get("message", "Injected error."))
        reply.headers.update(error.get("headers", {}))
        return reply
    if "body" in do:
        headers = {"Content-Type": do.get("type", "application/json"), **do.get("headers", {})}
        return Reply(int(do.get("status", 200)), str(do["body"]).encode(), headers)
    if "endless" in do:
        # So many bytes, or in chunks and for as long as somebody takes them (0).
        count = int(do["endless"])
        pieces = itertools.repeat(b"[" * (1 << 16), count >> 16 if count else 1 << 40)
        return Reply(int(do.get("status", 200)), headers={"Content-Type": JSON_TYPE}, pieces=pieces, length=count or -1)
    if "gzip_bomb" in do:
        # Zeros, so many million of them, of which a thousandth goes over the wire. Gzip is whole in each of its parts.
        body = gzip.compress(bytes(100_000_000), 1) * (int(do["gzip_bomb"]) // 100)
        headers = {"Content-Type": JSON_TYPE, "Content-Encoding": "gzip"}
        return Reply(int(do.get("status", 200)), body, headers)
    if do.get("empty"):
        return Reply(200)
    if "redirect" in do:
        where = do["redirect"] if str(do["redirect"]).startswith("http") else request.raw_path
        return Reply(int(do.get("status", 302)), headers={"Location": where})
    return None


async def _send(
    request: web.BaseRequest, reply: Reply, cut: float | None = None, chunked: bool = False
) -> web.StreamResponse:
    """Sends `reply`, or with `cut` its headers and that fraction of its body, and then closes the connection.

    With `chunked`, the answer has no Content-Length.
    """
    if reply.pieces is None and cut is None and not chunked:
        return web.Response(status=reply.status, body=reply.body, headers=reply.headers)
    length = reply.length if reply.pieces is not None else len(reply.body)
    response = web.StreamResponse(status=reply.status, headers=reply.headers)
    if chunked or length < 0:
        response.enable_chunked_encoding()
    else:
        response.content_length = length
    await response.prepare(request)
    left = float("inf") if length < 0 else length if cut is None else int(length * cut)
    if request.method != "HEAD":
        for piece in reply.pieces if reply.pieces is not None else (reply.body,):
            await response.write(piece if len(piece) <= left else piece[: int(left)])
            left -= len(piece)
            if left <= 0:
                break
    if cut is None:
        await response.write_eof()
    elif request.transport is not None:
        request.transport.close()
    return response


async def _send_raw(request: web.BaseRequest, text: str) -> None:
    """Sends `text` as it is, status line and all, and closes the connection: what no server library would send."""
    transport = request.transport
    if transport is not None:
        transport.write(text.encode("latin-1"))
        await asyncio.sleep(0.05)


async def _drip(request: web.BaseRequest) -> None:
    """Sends the beginning of an answer, then single letters, slowly, until the client closes the connection."""
    transport = request.transport
    if transport is not None:
        transport.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
        while not transport.is_closing():
            transport.write(b"a")
            await asyncio.sleep(0.2)


async def read_body(request: web.BaseRequest) -> bytes:
    """The whole body of a small request."""
    pieces = []
    while piece := await request.content.readany():
        pieces.append(piece)
    return b"".join(pieces)


def split_target(request: web.BaseRequest) -> tuple[str, dict[str, str]]:
    """The raw (still percent-encoded) path and the query, of which the last value of a name counts."""
    path, _, query = request.raw_path.partition("?")
    return path, dict(parse_qsl(query, keep_blank_values=True))


def nonempty(keys: Iterable[str]) -> tuple[str, ...]:
    """The non-empty keys."""
    return tuple(key for key in keys if key)


def span(header: str, size: int) -> tuple[int, int] | None:
    """(start, length) of a Range header, the whole file without one; None if the range is outside of the file."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", header.strip())
    if not header or not found or found.groups() == ("", ""):
        return 0, size
    first, last = found.groups()
    if not first:
        start = max(size - int(last), 0)
        return (start, size - start) if size and int(last) else None
    start = int(first)
    if start >= size or (last and int(last) < start):
        return None
    return start, min(int(last) if last else size - 1, size - 1) - start + 1
