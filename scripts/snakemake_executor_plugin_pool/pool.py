"""A pool of long-lived processes that answer requests. One that dies costs each request it had in hand one more try.

`concurrent.futures` would lose all requests with one process. Here each process has a socket of its own, so the end of
that socket is the notice of its death, and of its alone. host.py forks the processes; it says how they are talked to.

One thread owns the processes. Other threads, signal handlers and the futures' callbacks only set flags, append to a
deque and wake it, so no method takes a lock.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

TRIES = 4
"""How many processes a request may lose; and how often a host is started that ends before it is ready."""
_SHORTEST_PAUSE = 0.1
_LONGEST_PAUSE = 1.0
"""Seconds between two tries."""
_CHUNK = 1 << 18
_HOST = Path(__file__).with_name("host.py")


class Lost(Exception):
    """A request has no answer: its processes died, or were ended. The text says in one line why."""


class Ended(Lost):
    """The pool was ended before a process had answered."""


class Crashed(Exception):
    """The task raised an exception, whose type and text this is, in one line. The log has its traceback."""


@dataclass(eq=False)
class _Request:
    text: str
    future: Future[str] = field(default_factory=Future)
    tries: int = 0
    due: float = 0.0
    """Under way: when its process is killed. Waiting for another try: when that begins."""


class _Peer:
    """Who is at the other end of a socket pair. The two write lines of JSON, each a message."""

    def __init__(self) -> None:
        self.socket, self._other = socket.socketpair()
        self._incoming = bytearray()

    def send(self, message: object) -> None:
        """Blocks while a long message is taken, which a process always does at once."""
        # If the peer has ended, that is still to be read.
        with suppress(ConnectionError):
            self.socket.sendall(json.dumps(message).encode() + b"\n")

    def read(self) -> list[Any] | None:
        """The messages that are complete now; None if the peer has ended. Blocks if select() did not name it."""
        try:
            chunk = self.socket.recv(_CHUNK)
        except ConnectionResetError:
            return None
        self._incoming += chunk
        lines: list[bytearray] = []
        # Looked for in what is new only: a message may come in thousands of chunks.
        if b"\n" in chunk:
            *lines, self._incoming = self._incoming.split(b"\n")
        return [json.loads(line) for line in lines] if chunk else None

    def end(self) -> None:
        self.socket.close()


class _Host(_Peer):
    def __init__(self, setup: dict[str, object], log: int) -> None:
        """Start it. Raises OSError."""
        super().__init__()
        self.is_ready = False
        with self._other:
            # -P: the folder of host.py is no place to import from.
            command = [sys.executable, "-u", "-P", "-X", "faulthandler", str(_HOST), str(self._other.fileno())]
            self._program = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[self._other.fileno()],
                start_new_session=True,
            )
        self.send(setup)

    def end(self) -> None:
        """End it: gently if it is ready, because it then collects the processes that have ended."""
        super().end()
        with suppress(subprocess.TimeoutExpired):
            self._program.wait(_LONGEST_PAUSE if self.is_ready else 0)
        self._program.kill()
        self._program.wait()


class _Process(_Peer):
    def __init__(self, host: _Host) -> None:
        """Have it made. Raises OSError."""
        super().__init__()
        self.in_hand: dict[int, _Request] = {}
        self.pid: int | None = None
        self.has_answered = False
        with self._other, suppress(ConnectionError):
            socket.send_fds(host.socket, [b"+"], [self._other.fileno()])

    def end(self) -> None:
        if self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        super().end()


class Pool:
    """Processes that are forked from one host, and replaced when they die. All end with the process that made the pool.

    Every method can be called from any thread, from a signal handler and from the callback of a future, more than once.
    The callbacks of futures run in the pool's only thread, except that of a future which somebody else cancels: they
    must be quick.
    """

    def __init__(
        self, task: str, argument: str, processes: int, threads: int, log: Path, patience: float = 3600.0
    ) -> None:
        """Start a host, and from it so many processes.

        In: `task`, "module:function", found on this process' sys.path. The host calls function(argument) once; it must
        not start threads. What that makes, such as memory to share, is there for all processes. It returns
        `prepare_process`, which each process calls at its first request. That returns `run`, which each process calls
        for each request, by so many threads at once. The log is appended to. A process whose request takes longer than
        `patience`, in seconds, is killed.
        Raises OSError if the log cannot be written.
        """
        self._setup = {"path": sys.path, "task": task, "argument": argument, "threads": threads}
        self._wanted, self._threads, self._patience = processes, threads, patience
        self._log = log.open("ab")
        self._dropped = self._closed = self._killed = self._is_over = False
        self._waiting: deque[_Request] = deque()
        self._begun: set[_Request] = set()
        self._again: list[_Request] = []
        self._numbers = count()
        self._selector = selectors.DefaultSelector()
        self._waker, woken = socket.socketpair()
        self._waker.setblocking(False)
        self._woken = woken
        self._selector.register(woken, selectors.EVENT_READ)
        self._host: _Host | None = None
        self._processes: list[_Process] = []
        self._failed_starts = 0
        self._hopeless = ""
        """Why no process can be started, ever."""
        self._start_at = self._pause = 0.0
        self._thread = threading.Thread(target=self._live, name="pool", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many requests no process has had yet."""
        return len(self._waiting)

    @property
    def in_hand(self) -> int:
        """How many requests a process has, or had and has lost, so that they wait for another try."""
        return len(self._begun)

    def submit(self, request: str) -> Future[str]:
        """Have a request answered. Out: its answer in time, or Crashed, or Lost. After drop(), it is cancelled."""
        made = _Request(request)
        self._waiting.append(made)
        self._wake()
        if self._is_over:
            # The pool's thread may have looked for the last time.
            self._cancel_waiting()
        return made.future

    def drop(self) -> None:
        """Cancel the requests that no process has had yet, and all that come. The others go on."""
        self._dropped = True
        self._wake()

    def close(self) -> None:
        """drop(), wait until the other requests are done, and end the processes. (In a callback: without waiting.)"""
        self._closed = True
        self.drop()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def kill(self) -> None:
        """End the processes now: those requests that they had are Ended. Does not wait for that; close() after it does.

        (Who is interrupted by the signal that leads here may hold what a callback waits for.)
        """
        self._killed = True
        self.drop()

    def _wake(self) -> None:
        # Full: it is about to wake. Closed: it is over.
        with suppress(OSError):
            self._waker.send(b".")

    def _live(self) -> None:
        try:
            while not self._killed and not (self._closed and not self._begun):
                if self._dropped:
                    self._cancel_waiting()
                self._start_missing()
                self._hand_out()
                for key, _ in self._selector.select(self._until_next()):
                    self._read(key.data)
                self._kill_overdue()
        finally:
            self._dropped = self._is_over = True
            for peer in (*self._processes, *([self._host] if self._host else [])):
                peer.end()
            for closed in (self._selector, self._log, self._waker, self._woken):
                closed.close()
            for request in list(self._begun):
                self._give(request, Ended("the processes were ended before they answered"))
            self._cancel_waiting()

    def _read(self, peer: _Host | _Process | None) -> None:
        if peer is None:
            self._woken.recv(_CHUNK)
        # It may have been ended because of another that select() named.
        elif peer.socket.fileno() >= 0:
            messages = peer.read()
            if isinstance(peer, _Host):
                self._from_host(peer, messages)
            else:
                self._from_process(peer, messages)

    def _give(self, request: _Request, answer: str | Exception) -> None:
        self._begun.remove(request)
        if isinstance(answer, str):
            request.future.set_result(answer)
        else:
            request.future.set_exception(answer)

    def _cancel_waiting(self) -> None:
        with suppress(IndexError):
            while True:
                future = self._waiting.popleft().future
                future.cancel()
                future.set_running_or_notify_cancel()

    def _until_next(self) -> float | None:
        """Seconds until something is to be done that no socket tells; None: only sockets tell."""
        times = [request.due for process in self._processes for request in process.in_hand.values()]
        # Those whose turn has come wait for a process.
        times += [request.due for request in self._again if request.due > time.monotonic()]
        if len(self._processes) < self._wanted and not self._hopeless and (not self._host or self._host.is_ready):
            times.append(self._start_at)
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _start_missing(self) -> None:
        if self._hopeless or time.monotonic() < self._start_at:
            return
        try:
            if not self._host:
                self._host = _Host(self._setup, self._log.fileno())
                self._selector.register(self._host.socket, selectors.EVENT_READ, self._host)
            while self._host.is_ready and len(self._processes) < self._wanted:
                process = _Process(self._host)
                self._processes.append(process)
                self._selector.register(process.socket, selectors.EVENT_READ, process)
        except OSError as error:
            self._start_failed(error.strerror or str(error))

    def _start_failed(self, why: str) -> None:
        self._back_off()
        self._failed_starts += 1
        if self._failed_starts >= TRIES and not self._processes:
            self._give_up(why)

    def _give_up(self, why: str) -> None:
        self._hopeless = self._hopeless or f"no process can be started ({why}): see {self._log.name}"

    def _back_off(self) -> None:
        """Something died before it was of use: start the next after a pause, which grows until there is an answer."""
        if self._start_at > time.monotonic():
            return
        self._start_at = time.monotonic() + self._pause
        self._pause = min(_LONGEST_PAUSE, self._pause * 2 or _SHORTEST_PAUSE)

    def _from_host(self, host: _Host, messages: list[Any] | None) -> None:
        for why in messages or ():
            host.is_ready = why is None
            if why:
                self._give_up(why)
        if messages is None:
            self._selector.unregister(host.socket)
            host.end()
            self._host = None
            # Its processes died with it, which their own sockets tell, after the answers that they had given.
            if host.is_ready:
                self._back_off()
            else:
                self._start_failed("the program that starts them died")

    def _from_process(self, process: _Process, messages: list[Any] | None) -> None:
        for message in messages or ():
            if process.pid is None:
                process.pid = message
                continue
            number, answered, text = message
            process.has_answered = True
            self._failed_starts, self._pause = 0, 0.0
            self._give(process.in_hand.pop(number), text if answered else Crashed(text))
        if messages is None:
            self._lose(process, "died")

    def _lose(self, process: _Process, how: str) -> None:
        """A process is dead, or has to be: its requests get another try, if they have any left."""
        self._selector.unregister(process.socket)
        process.end()
        self._processes.remove(process)
        if not process.has_answered:
            self._back_off()
        for request in process.in_hand.values():
            if request.tries < TRIES:
                request.due = time.monotonic() + _SHORTEST_PAUSE * 2 ** (request.tries - 1)
                self._again.append(request)
            else:
                why = f"{TRIES} processes were lost with it, of which the last {how}: see {self._log.name}"
                self._give(request, Lost(why))

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for process in list(self._processes):
            if any(request.due < now for request in process.in_hand.values()):
                self._lose(process, f"was killed after {self._patience:g} seconds")

    def _hand_out(self) -> None:
        while self._hopeless and not self._processes and (request := self._next()):
            self._give(request, Lost(self._hopeless))
        while self._processes:
            process = min(self._processes, key=lambda process: len(process.in_hand))
            if len(process.in_hand) == self._threads or not (request := self._next()):
                return
            number = next(self._numbers)
            request.tries += 1
            request.due = time.monotonic() + self._patience
            process.in_hand[number] = request
            process.send([number, request.text])

    def _next(self) -> _Request | None:
        """The request whose turn it is: those tried again come first."""
        if self._again:
            first = min(self._again, key=lambda request: request.due)
            if first.due <= time.monotonic():
                self._again.remove(first)
                return first
        with suppress(IndexError):
            while True:
                request = self._waiting.popleft()
                if request.future.set_running_or_notify_cancel():
                    self._begun.add(request)
                    return request
        return None
