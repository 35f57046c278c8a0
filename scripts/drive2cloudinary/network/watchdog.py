"""Time limits that a socket's timeout cannot enforce: for a whole call, for all connection attempts, for sending."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from drive2cloudinary.waiting import only_waiting

_LOOKS_EVERY = 0.5
"""Seconds."""
_mine = threading.local()
"""`limit`: the limit of this thread's current call; no connection is used without one."""
_unreachable: set[int] = set()
"""The families of addresses (IPv4, IPv6) to which the last attempt to connect has failed, in this process."""


@dataclass(eq=False)
class Limit:
    """The time limit of one call, as a monotonic time; expired: whether the call took longer.

    sent: whether any part of the request was sent, so that the service may have carried it out.
    """

    until: float
    connection: Any = None
    sent: bool = False
    expired: bool = False

    @property
    def left(self) -> float:
        """Seconds until then, for a socket's timeout, which must not be 0."""
        return max(0.1, self.until - time.monotonic())


class Watchdog:
    """Shuts down the connection of any call in this process that exceeds its time limit."""

    def __init__(self) -> None:
        self._limits: set[Limit] = set()
        self._lock = threading.Lock()
        self._process = 0

    @contextmanager
    def limit(self, seconds: float) -> Iterator[Limit]:
        """Limit the call in this context; after `seconds`, its connection is shut down."""
        limit = _mine.limit = Limit(time.monotonic() + seconds)
        with self._lock:
            self._limits.add(limit)
            # Threads do not survive a fork, so each process starts its own.
            if self._process != os.getpid():
                self._process = os.getpid()
                threading.Thread(target=self._watch, daemon=True).start()
        try:
            yield limit
        finally:
            with self._lock:
                self._limits.discard(limit)

    def _watch(self) -> None:
        while True:
            time.sleep(_LOOKS_EVERY)
            with self._lock:
                overdue = [limit for limit in self._limits if time.monotonic() > limit.until and not limit.expired]
            for limit in overdue:
                limit.expired = True
                sock = getattr(limit.connection, "sock", None)
                # With TLS inside TLS (a proxy that is reached over https), find the innermost socket.
                while sock is not None and not isinstance(sock, socket.socket):
                    sock = getattr(sock, "socket", None)
                if sock:
                    with suppress(OSError):
                        # Not SSLSocket.shutdown: it would wait for the other side.
                        socket.socket.shutdown(sock, socket.SHUT_RDWR)


WATCHDOG = Watchdog()


def watched(pool: type[urllib3.HTTPConnectionPool]) -> type[urllib3.HTTPConnectionPool]:
    """The same kind of pool, whose connections obey the time limit of the call that uses them.

    `timeout` limits connecting (to all addresses of a host together) and each piece of the answer. Sending may take as
    long as the whole call, because Python's sockets apply a timeout to the whole body.
    """
    base: Any = pool.ConnectionCls

    class Connection(base):  # type: ignore[misc]
        _requesting = False

        def connect(self) -> None:
            _mine.limit.connection = self
            with only_waiting():
                super().connect()
            self.sock.settimeout(_mine.limit.left)

        def request(self, *arguments: Any, **options: Any) -> None:
            _mine.limit.connection = self
            if self.sock is not None:
                # urllib3 sets the socket's timeout to this one before it sends, and to another before it reads.
                self.timeout = _mine.limit.left
            self._requesting = True
            try:
                super().request(*arguments, **options)
            finally:
                self._requesting = False

        def send(self, data: Any) -> None:
            if self._requesting:
                if self.sock is None:
                    self.connect()
                _mine.limit.sent = True
            super().send(data)

        def _new_conn(self) -> socket.socket:
            if pool.__module__ == "urllib3.contrib.socks":
                sock: socket.socket = super()._new_conn()
                return sock
            try:
                return _connect(self._dns_host, self.port, self.timeout, self.socket_options or ())
            except socket.gaierror as error:
                raise NameResolutionError(self.host, self, error) from error
            except TimeoutError as error:
                raise ConnectTimeoutError(self, "no connection in time") from error
            except OSError as error:
                raise NewConnectionError(self, "no connection") from error

    class Pool(pool):  # type: ignore[valid-type, misc]
        ConnectionCls = Connection

    return Pool


def _connect(host: str, port: int, seconds: float, options: Any) -> socket.socket:
    """Connect to one of the addresses of a host, within `seconds` for all of them together. Raises OSError.

    A family of addresses may be unreachable, as IPv6 is in many networks. After one failure, its addresses come last.
    """
    deadline = time.monotonic() + seconds
    addresses = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    last: OSError = OSError("no address")
    while addresses and (left := deadline - time.monotonic()) > 0:
        addresses.sort(key=lambda each: each[0] in _unreachable)
        family, kind, protocol, _, address = addresses.pop(0)
        sock = socket.socket(family, kind, protocol)
        try:
            for option in options:
                sock.setsockopt(*option)
            sock.settimeout(max(left / (len(addresses) + 1), min(left, 1.0)))
            sock.connect(address)
            _unreachable.discard(family)
            return sock
        except OSError as error:
            sock.close()
            _unreachable.add(family)
            last = error
    raise last
