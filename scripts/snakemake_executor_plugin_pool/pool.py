"""A pool of long-lived processes that answer requests. If a process dies, only the requests it had are tried again.

`concurrent.futures` would lose all requests with one process. Here each process has a socket of its own. When that
socket closes, that process, and no other, is dead. host.py forks the processes and describes the protocol.

One thread owns the processes and the state. Other threads, signal handlers and the futures' callbacks only append to
two deques and wake that thread, so no method takes a lock.
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
from enum import IntEnum
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from .answers import Answer, Status

TRIES = 4
"""How many processes one request may lose, and how often to start a host that dies before it is ready."""
_PAUSE = 0.25
"""Seconds between two tries."""
_GRACE = 1.0
"""Seconds that a host has to collect the exit codes of its processes."""
_CHUNK = 1 << 18
_HOST = Path(__file__).with_name("host.py")


class _State(IntEnum):
    """What the pool still does. It only ever goes on to a later state."""

    OPEN = 0
    DROPPING = 1
    """It finishes the requests under way, and starts no other."""
    CLOSING = 2
    """It ends when no request is under way."""
    KILLED = 3
    OVER = 4
    """Its thread looks at nothing any more."""


@dataclass(eq=False)
class _Request:
    value: Any
    future: Future[Answer] = field(default_factory=Future)
    tries: int = 0
    due: float = 0.0
    """With a process: when that is killed. Waiting for a retry: when the retry begins. Monotonic time."""


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
        if not chunk:
            return None
        self._incoming += chunk
        # Look for a line end in the new chunk only: a message may come in thousands of chunks.
        if b"\n" not in chunk:
            return []
        *lines, self._incoming = self._incoming.split(b"\n")
        return [json.loads(line) for line in lines]

    def end(self) -> None:
        self.socket.close()


class _Host(_Peer):
    def __init__(self, setup: dict[str, object], log: int) -> None:
        """Start the host. Raises OSError."""
        super().__init__()
        self.is_ready = False
        self.why = "the program that starts them died"
        """Why it cannot start processes, if it is not ready."""
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
        super().end()
        with suppress(subprocess.TimeoutExpired):
            self._program.wait(_GRACE if self.is_ready else 0)
        self._program.kill()
        self._program.wait()


class _Process(_Peer):
    def __init__(self, host: _Host) -> None:
        """Have the host fork a process. Raises OSError."""
        super().__init__()
        self.in_hand: dict[int, _Request] = {}
        self.pid: int | None = None
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
        not start threads. All processes share what it creates, such as shared memory. It returns `prepare_process`,
        which each process calls when it begins. That returns what the process runs for each request, in up to
        `threads` threads at once (host.Run). The log is appended to. A process whose request takes longer than
        `patience` seconds is killed. Raises OSError if the log cannot be written.
        """
        self._setup = {"path": sys.path, "task": task, "argument": argument, "threads": threads}
        self._wanted, self._threads, self._patience = processes, threads, patience
        self._log = log.open("ab")
        self._state = _State.OPEN
        self._orders: deque[_State] = deque()
        self._waiting: deque[_Request] = deque()
        self._under_way: set[_Request] = set()
        self._again: deque[_Request] = deque()
        """The requests under way whose process is dead; the next one that is due comes first."""
        self._numbers = count()
        self._selector = selectors.DefaultSelector()
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, partial(self._woken.recv, _CHUNK))
        self._host: _Host | None = None
        self._processes: list[_Process] = []
        self._start_at = 0.0
        self._failed_starts = 0
        self._hopeless = ""
        """Why no process can ever be started; "" as long as one may be."""
        self._thread = threading.Thread(target=self._live, name="pool", daemon=True)
        self._thread.start()

    def submit(self, request: Any) -> Future[Answer]:
        """Queue a request, any value that JSON can hold. Out: a future, which always gets an answer."""
        made = _Request(request)
        # From now on, nobody can cancel it.
        made.future.set_running_or_notify_cancel()
        self._waiting.append(made)
        self._wake()
        if self._state is _State.OVER:
            # The pool's thread may already have emptied the queue for the last time.
            self._drop_waiting()
        return made.future

    def drop(self) -> int:
        """Drop the requests that no process has started, and all later ones. Out: how many are under way.

        These go on, unless they only wait: the processes are told to end those (host.Run.drop). If a process dies from
        now on, its requests are dropped.
        """
        under_way = len(self._under_way)
        self._order(_State.DROPPING)
        return under_way

    def close(self) -> None:
        """drop(), wait until the other requests are done, then end the processes. In a callback it does not wait."""
        self._order(_State.CLOSING)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def kill(self) -> None:
        """Kill the processes now, and drop all requests. Does not wait; a close() after it does.

        Waiting here could deadlock: the code that a signal interrupted may hold a lock that a callback needs.
        """
        self._order(_State.KILLED)

    def _order(self, state: _State) -> None:
        self._orders.append(state)
        self._wake()

    def _wake(self) -> None:
        # A full socket wakes the thread anyway; a closed one means that the pool has ended.
        with suppress(OSError):
            self._waker.send(b".")

    def _live(self) -> None:
        try:
            while self._take_orders():
                if self._state is _State.OPEN:
                    self._start_missing()
                    self._hand_out()
                for key, _ in self._selector.select(self._until_next()):
                    key.data()
                self._kill_overdue()
        finally:
            self._state = _State.OVER
            for peer in (*self._processes, *([self._host] if self._host else [])):
                peer.end()
            for closed in (self._selector, self._log, self._waker, self._woken):
                closed.close()
            for request in list(self._under_way):
                self._give(request, Answer(Status.DROPPED))
            self._drop_waiting()

    def _take_orders(self) -> bool:
        """Take the orders that have come, and drop what they say. Out: whether to go on."""
        was_open = self._state is _State.OPEN
        while self._orders:
            self._state = max(self._state, self._orders.popleft())
        if self._state is _State.KILLED:
            return False
        if self._state is not _State.OPEN:
            if was_open:
                for process in self._processes:
                    process.send(None)
            self._drop_waiting()
        return bool(self._under_way) or self._state is not _State.CLOSING

    def _give(self, request: _Request, answer: Answer) -> None:
        self._under_way.remove(request)
        request.future.set_result(answer)

    def _drop_waiting(self) -> None:
        while self._again:
            self._give(self._again.popleft(), Answer(Status.DROPPED))
        with suppress(IndexError):
            while True:
                self._waiting.popleft().future.set_result(Answer(Status.DROPPED))

    def _until_next(self) -> float | None:
        """Seconds until the next timed action; None if only a socket can wake the thread."""
        now = time.monotonic()
        times = [request.due for process in self._processes for request in process.in_hand.values()]
        # Retries that are already due wait for a process, not for a time.
        times += [request.due for request in self._again if request.due > now]
        may_start = self._state is _State.OPEN and not self._hopeless and (not self._host or self._host.is_ready)
        if may_start and len(self._processes) < self._wanted:
            times.append(self._start_at)
        return max(0.0, min(times) - now) if times else None

    def _start_missing(self) -> None:
        if self._hopeless or time.monotonic() < self._start_at:
            return
        try:
            if not self._host:
                self._host = _Host(self._setup, self._log.fileno())
                self._selector.register(self._host.socket, selectors.EVENT_READ, partial(self._read_host, self._host))
            while self._host.is_ready and len(self._processes) < self._wanted:
                process = _Process(self._host)
                self._processes.append(process)
                self._selector.register(process.socket, selectors.EVENT_READ, partial(self._read_process, process))
        except OSError as error:
            self._start_failed(str(error))

    def _start_failed(self, why: str) -> None:
        self._start_at = time.monotonic() + _PAUSE
        self._failed_starts += 1
        if self._failed_starts >= TRIES and not self._processes:
            self._hopeless = f"no process can be started ({why}): see {self._log.name}"

    def _read_host(self, host: _Host) -> None:
        messages = host.read()
        for why in messages or ():
            if why is None:
                host.is_ready = True
            else:
                # Another host would meet with the same.
                host.why, self._failed_starts = why, TRIES
        if messages is None:
            self._selector.unregister(host.socket)
            host.end()
            self._host = None
            # The processes of a host that was ready died with it. Their own sockets say so, after their last answers.
            if not host.is_ready:
                self._start_failed(host.why)

    def _read_process(self, process: _Process) -> None:
        messages = process.read()
        for message in messages or ():
            if process.pid is None:
                process.pid = message
                continue
            number, status, line = message
            self._failed_starts = 0
            self._give(process.in_hand.pop(number), Answer(Status(status) if status else Status.LOST, line))
        if messages is None:
            self._lose(process, "died")

    def _lose(self, process: _Process, how: str) -> None:
        """Remove a process that is dead or has to be killed. Its requests are retried, if they have tries left."""
        self._selector.unregister(process.socket)
        process.end()
        self._processes.remove(process)
        self._start_at = time.monotonic() + _PAUSE
        for request in process.in_hand.values():
            if request.tries < TRIES:
                request.due = self._start_at
                self._again.append(request)
            else:
                why = f"{TRIES} processes were lost with it, of which the last {how}: see {self._log.name}"
                self._give(request, Answer(Status.LOST, why))

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for process in list(self._processes):
            if any(request.due < now for request in process.in_hand.values()):
                self._lose(process, f"was killed after {self._patience:g} s")

    def _hand_out(self) -> None:
        while self._hopeless and not self._processes and (request := self._next()):
            self._give(request, Answer(Status.LOST, self._hopeless))
        while self._processes:
            process = min(self._processes, key=lambda process: len(process.in_hand))
            if len(process.in_hand) == self._threads or not (request := self._next()):
                return
            number = next(self._numbers)
            request.tries += 1
            request.due = time.monotonic() + self._patience
            process.in_hand[number] = request
            process.send([number, request.value])

    def _next(self) -> _Request | None:
        """The next request; a retry that is due comes first."""
        if self._again and self._again[0].due <= time.monotonic():
            return self._again.popleft()
        with suppress(IndexError):
            request = self._waiting.popleft()
            self._under_way.add(request)
            return request
        return None
