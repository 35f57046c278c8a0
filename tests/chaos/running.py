"""A run under test: its output and its processes."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO

from tests.harness import Workspace


class Running:
    """A run of the plain command whose output is read continuously, so that no pipe fills up."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.disturbed: list[str] = []
        self._lines: list[str] = []
        self._readers = []
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            self._readers.append(threading.Thread(target=self._read, args=[stream], daemon=True))
            self._readers[-1].start()

    def _read(self, stream: IO[str]) -> None:
        with suppress(ValueError):
            self._lines += stream

    @property
    def lives(self) -> bool:
        return self.process.poll() is None

    @property
    def said(self) -> str:
        """Its output up to now."""
        return "".join(self._lines)

    @property
    def whole(self) -> str:
        """The complete output of the run and its jobs; waits until they have closed it."""
        for reader in self._readers:
            reader.join(20)
        return self.said


class Processes:
    """The processes of a run, by role. They are identified by their working directory, not by name.

    snakemake has a process group of its own; what works in another group is meant to outlive a job.
    """

    def __init__(self, workspace: Workspace, snakemake: int) -> None:
        found = {pid: known for pid in workspace.processes() if (known := _parent_and_group(pid))}
        self.snakemake = snakemake
        self.all = list(found)
        self.others = [pid for pid in found if pid != snakemake]
        self.parents = [pid for pid in self.others if any(parent == pid for parent, _ in found.values())]
        self.elsewhere = [pid for pid in self.others if found[pid][1] != snakemake]
        self.jobs = [pid for pid in self.others if found[pid][1] == snakemake]
        self.pool = [pid for pid in self.elsewhere if pid not in self.parents]


def _parent_and_group(pid: int) -> tuple[int, int] | None:
    """The process IDs of a process's parent, and of its group; None if it is gone."""
    try:
        _, parent, group, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return int(parent), int(group)


def send(pids: Iterable[int], which: signal.Signals) -> int:
    """Send a signal to these processes; returns how many still existed."""
    sent = 0
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, which)
            sent += 1
    return sent
