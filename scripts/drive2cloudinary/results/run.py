"""Exclusive lock on a results folder; the kernel releases it when its owner exits."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
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

from drive2cloudinary.checks import is_id, is_md5, is_number, is_time, is_whole_number
from drive2cloudinary.errors import MigrationError, one_line
from drive2cloudinary.files import open_file, open_lock, read_json_object, replacing, write_json
from drive2cloudinary.results import layout, shared
from drive2cloudinary.results.format import numbered, without_number

_held: dict[Path, IO[bytes]] = {}
"""Results folder → run.json, locked by this process until it exits; an open file keeps its lock."""


@dataclass(frozen=True)
class Noted:
    """What a run notes in run.json.

    begun: ISO time in UTC. csv_bom: the setting. limit: the setting, once the pending images are known and it leaves
    some of them. last: the last image in their order (a Drive file ID) that this run uploads then. stopped_because: one
    line, "" if the run was not stopped.
    """

    id: str
    begun: str
    csv_bom: bool
    limit: int | None
    last: str
    stopped_because: str


@dataclass(frozen=True)
class Run:
    """The run.json of a results folder: it names the run that holds the folder, which keeps this file locked."""

    results_folder: Path

    @property
    def path(self) -> Path:
        return layout.run(self.results_folder)

    @property
    def id(self) -> str:
        """The ID of the current or last run; "" if there was none."""
        return self.noted.id

    @property
    def noted(self) -> Noted:
        """What the current or last run has noted for whoever merges its markers."""
        value = read_json_object(self.path) or {}
        return Noted(
            id=value["run"] if is_md5(value.get("run")) else "",
            begun=value["begun"] if is_time(value.get("begun")) else "",
            csv_bom=value.get("csv_bom") is True,
            limit=value["limit"] if is_whole_number(value.get("limit")) else None,
            last=value["last"] if is_id(value.get("last")) else "",
            stopped_because=one_line(value.get("stopped_because") or ""),
        )

    def note(self, **values: object) -> None:
        """Add fields of Noted to run.json, of the run of this process. Raises OSError."""
        self._write({**(read_json_object(self.path) or {}), **values})

    def _write(self, value: dict[str, Any]) -> None:
        # Rewritten in place, because a new file would not be locked.
        text, lock = f"{json.dumps(value)}\n".encode(), _held[self.results_folder].fileno()
        os.pwrite(lock, text, 0)
        os.ftruncate(lock, len(text))

    @property
    def stopped_because(self) -> str:
        """Why the current or last run was stopped, in one line; "" if it was not."""
        try:
            with open_file(layout.reason_to_stop(self.results_folder)) as stream:
                line = one_line(stream.read().decode(errors="replace"))
                return line or f"{self.results_folder} cannot be written to: is the disk full?"
        except OSError:
            return ""

    @property
    def unwritable_because(self) -> str:
        """Why nothing can be written to the results folder, in one line; "" if it is writable."""
        try:
            with tempfile.TemporaryFile(dir=self.results_folder) as stream:
                stream.write(bytes(4096))
        except OSError as error:
            return f"{self.results_folder} cannot be written to: {error.strerror}"
        return ""

    def stop_because(self, line: str) -> None:
        """Record why the run is stopped, unless the disk is full."""
        with contextlib.suppress(OSError), replacing(layout.reason_to_stop(self.results_folder)) as stream:
            stream.write(f"{line}\n")

    def refused(self, kind: str, file_id: str) -> int:
        """Record that an image was refused; returns how many got this refusal since the last one was accepted.

        In: a text that is the same for the same refusal. Works for all processes that share the folder. If lines of two
        nodes overwrite each other, as on some shared file systems, the next refusal counts. Raises OSError.
        """
        path, key = layout.refusals(self.results_folder), hashlib.md5(kind.encode(), usedforsecurity=False).hexdigest()
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+", encoding="utf-8") as stream:
            stream.write(f"{key} {file_id}\n")
            stream.seek(0)
            return len({line for line in stream if line.startswith(f"{key} ")})

    def accepted(self) -> None:
        """Record that an image was accepted, so that the refusals before it were about their images."""
        with contextlib.suppress(OSError):
            layout.refusals(self.results_folder).unlink(missing_ok=True)

    @property
    def notices(self) -> dict[str, str]:
        """Subject → message, of all that slows the run down now."""
        lines = {}
        for path in layout.notices(self.results_folder):
            # A process that has been killed leaves its messages.
            with contextlib.suppress(OSError):
                value = read_json_object(path) or {}
                if is_number(value.get("until")) and value["until"] > time.time():
                    lines[path.stem] = one_line(value.get("line"))
        return lines

    def notice(self, subject: str, line: str, seconds: float = 60.0, /) -> None:
        """Record a message for the process that prints it; "" removes it. In: for how long it holds."""
        path = layout.notice(self.results_folder, subject)
        with contextlib.suppress(OSError):
            if line:
                write_json(path, {"line": line, "until": time.time() + seconds})
            else:
                path.unlink(missing_ok=True)

    @property
    def found_so_far(self) -> int:
        """How many images the listing under way has found."""
        try:
            with open_file(layout.found_so_far(self.results_folder)) as stream:
                return int(stream.read(20))
        except (OSError, ValueError):
            return 0

    def found(self, images: int) -> None:
        """Record how many images the listing under way has found."""
        with contextlib.suppress(OSError), replacing(layout.found_so_far(self.results_folder)) as stream:
            stream.write(str(images))

    def begin(self, run_id: str, csv_bom: bool = False) -> None:
        """Lock the results folder for this process, note its run's ID, and remove what killed processes left.

        Raises MigrationError if another run holds it, if it cannot be written to, or if a newer version used it, and
        OSError.
        """
        try:
            self.results_folder.mkdir(parents=True, exist_ok=True)
            lock = open_lock(self.path)
        except OSError as error:
            raise MigrationError(
                f"{self.results_folder} cannot be the results folder: {error.strerror} ({error.filename})"
            ) from error
        if not _lock(lock.fileno()):
            raise MigrationError(f"another run holds {self.results_folder}: {self._holder()}; wait for it, or stop it")
        with contextlib.suppress(ValueError):
            without_number(read_json_object(self.path) or {}, self.path)
        owner = {"host": socket.gethostname(), "pid": os.getpid()}
        begun = datetime.now(UTC).isoformat(timespec="seconds")
        _held[self.results_folder] = lock
        try:
            self._write(numbered({"run": run_id, **owner, "begun": begun, "csv_bom": csv_bom}))
        except OSError as error:
            raise MigrationError(f"{self.path} cannot be written: {error.strerror}") from error
        shared.sweep(self.results_folder)

    def is_alive(self) -> bool:
        """Whether a run holds the results folder. Works in any process that shares the folder."""
        try:
            with open_file(self.path) as stream:
                try:
                    fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    return False
                except BlockingIOError:
                    return True
        except OSError:
            return False

    def _holder(self) -> str:
        value: dict[str, Any] = read_json_object(self.path) or {}
        if "pid" not in value:
            return "it has just begun"
        return one_line(f"process {value['pid']} on {value.get('host')}, since {value.get('begun')}")


def new_id() -> str:
    """A unique ID for a run."""
    return uuid.uuid4().hex


def _lock(descriptor: int) -> bool:
    """Lock the file; False if another process holds it. Retries a little: `is_alive` holds it for a moment, too."""
    for _ in range(10):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(0.05)
    return False
