"""A proxy on 127.0.0.1 that has the emulator behind it, under the real names of the services and over TLS.

It takes HTTP's CONNECT and SOCKS5 at one port, ends TLS itself with certificates of an authority made for the test, and
passes on the plain HTTP. Each service can be reached without a proxy, too, at a port of its own.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import socket
import ssl
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self
from urllib.parse import quote

from tests.certificates import Authority
from tests.emulator.client import Emulator

RESOLVER = Path(__file__).with_name("resolver")
OUTSIDE = re.compile(r"(?i).+_proxy|ssl_cert_(file|dir)|(requests|curl)_ca_bundle|httplib2_ca_certs")
PIECE = 1 << 16
REASONS = {
    403: "Forbidden",
    407: "Proxy Authentication Required",
    411: "Length Required",
    502: "Bad Gateway",
}

DRIVE, OAUTH, API, CDN = "www.googleapis.com", "oauth2.googleapis.com", "api.cloudinary.com", "res.cloudinary.com"
SERVICES = {DRIVE: "drive", OAUTH: "oauth", API: "cloudinary", CDN: "cloudinary"}
"""Host → the emulator's port behind it."""

Flaw = Literal["", "unknown issuer", "expired", "other host"]
Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Seen:
    """What came for one host.

    asked: how often the proxy was asked for it; refused: how often of these it said no; direct: connections that did
    not come through the proxy; handshakes: that were completed; rejected: those that the client broke off; requests:
    inside TLS.
    """

    asked: int = 0
    refused: int = 0
    direct: int = 0
    handshakes: int = 0
    rejected: int = 0
    requests: int = 0


