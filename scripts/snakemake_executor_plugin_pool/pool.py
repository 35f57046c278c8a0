"""A pool of long-lived processes that answer requests. If a process dies, only the requests it had are tried again.

`concurrent.futures` would lose all requests with one process. Here each process has a socket of its own. When that
socket closes, that process, and no other, is dead. host.py forks the processes and describes the protocol.

One thread owns the processes. Other threads, signal handlers and the futures' callbacks only set flags, append to a
deque and wake that thread, so no method takes a lock.
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
"""How many processes one request may lose, and how often to start a host that dies before it is ready."""
_SHORTEST_PAUSE = 0.1
_LONGEST_PAUSE = 1.0
"""Seconds between two tries."""
_CHUNK = 1 << 18
_HOST = Path(__file__).with_name("host.py")


class Lost(Exception):
    """A request got no answer, because its processes died or were killed. The message says why, in one line."""


class Ended(Lost):
    """The pool ended before a process had answered."""


class Crashed(Exception):
    """The task raised an exception. The message is its type and text in one line; the traceback is in the log."""


def _ended() -> Ended:
    return Ended("the processes were ended before they answered")


@dataclass(eq=False)
class _Request:
    text: str
    future: Future[str] = field(default_factory=Future)
    tries: int = 0
    due: float = 0.0
    """Under way: when its process will be killed. Waiting for a retry: when the retry begins. Monotonic time."""


class _Peer:
    """The peer at the other end of a socket pair. Each message is one line of JSON."""

    def __init__(self) -> None:
        self.socket, self._other = socket.socketpair()
        self._incoming = bytearray()

    def send(self, message: object) -> None:
        """Send one message. Blocks until the peer has read it; a process reads at once."""
        # A dead peer is noticed by read().
        with suppress(ConnectionError):
            self.socket.sendall(json.dumps(message).encode() + b"\n")

    def read(self) -> list[Any] | None:
        """The messages that are complete; None if the peer is dead. Blocks unless select() reported the socket."""
        try:
            chunk = self.socket.recv(_CHUNK)
        except ConnectionResetError:
            return None
        self._incoming += chunk
        lines: list[bytearray] = []
        # Look for a line end in the new chunk only: a message may come in thousands of chunks.
        if b"\n" in chunk:
            *lines, self._incoming = self._incoming.split(b"\n")
        return [json.loads(line) for line in lines] if chunk else None

    def end(self) -> None:
        self.socket.close()


class _Host(_Peer):
    def __init__(self, setup: dict[str, object], log: int) -> None:
        """Start the host. Raises OSError."""
        super().__init__()
        self.is_ready = False
        with self._other:
            # -P: do not import modules from the folder of host.py.
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
        """End the host. If it is ready, give it time to collect the exit codes of its processes."""
        super().end()
        with suppress(subprocess.TimeoutExpired):
            self._program.wait(_LONGEST_PAUSE if self.is_ready else 0)
        self._program.kill()
        self._program.wait()


class _Process(_Peer):
    def __init__(self, host: _Host) -> None:
        """Have the host fork a process. Raises OSError."""
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
    """Processes that are forked from one host and replaced when they die. They end when the creating process ends.

    All methods can be called more than once, from any thread, from a signal handler and from the callback of a future.
    A future's callback runs in the pool's only thread, or, if the future is already done, in the thread that adds the
    callback. So it must be quick.
    """

    def __init__(
        self, task: str, argument: str, processes: int, threads: int, log: Path, patience: float = 3600.0
    ) -> None:
        """Start a host, and from it `processes` processes.

        In: `task`, "module:function", found on this process' sys.path. The host calls function(argument) once; it must
        not start threads. What it creates, such as shared memory, is shared by all processes. It returns
        `prepare_process`, which each process calls at its first request. That returns what the process runs for each
        request, in up to `threads` threads at once (host.Run). The log is appended to. A process whose request takes
        longer than `patience` seconds is killed. Raises OSError if the log cannot be written.
        """
        self._setup = {"path": sys.path, "task": task, "argument": argument, "threads": threads}
        self._wanted, self._threads, self._patience = processes, threads, patience
        self._log = log.open("ab")
        self._dropped = self._told = self._closed = self._killed = self._is_over = False
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
        """Why no process can ever be started; "" as long as one may be."""
        self._start_at = self._pause = 0.0
        self._thread = threading.Thread(target=self._live, name="pool", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many requests have not been given to a process yet."""
        return len(self._waiting)

    @property
    def in_hand(self) -> int:
        """How many requests are with a process, or wait for a retry because their process died."""
        return len(self._begun)

    def submit(self, request: str) -> Future[str]:
        """Queue a request. Out: a future for its answer, or for Crashed or Lost. After drop(), it is cancelled."""
        made = _Request(request)
        self._waiting.append(made)
        self._wake()
        if self._is_over:
            # The pool's thread may already have emptied the queue for the last time.
            self._cancel_waiting()
        return made.future

    def drop(self) -> None:
        """Cancel the requests that no process has started, and all later ones.

        The others go on, unless they only wait: the processes are told to end those (host.Run.drop). The requests of a
        process that dies from now on are Ended.
        """
        self._dropped = True
        self._wake()

    def close(self) -> None:
        """drop(), wait until the other requests are done, then end the processes. In a callback it does not wait."""
        self._closed = True
        self.drop()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def kill(self) -> None:
        """Kill the processes now; the requests they had are Ended. Does not wait; a close() after it does.

        Waiting here could deadlock: the code that a signal interrupted may hold a lock that a callback needs.
        """
        self._killed = True
        self.drop()

    def _wake(self) -> None:
        # A full socket wakes the thread anyway; a closed one means that the pool has ended.
        with suppress(OSError):
            self._waker.send(b".")

    def _live(self) -> None:
        try:
            while not self._killed and not (self._closed and not self._begun):
                if self._dropped:
                    self._drop()
                else:
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
                self._give(request, _ended())
            self._cancel_waiting()

    def _read(self, peer: _Host | _Process | None) -> None:
        if peer is None:
            self._woken.recv(_CHUNK)
        # It may have been closed while an earlier socket of the same select() was handled.
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

    def _drop(self) -> None:
        self._cancel_waiting()
        while self._again:
            self._give(self._again.pop(), _ended())
        if not self._told:
            self._told = True
            for process in self._processes:
                process.send(None)

    def _until_next(self) -> float | None:
        """Seconds until the next timed action; None if only a socket can wake the thread."""
        times = [request.due for process in self._processes for request in process.in_hand.values()]
        # Retries that are already due wait for a process, not for a time.
        times += [request.due for request in self._again if request.due > time.monotonic()]
        may_start = not self._dropped and not self._hopeless and (not self._host or self._host.is_ready)
        if len(self._processes) < self._wanted and may_start:
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
        """Delay the next start after a process died before its first answer; the pause grows until an answer comes."""
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
            # Its processes died with it. Their own sockets report that, after the answers that they still hold.
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
        """Remove a process that is dead or has to be killed. Its requests are retried, if they have tries left."""
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
                self._lose(process, f"was killed after {self._patience:g} s")

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
        """The next request; retries that are due come first."""
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
