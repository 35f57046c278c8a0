"""The warm workers: pre-forked processes that hold their connections and move one image after the other for jobs.

A job asks over TCP on 127.0.0.1, which bash can do without starting another program. The workers' file names the port
and two secrets; its folder is closed to other users. A request begins with the first secret, so nobody else is
served; an answer begins with the second, so nobody else's answer is believed.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import hmac
import os
import secrets
import shutil
import signal
import socket
import stat
import struct
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import MigrationError
from .files import replacing

Answer = tuple[str, str]
"""What a worker says of a request: moved, failed or stop, and one line: the marker or the error."""

_LONGEST_REQUEST = 4096
_HEARTBEAT = 1.0
"""Seconds between two looks at whether the run lives."""


@dataclass(frozen=True)
class Address:
    """Where the workers of a run listen on this machine, and the secrets of both sides."""

    port: int
    request_secret: str
    answer_secret: str

    @classmethod
    def read(cls, path: Path) -> Address | None:
        """The address in a workers' file of this user; None if there is none."""
        try:
            if path.stat().st_uid != os.getuid():
                return None
            port, request_secret, answer_secret = path.read_text().split()
            return cls(int(port), request_secret, answer_secret)
        except (OSError, ValueError):
            return None

    def write(self, path: Path) -> None:
        with replacing(path) as stream:
            os.fchmod(stream.fileno(), 0o600)
            stream.write(f"{self.port} {self.request_secret} {self.answer_secret}\n")


@contextlib.contextmanager
def serving(path: Path) -> Iterator[bool]:
    """Whether it is for this process to serve the run of this workers' file: one at a time, until it ends.

    Makes the file's folder, and removes it at the end. Raises MigrationError if it is somebody else's.
    """
    _make_private(path.parent)
    lock_path = path.with_suffix(".lock")
    with lock_path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            lock_path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                path.parent.rmdir()


def is_served(path: Path) -> bool:
    """Whether a process serves this run, or is about to."""
    with contextlib.suppress(FileNotFoundError), path.with_suffix(".lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def forget(run_id: str) -> None:
    """Remove what the workers of a run that is over have left, if they were killed. In: its ID, "" for none."""
    if run_id:
        shutil.rmtree(file_of(run_id).parent, ignore_errors=True)


def serve(path: Path, wanted: Callable[[], bool], count: int, prepare: Callable[[], Callable[[str], Answer]]) -> None:
    """Be the workers of a run; returns when they are not `wanted` any more.

    In: the workers' file, written when they are ready and removed at the end; whether that which they work for still
    lives; how many processes; `prepare`, called once in each process, whose result answers a request line. A worker
    that dies is replaced.
    """
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    address = Address(listener.getsockname()[1], secrets.token_hex(16), secrets.token_hex(16))
    children: set[int] = set()
    ending = False

    def end(*_: object) -> None:
        nonlocal ending
        ending = True

    signal.signal(signal.SIGTERM, end)
    # What is loaded now is shared by all workers, as long as no garbage collection writes to it.
    gc.collect()
    gc.freeze()
    try:
        for _ in range(count):
            children.add(_fork(listener, address, prepare))
        address.write(path)
        while wanted() and not ending:
            for child in _ended(children):
                children.remove(child)
                children.add(_fork(listener, address, prepare))
            time.sleep(_HEARTBEAT / 4)
    finally:
        path.unlink(missing_ok=True)
        listener.close()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


def _fork(listener: socket.socket, address: Address, prepare: Callable[[], Callable[[str], Answer]]) -> int:
    parent = os.getpid()
    child = os.fork()
    if child:
        return child
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _die_with_parent()
        _work(listener, address, parent, prepare())
    except Exception:
        # Nobody foresaw it: to the workers' log; the parent starts another worker.
        traceback.print_exc()
    finally:
        os._exit(0)


def _die_with_parent() -> None:
    """Whatever kills the parent: a worker that lived on would hold its lock and its port. Linux only (prctl(2))."""
    pr_set_pdeathsig = 1
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def _ended(children: set[int]) -> list[int]:
    ended = []
    for child in children:
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(child, os.WNOHANG)[0]:
                ended.append(child)
    return ended


def _work(listener: socket.socket, address: Address, parent: int, answer: Callable[[str], Answer]) -> None:
    """Serve one request after the other until the parent is gone."""
    # The kernel wakes only one of many processes that block in accept(); a poll with a timeout would wake them all.
    listener.setblocking(True)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(_HEARTBEAT), 0))
    while os.getppid() == parent:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            continue
        with connection, contextlib.suppress(OSError):
            _serve_one(connection, address, answer)


def _serve_one(connection: socket.socket, address: Address, answer: Callable[[str], Answer]) -> None:
    # One piece within one heartbeat: a stranger cannot hold a worker up by dripping.
    connection.settimeout(_HEARTBEAT)
    line = connection.recv(_LONGEST_REQUEST).decode(errors="replace")
    secret, _, request = line.rstrip("\n").partition(" ")
    if not line.endswith("\n") or not hmac.compare_digest(secret, address.request_secret):
        return
    status, text = answer(request)
    connection.settimeout(None)
    connection.sendall(f"{address.answer_secret} {status} {text}\n".encode())


def file_of(run_id: str) -> Path:
    """Where the workers of a run have their file on this machine: in a folder of its own, which they make.

    Nobody can have made that folder before, because the ID is random. Raises MigrationError.
    """
    try:
        folder = tempfile.gettempdir()
    except OSError as error:
        raise MigrationError(
            "there is no folder for temporary files: set TMPDIR to one that you may write to"
        ) from error
    return Path(folder, f"drive2cloudinary-{run_id}", run_id)


def _make_private(folder: Path) -> None:
    """Make a folder that only this user can enter, or see that it is one. Raises MigrationError."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError as error:
        # That of workers of this run that were killed.
        found = folder.lstat()
        if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077:
            raise MigrationError(f"{folder} belongs to somebody else, or others can enter it: remove it") from error
