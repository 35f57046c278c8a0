"""The HTTP engine under the services: it asks the service, applies the faults, answers, and keeps the record."""

from __future__ import annotations

import asyncio
import gzip
import html
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl
from weakref import WeakSet

from aiohttp import web

from .faults import Faults, flip
from .record import Entry, Record

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
        self._connections: WeakSet[asyncio.Transport] = WeakSet()
        self._server = web.Server(self._handle, access_log=None)
        self._listener: asyncio.Server | None = None

    async def listen(self, port: int) -> int:
        """Starts to listen on 127.0.0.1 at `port` (0: any free one); answers which it is."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self._server, "127.0.0.1", port, backlog=1024)
        return int(self._listener.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stops listening and closes the connections."""
        if self._listener:
            self._listener.close()
        await self._server.shutdown(timeout=0.05)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        fitting = (service for prefix, service in self._services if request.raw_path.startswith(prefix))
        service = next(fitting, self._services[-1][1])
        at, start, connection = time.time(), time.perf_counter(), request.transport
        status = size = 0
        call = Call(request, f"{self.name}.aborted", (request.raw_path,))
        try:
            call = await service.open(request)
            if call.op == "control":
                return await _send(request, await service.answer(call))
            if connection is not None and connection not in self._connections:
                self._connections.add(connection)
                self._record.connections[self.name] += 1
            call.fault = self._faults.pick(call.op, call.keys)
            reply = await self._reply(service, call)
            size = call.received or reply.length or len(reply.body)
            zipped = call.op.startswith("drive.") and _zip(request, reply)
            response = await _send(request, reply, call.fault.get("cut"), zipped or bool(call.fault.get("chunked")))
            status = reply.status
            return response
        except (Dropped, ConnectionError, web.PayloadAccessError, web.RequestPayloadError):
            if request.transport is not None:
                request.transport.close()
            return web.Response()
        finally:
            if call.finished:
                call.finished()
            if call.op != "control":
                key, seconds = call.keys[0] if call.keys else "", time.perf_counter() - start
                fault = ",".join(call.fault)
                self._record.add(Entry(call.op, key, status, at, seconds, size, fault, request.method))

    async def _reply(self, service: Service, call: Call) -> Reply:
        do, request = call.fault, call.request
        if "hold" in do:
            # At once: a call that is held after the rules were replaced would be held for ever.
            await self._faults.hold(call.op, int(do["hold"]), lambda: request.transport is not None)
        if wait := call.delay + float(do.get("delay", 0)):
            await asyncio.sleep(wait)
        while do.get("hang") and request.transport is not None:
            await asyncio.sleep(0.02)
        if "raw" in do or do.get("drip"):
            await _send_raw(request, do)
        if {"hang", "refuse", "raw", "drip"} & do.keys():
            raise Dropped
        reply = (_canned(do, service, call) if do else None) or await service.answer(call)
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
    takes = "gzip" in request.headers.get("Accept-Encoding", "") and reply.pieces is None
    if not takes or reply.headers.get("Content-Type") != JSON_TYPE or "Content-Encoding" in reply.headers:
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


def _canned(do: Json, service: Service, call: Call) -> Reply | None:
    """The answer that a fault injects instead of the real one, or None."""
    status = int(do.get("status", 200))
    if "echo" in do:
        return Reply.of_html(int(do["echo"]), f"Error {do['echo']}", f"<pre>{html.escape(_told(call))}</pre>")
    if "html" in do:
        return Reply.of_html(int(do["html"]), f"Error {do['html']}")
    if "error" in do:
        error = do["error"]
        reply = service.error(int(error["status"]), error.get("reason", ""), error.get("message", "Injected error."))
        reply.headers.update(error.get("headers", {}))
        return reply
    if "body" in do:
        headers = {"Content-Type": "application/json", **do.get("headers", {})}
        return Reply(status, str(do["body"]).encode(), headers)
    if "endless" in do:
        # So many bytes, or in chunks and for as long as somebody takes them (0).
        count = int(do["endless"])
        pieces = itertools.repeat(b"[" * (1 << 16), count >> 16 if count else 1 << 40)
        return Reply(status, headers={"Content-Type": JSON_TYPE}, pieces=pieces, length=count or -1)
    if "gzip_bomb" in do:
        # Zeros, so many million of them, of which a thousandth goes over the wire. Gzip is whole in each of its parts.
        body = gzip.compress(bytes(100_000_000), 1) * (int(do["gzip_bomb"]) // 100)
        return Reply(status, body, {"Content-Type": JSON_TYPE, "Content-Encoding": "gzip"})
    if do.get("empty"):
        return Reply(200)
    if "redirect" in do:
        where = do["redirect"] if str(do["redirect"]).startswith("http") else call.request.raw_path
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
    left = sys.maxsize if length < 0 else length if cut is None else int(length * cut)
    for piece in (reply.body,) if reply.pieces is None else reply.pieces:
        if left <= 0 or request.method == "HEAD":
            break
        await response.write(piece[:left])
        left -= len(piece)
    if cut is None:
        await response.write_eof()
    elif request.transport is not None:
        request.transport.close()
    return response


async def _send_raw(request: web.BaseRequest, do: Json) -> None:
    """Sends a text as it is, status line and all: what no server library would send.

    With `drip`, the beginning of an answer, then single letters, slowly, until the client closes the connection.
    """
    if (transport := request.transport) is not None:
        transport.write(str(do.get("raw", "HTTP/1.1 200 OK\r\nX-Drip: ")).encode("latin-1"))
        await asyncio.sleep(0.05)
        while do.get("drip") and not transport.is_closing():
            transport.write(b"a")
            await asyncio.sleep(0.2)


def split_target(request: web.BaseRequest) -> tuple[str, dict[str, str]]:
    """The raw (still percent-encoded) path and the query, of which the last value of a name counts."""
    path, _, query = request.raw_path.partition("?")
    return path, dict(parse_qsl(query, keep_blank_values=True))


def nonempty(keys: Iterable[str]) -> tuple[str, ...]:
    """The non-empty keys."""
    return tuple(key for key in keys if key)


def span(request: web.BaseRequest, size: int) -> tuple[int, int] | None:
    """(start, length) of the Range that is asked for, or of the whole; None if it is outside of these `size` bytes."""
    try:
        start, stop, _ = request.http_range.indices(size)
    except ValueError:
        return 0, size
    return (start, stop - start) if start < stop or not request.headers.get("Range") else None
