"""A job's side of the warm workers: starting them if need be, and asking them for one image.

Imports nothing that takes long: this is what a job waits for when there are no workers yet.
"""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from .errors import MigrationError
from .run import Run
from .workers import Address, Answer, is_served

PATIENCE = 3600.0
"""Seconds a job waits for its worker, which has its own timeouts; this ends only what is wedged."""

_START = 60.0
"""Seconds that the workers may take to start."""


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


@dataclass(frozen=True)
class WorkersWanted:
    """The workers that a run needs on this machine: the run's (first) results folder, their file, the settings as JSON,
    how many.

    batch is the ID of this process if it is a batch on a cluster's node, for which they then work, and not for the run.
    """

    home: Path
    address: Path
    settings: str
    count: int
    batch: int | None = None

    @property
    def log(self) -> Path:
        """Where they say what nobody foresaw."""
        return self.home / "logs" / "workers.log"

    @property
    def run_lives(self) -> bool:
        """Whether the run is not over, whose ID is the name of the workers' file; for a batch, always."""
        return self.batch is not None or Run(self.home).is_alive(self.address.name)

    @property
    def arguments(self) -> str:
        """What a job needs to know of them, as words for a shell."""
        return shlex.join([str(self.address), str(self.home), self.settings, str(self.count)])

    def start(self) -> subprocess.Popen[bytes]:
        """Start them in the background; where others serve this run already, these end by themselves."""
        command = [
            sys.executable,
            str(Path(__file__).parents[1] / "transfer_workers.py"),
            f"--settings={self.settings}",
            f"--run={self.home}",
            f"--address={self.address}",
            f"--count={self.count}",
            *([f"--batch={self.batch}"] if self.batch else []),
        ]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C is for the run, whose end they see.
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def ensure(self) -> None:
        """Return when they listen, and start them unless somebody has; safe when many jobs call it at once.

        Raises MigrationError if they do not start, or if there is no run any more for which they could.
        """
        started: subprocess.Popen[bytes] | None = None
        give_up = time.monotonic() + _START
        while not _listening(self.address):
            if not self.run_lives:
                raise MigrationError("the run is over")
            if not is_served(self.address):
                if started and (started.poll() or 0) > 0:
                    raise MigrationError(f"the workers did not start: see {self.log}")
                if not started or started.poll() is not None:
                    # Others were there before, or it was killed.
                    started = self.start()
            if time.monotonic() > give_up:
                raise MigrationError(f"the workers did not start in {_START:.0f} s: see {self.log}")
            time.sleep(0.02)


def _listening(path: Path) -> bool:
    address = Address.read(path)
    if address is None:
        return False
    try:
        socket.create_connection(("127.0.0.1", address.port), timeout=5).close()
    except OSError:
        return False
    return True
