"""The host: the program that forks the processes of a pool, and the code that these processes run.

pool.py starts it, by its path. It loads only the task and has no threads, so forking is safe and the processes share
its memory. The pool is at the other end of the control socket. It writes one line of JSON: what to run. It reads one
line back: null, or why that cannot be run. Then it sends one socket for each process that it wants. Each process keeps
only its own socket. Through it the process sends its PID, then reads [number, request], or null when the pool drops
what only waits, and sends [number, status, line] for each request; the status is null if the task raised an exception.
When the socket closes, the pool knows that the process is dead, and the process knows that it has to exit.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from queue import SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

if TYPE_CHECKING:
    from .answers import Answer

_LONGEST_LINE = 300
_DROP = b"null\n"


class Run(Protocol):
    """What a process runs. It is called with each request, as JSON has it, in several threads at once."""

    def __call__(self, request: Any) -> Answer: ...

    def drop(self) -> None:
        """End the requests that only wait; the others go on. May end the process."""


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    _die_with_parent()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    line = control.makefile("rb").readline()
    if not line:
        return
    setup = json.loads(line)
    sys.path[:] = setup["path"]
    try:
        module, _, function = setup["task"].partition(":")
        prepare: Callable[[], Run] = getattr(importlib.import_module(module), function)(setup["argument"])
    except Exception as error:
        _log_traceback()
        control.sendall(_json_line(_one_line(error)))
        return
    # The processes share what is loaded now, as long as no garbage collection writes to it.
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, _reap)
    control.sendall(_json_line(None))
    _serve(control, prepare, setup["threads"])
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def _serve(control: socket.socket, prepare: Callable[[], Run], threads: int) -> None:
    """Fork a process for each socket received, until the pool closes the control socket."""
    while True:
        try:
            received, sockets, _, _ = socket.recv_fds(control, 1, 1)
        except ConnectionResetError:
            return
        if not received:
            return
        for number in sockets:
            with socket.socket(fileno=number) as connection:
                connection.set_inheritable(False)
                try:
                    child = os.fork()
                except OSError:
                    # The closed socket tells the pool that this process is dead; it will request another.
                    _log_traceback()
                    continue
                if not child:
                    control.close()
                    _be_process(connection, prepare, threads)


def _be_process(connection: socket.socket, prepare: Callable[[], Run], threads: int) -> NoReturn:
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _die_with_parent()
        _Process(connection).live(prepare, threads)
    except BaseException:
        _log_traceback()
    finally:
        os._exit(0)


class _Process:
    """Answers requests in several threads until its socket closes."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._requests: SimpleQueue[bytes] = SimpleQueue()

    def live(self, prepare: Callable[[], Run], threads: int) -> None:
        with contextlib.suppress(ConnectionError):
            self._send(os.getpid())
            run = prepare()
            for _ in range(threads):
                threading.Thread(target=self._work, args=[run], daemon=True).start()
            for line in self._connection.makefile("rb"):
                if line == _DROP:
                    run.drop()
                else:
                    self._requests.put(line)

    def _work(self, run: Run) -> None:
        """The loop of one thread. An uncaught exception (out of memory, sys.exit()) ends the whole process."""
        try:
            while True:
                number, request = json.loads(self._requests.get())
                self._send([number, *_answer(run, request)])
        except ConnectionError:
            os._exit(0)
        except BaseException:
            _log_traceback()
        finally:
            os._exit(1)

    def _send(self, message: object) -> None:
        line = _json_line(message)
        with self._sending:
            self._connection.sendall(line)


def _answer(run: Run, request: Any) -> tuple[str | None, str]:
    """The status and the line of the answer; if `run` raises an exception, None and the exception in one line."""
    try:
        answer = run(request)
        return answer.status, answer.line
    except MemoryError:
        raise
    except Exception as error:
        _log_traceback()
        return None, _one_line(error)


def _json_line(message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"


def _one_line(error: Exception) -> str:
    text = " ".join("".join(traceback.format_exception_only(error)).split())
    return "".join(c if c.isprintable() else "?" for c in text[:_LONGEST_LINE])


def _log_traceback() -> None:
    # A full disk must not end the process.
    with contextlib.suppress(OSError):
        sys.stderr.write(traceback.format_exc())


def _reap(_: int, __: FrameType | None) -> None:
    """Log how a process ended. A SIGKILL that nobody sent usually means that memory ran out."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            status = os.waitstatus_to_exitcode(ended[1])
            how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with exit code {status}"
            with contextlib.suppress(OSError):
                sys.stderr.write(f"process {ended[0]} {how}\n")


def _die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies, even if no thread of it can run. Linux only: prctl(2)."""
    pr_set_pdeathsig = 1
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


if __name__ == "__main__":
    main()