class Proxy:
    """A running proxy, in a thread of its own. All options can be changed while it runs.

    `user` and `password`: who may use it ("": everybody); `refuse`: the status with which it refuses every host (0: it
    does not); `delay`: milliseconds of a round trip, added to the TCP connection, to the TLS handshake and to each
    request; `limit`: requests in a connection, after which it is closed as servers do it, between two requests (0: no
    limit). What came is in `seen`, by host; `plain` has the targets of requests that should have been a CONNECT.
    """

    def __init__(
        self,
        folder: Path,
        cloud: Emulator,
        *,
        user: str = "",
        password: str = "",
        refuse: int = 0,
        delay: float = 0,
        limit: int = 0,
    ) -> None:
        """In: a folder for the certificates, and the emulator behind the proxy."""
        self.user, self.password = user, password
        self.refuse = refuse
        self.delay = delay
        self.limit = limit
        self.seen: defaultdict[str, Seen] = defaultdict(Seen)
        self.plain: list[str] = []
        self.direct_ports: dict[str, int] = {}
        self._port = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._trusted = Authority(folder, "trusted")
        self._unknown = Authority(folder, "unknown")
        self._ports = {host: cloud.ports[name] for host, name in SERVICES.items()}
        self._contexts: dict[str, ssl.SSLContext] = {}
        for host in SERVICES:
            self.present(host)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._servers: list[asyncio.Server] = []
        self._connections: set[asyncio.Task[None]] = set()

    def serve(self, host: str, port: int) -> None:
        """Have another host, with a certificate of its own, be what listens at this port."""
        self._ports[host] = port
        self.present(host)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(self, *error: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def authority(self) -> Path:
        """The certificate of the authority, for SSL_CERT_FILE."""
        return self._trusted.path

    @property
    def other_authority(self) -> Path:
        """The certificate of an authority that has issued none of the certificates shown."""
        return self._unknown.path

    @property
    def url(self) -> str:
        """For HTTPS_PROXY, with user and password if it wants them."""
        return f"http://{self._login}127.0.0.1:{self._port}"

    @property
    def socks_url(self) -> str:
        """The same proxy for SOCKS5, where names are resolved by the proxy."""
        return f"socks5h://127.0.0.1:{self._port}"

    def behind(self, **variables: str) -> dict[str, str]:
        """The environment of a program in a network whose only way out is the proxy. In: what tells it of that way."""
        return {**resolver({}), **variables}

    def beside(self, **variables: str) -> dict[str, str]:
        """The environment of a program that can reach the services without the proxy, too."""
        return {**resolver(self.direct_ports), **variables}

    def present(self, host: str, flaw: Flaw = "") -> None:
        """From now on, show this certificate for a host."""
        authority = self._unknown if flaw == "unknown issuer" else self._trusted
        name = "another.example.com" if flaw == "other host" else host
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.issue(name, expired=flaw == "expired"))
        context.sni_callback = _only(host)
        self._contexts[host] = context

    @property
    def _login(self) -> str:
        return f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@" if self.user else ""

    async def _listen(self) -> None:
        self._port = await self._serve(self._proxied)
        for host in SERVICES:
            self.direct_ports[host] = await self._serve(self._direct(host))

    async def _serve(self, answer: Answering) -> int:
        """Listen at a free port; returns it. In: who answers a connection, which is closed then."""

        async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                # All these are ways in which a client or the emulator ends a connection.
                with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                    await answer(reader, writer)
            finally:
                writer.close()

        def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # asyncio keeps only a weak reference to a task; one that it starts itself is noisy when it is cancelled.
            task = self._loop.create_task(connection(reader, writer))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

        server = await asyncio.start_server(accepted, "127.0.0.1", 0, backlog=1024)
        self._servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _direct(self, host: str) -> Answering:
        """Who answers connections that come without a proxy."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.seen[host].direct += 1
            await self._end_tls(host, reader, writer)

        return answer

    async def _proxied(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection to the proxy: SOCKS5 begins with its version, HTTP with a letter."""
        first = await reader.readexactly(1)
        host = await (self._socks(reader, writer) if first == b"\x05" else self._connect(first, reader, writer))
        if host:
            await self._end_tls(host, reader, writer)

    async def _connect(self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """Answer a CONNECT (RFC 9110, 9.3.6); returns the host, "" if it was refused."""
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, target, _ = head.split("\r\n")[0].split(" ", 2)
        host, _, port = target.rpartition(":")
        if method != "CONNECT":
            self.plain.append(target)
            status = 403
        else:
            wanted = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            given = re.search(r"(?im)^proxy-authorization: *basic +(\S+)\s*$", head)
            unknown = bool(self.user) and (given is None or given[1] != wanted)
            status = self._decide(host, port, unknown)
        # Both round trips are waited for here: the client's next bytes belong to the TLS handshake.
        await self._round_trips(2)
        if status == 200:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            return host
        writer.write(_refusal(status))
        await writer.drain()
        return ""

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """Answer SOCKS5 (RFC 1928) without authentication, and CONNECT by name; returns the host, or ""."""
        methods = await reader.readexactly((await reader.readexactly(1))[0])
        if 0 not in methods or self.user:
            writer.write(b"\x05\xff")
            return ""
        writer.write(b"\x05\x00")
        _, command, _, kind = await reader.readexactly(4)
        if command != 1 or kind != 3:
            # A name that the client has resolved by itself was looked up outside the proxy.
            writer.write(b"\x05" + (b"\x07" if command != 1 else b"\x08") + b"\x00\x01" + bytes(6))
            return ""
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        port = int.from_bytes(await reader.readexactly(2), "big")
        status = self._decide(host, str(port), False)
        await self._round_trips(2)
        writer.write(b"\x05" + (b"\x00" if status == 200 else b"\x02") + b"\x00\x01" + bytes(6))
        return host if status == 200 else ""

    def _decide(self, host: str, port: str, unknown: bool) -> int:
        """The status for this target. In: whether the client has not said who it is."""
        status = 407 if unknown else self.refuse or (200 if host in self._ports else 502)
        if status == 200 and port != "443":
            status = 403
        self.seen[host].asked += 1
        self.seen[host].refused += status != 200
        return status

    async def _end_tls(self, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Be the server `host`: end TLS, and pass on what is in it."""
        seen = self.seen[host]
        try:
            await writer.start_tls(self._contexts[host])
        except (ssl.SSLError, ConnectionError):
            seen.rejected += 1
            return
        seen.handshakes += 1
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._ports[host], limit=PIECE)
        try:
            ways = [
                asyncio.create_task(self._pass_requests(seen, reader, up_writer, writer)),
                asyncio.create_task(_pass_answers(up_reader, writer)),
            ]
            try:
                done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                for way in done:
                    way.result()
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            up_writer.close()

    async def _pass_requests(
        self,
        seen: Seen,
        reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Pass on one request after the other, until the client closes the connection or has had its share."""
        count = 0
        while head := await _head(reader):
            count += 1
            length = re.search(rb"(?im)^content-length: *(\d+)\s*$", head)
            if length is None and b"\r\ntransfer-encoding:" in head.lower():
                writer.write(_refusal(411))
                return
            seen.requests += 1
            await self._round_trips(1)
            if count == self.limit:
                # The emulator closes the connection after its answer then, and says so in it.
                head = head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
            up_writer.write(head)
            async for piece in _exactly(reader, int(length[1]) if length else 0):
                up_writer.write(piece)
                await up_writer.drain()

    async def _round_trips(self, count: int) -> None:
        if self.delay:
            await asyncio.sleep(count * self.delay / 1000)


async def _head(reader: asyncio.StreamReader) -> bytes:
    """The head of the next request; b"" if none comes any more."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


async def _exactly(reader: asyncio.StreamReader, length: int) -> AsyncIterator[bytes]:
    """The next `length` bytes. Raises ConnectionError if they do not come."""
    while length:
        piece = await reader.read(min(length, PIECE))
        if not piece:
            raise ConnectionAbortedError
        length -= len(piece)
        yield piece


async def _pass_answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()


def _refusal(status: int) -> bytes:
    more = 'Proxy-Authenticate: Basic realm="proxy of the tests"\r\n' if status == 407 else ""
    head = f"HTTP/1.1 {status} {REASONS[status]}\r\n{more}Connection: close\r\nContent-Length: 0\r\n\r\n"
    return head.encode()


def _only(host: str) -> Callable[[ssl.SSLObject, str | None, ssl.SSLContext], int | None]:
    """A callback that ends the handshake unless the client names this host, as servers of many names do."""

    def check(_: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> int | None:
        return None if name == host else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    return check


def resolver(names: dict[str, int]) -> dict[str, str]:
    """The environment in which Python programs know only these names: see tests/resolver."""
    return {"PYTHONPATH": str(RESOLVER), "TEST_NAMES": json.dumps(names)}


def without_proxies() -> dict[str, str]:
    """The environment of the tests but for proxies and certificates, which are those of the world outside."""
    return {key: value for key, value in os.environ.items() if not OUTSIDE.fullmatch(key)}


def closed_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port
