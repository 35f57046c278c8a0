"""An end to a call whose answer drips, which no timeout of a socket ever sees: its connection is shut down."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import urllib3

_LOOKS_EVERY = 0.5
"""Seconds."""
_mine = threading.local()
"""`limit`: that of the call which this thread has under way."""


@dataclass(eq=False)
class Limit:
    """How long one call may last: until this monotonic time; whether it has lasted longer."""

    until: float
    connection: Any = None
    expired: bool = False


class Watchdog:
    """Looks after the calls of all threads of a process that go over its connections."""

    def __init__(self) -> None:
        self._limits: set[Limit] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def limit(self, seconds: float) -> Iterator[Limit]:
        """The call within, of this thread, may last so many seconds; then its connection is lost."""
        limit = _mine.limit = Limit(time.monotonic() + seconds)
        with self._lock:
            self._limits.add(limit)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, daemon=True)
                self._thread.start()
        try:
            yield limit
        finally:
            _mine.limit = None
            with self._lock:
                self._limits.discard(limit)

    def _watch(self) -> None:
        while True:
            time.sleep(_LOOKS_EVERY)
            with self._lock:
                overdue = [limit for limit in self._limits if time.monotonic() > limit.until and not limit.expired]
            for limit in overdue:
                limit.expired = True
                if sock := getattr(limit.connection, "sock", None):
                    with suppress(OSError):
                        # As TLS would do it, it would wait for the other side.
                        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def watched(pool: type[urllib3.HTTPConnectionPool]) -> type[urllib3.HTTPConnectionPool]:
    """The same kind of pool, whose connections say which call of which thread goes over them."""

    class Connection(pool.ConnectionCls):  # type: ignore[name-defined, misc]
        def connect(self) -> None:
            self._say()
            super().connect()

        def request(self, *arguments: Any, **options: Any) -> None:
            self._say()
            super().request(*arguments, **options)

        def _say(self) -> None:
            if limit := getattr(_mine, "limit", None):
                limit.connection = self

    class Pool(pool):  # type: ignore[valid-type, misc]
        ConnectionCls = Connection

    return Pool
