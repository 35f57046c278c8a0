"""The run that holds a results folder: one at a time, and none that is dead."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import tempfile
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from drive2cloudinary.checks import is_md5
from drive2cloudinary.errors import MigrationError, one_line
from drive2cloudinary.files import open_file, open_lock, read_json_object, replacing
from drive2cloudinary.results import layout
from drive2cloudinary.results.format import numbered, without_number

_held: list[IO[bytes]] = []
"""The locks this process holds until it ends: the kernel drops them then, however it ends."""

_SAID_OF_LATE = 60.0
"""Seconds: who waits for a service says so more often."""


@dataclass(frozen=True)
class Run:
    """A results folder's run.json: it names the run that holds the folder, which keeps it locked while it lives."""

    folder: Path

    @property
    def path(self) -> Path:
        return layout.run(self.folder)

    @property
    def id(self) -> str:
        """The ID of the last run; "" if there was none."""
        run_id = (read_json_object(self.path) or {}).get("run")
        return str(run_id) if is_md5(run_id) else ""

    @property
    def stopped_because(self) -> str:
        """The line that says why the last run was stopped; "" if it was not."""
        try:
            with open_file(layout.reason_to_stop(self.folder)) as stream:
                line = one_line(stream.read().decode(errors="replace"))
                return line or f"{self.folder} cannot be written to: is the disk full?"
        except OSError:
            return ""

    @property
    def unwritable_because(self) -> str:
        """The line that says why nothing can be written to the folder; "" if something can."""
        try:
            with tempfile.TemporaryFile(dir=self.folder) as stream:
                stream.write(bytes(4096))
        except OSError as error:
            return f"{self.folder} cannot be written to: {error.strerror}"
        return ""

    def stop_because(self, line: str) -> None:
        """Leave the line that the run will end with, if the disk lets us."""
        with contextlib.suppress(OSError), replacing(layout.reason_to_stop(self.folder)) as stream:
            stream.write(f"{line}\n")

    @property
    def waits_for(self) -> dict[str, str]:
        """For each service that the run waits for, the line that says so."""
        lines = {}
        for path in layout.all_waits(self.folder):
            # What a process that was killed meanwhile has left is not said again and again.
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime < _SAID_OF_LATE:
                    lines[path.stem] = one_line(path.read_text(encoding="utf-8", errors="replace"))
        return lines

    def wait_for(self, service: str, line: str) -> None:
        """Leave that line, for the process that talks to the user; "" takes it away."""
        path = layout.waits(self.folder, service)
        with contextlib.suppress(OSError):
            if not line:
                path.unlink(missing_ok=True)
                return
            with replacing(path) as stream:
                stream.write(f"{line}\n")

    def begin(self, run_id: str) -> str:
        """Take the folder for this process, under the new ID of its run; returns the ID of the last one, which is over.

        Raises MigrationError if another run has it, if it cannot be written to, or if a newer version has used it.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = open_lock(self.path)
        except OSError as error:
            raise MigrationError(
                f"{self.folder} cannot be the results folder: {error.strerror} ({error.filename})"
            ) from error
        if not _lock(lock.fileno()):
            raise MigrationError(f"another run holds {self.folder}: {self._holder()}; wait for it, or stop it")
        with contextlib.suppress(ValueError):
            without_number(read_json_object(self.path) or {}, self.path)
        last = self.id
        text = json.dumps(
            numbered(
                {
                    "run": run_id,
                    "host": socket.gethostname(),
                    "pid": os.getpid(),
                    "begun": datetime.now(UTC).isoformat(timespec="seconds"),
                }
            )
        )
        try:
            # In place: a new file would not be the locked one.
            os.ftruncate(lock.fileno(), 0)
            os.pwrite(lock.fileno(), f"{text}\n".encode(), 0)
        except OSError as error:
            raise MigrationError(f"{self.path} cannot be written: {error.strerror}") from error
        _held.append(lock)
        return last

    def is_alive(self, run_id: str) -> bool:
        """Whether the run of this ID still holds the folder; asked from any process, on any machine that shares it."""
        try:
            with open_file(self.path) as stream:
                try:
                    fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    return False
                except BlockingIOError:
                    return bool(self.id == run_id)
        except OSError:
            return False

    def _holder(self) -> str:
        value: dict[str, Any] = read_json_object(self.path) or {}
        if "pid" not in value:
            return "it has just begun"
        return one_line(f"process {value['pid']} on {value.get('host')}, since {value.get('begun')}")


def new_id() -> str:
    """An ID that no other run has."""
    return uuid.uuid4().hex


def _lock(descriptor: int) -> bool:
    """Lock it, unless another process has it for longer than a worker that looks whether its run lives."""
    for _ in range(10):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(0.05)
    return False
