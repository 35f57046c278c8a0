"""A job's side of the warm workers: starting them if need be, and asking them for one image.

Imports nothing that takes long: this is what a job waits for when there are no workers yet.
"""

from __future__ import annotations

import fcntl
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .errors import MigrationError
from .workers import Address, Answer

PATIENCE = 3600.0
"""Seconds a job waits for its worker, which has its own timeouts; this ends only what is wedged."""


class WorkerLost(Exception):
    """The worker died, or there is none at that address."""


def ask(path: Path, request: str) -> Answer:
    """Have one request answered by the workers of this file. Raises WorkerLost."""
    address = Address.read(path)
    if address is None:
        raise WorkerLost(f"no workers at {path}")
    try:
        with socket.create_connection(("127.0.0.1", address.port), timeout=PATIENCE) as connection:
            connection.sendall(f"{address.request_secret} {request}\n".encode())
            with connection.makefile("rb") as stream:
                line = stream.readline().decode()
    except OSError as error:
        raise WorkerLost(str(error)) from error
    secret, _, answer = line.rstrip("\n").partition(" ")
    status, _, text = answer.partition(" ")
    if not line.endswith("\n") or secret != address.answer_secret:
        raise WorkerLost("the worker ended while it moved this image")
    return status, text


def ensure_workers(path: Path, command: Sequence[str], log: Path) -> None:
    """Start the workers of this file, unless somebody has already; returns when they listen.

    In: the workers' file; the command that starts them, whose first line of output means that they listen; where its
    other output goes. Safe when many jobs call it at once. Raises MigrationError if they do not start.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name("starting.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _listening(path):
            return
        with log.open("ab") as errors:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
            )
        assert process.stdout
        if not process.stdout.readline():
            raise MigrationError(f"the workers did not start: see {log}")


def _listening(path: Path) -> bool:
    address = Address.read(path)
    if address is None:
        return False
    try:
        socket.create_connection(("127.0.0.1", address.port), timeout=5).close()
    except OSError:
        return False
    return True
