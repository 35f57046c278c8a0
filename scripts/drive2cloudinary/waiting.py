"""Waiting that ends when the run is told to stop: pauses between two tries, limits, outages, another thread's turn."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident

from drive2cloudinary.errors import Interrupted

_stopped = threading.Event()
_waiting: set[int] = set()
"""The threads of this process that only wait: if the process ended now, no call would be cut off."""


def pause(seconds: float) -> None:
    """Wait for some seconds. Raises Interrupted as soon as `stop` is called, and at once after that."""
    with only_waiting():
        if _stopped.wait(seconds):
            raise Interrupted("not tried: the run was told to stop")


def stop() -> None:
    """End all pauses of this process, now and later. Calls under way go on."""
    _stopped.set()


@contextmanager
def only_waiting() -> Iterator[None]:
    """Within this context, this thread only waits. A name server or a connection can let it wait for many seconds."""
    is_outermost = get_ident() not in _waiting
    _waiting.add(get_ident())
    try:
        yield
    finally:
        if is_outermost:
            _waiting.discard(get_ident())


@contextmanager
def turn(lock: threading.Lock) -> Iterator[None]:
    """Hold a lock; the thread only waits until it has it."""
    with only_waiting():
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def waiting_threads() -> frozenset[int]:
    """The identifiers of the threads that only wait now."""
    return frozenset(_waiting.copy())
