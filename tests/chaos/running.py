"""A run under test: its output, its processes, and what is wrong with it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

from tests.harness import Workspace, wait_for


class Problems:
    """What was wrong in one phase of chaos; each is printed at once."""

    def __init__(self, phase: str) -> None:
        self.found: list[str] = []
        self._phase = phase
        self._begun = time.monotonic()

    def add(self, what: str) -> None:
        self.found.append(what)
        print(f"WRONG: {what}", file=sys.stderr, flush=True)

    def conclude(self, *lines: str) -> list[str]:
        """Print what happened, and whether all is right; returns the problems."""
        over = f"{len(self.found)} things are WRONG" if self.found else "all is right"
        for line in (*lines, f"{over}, after {time.monotonic() - self._begun:.0f} s"):
            print(f"{self._phase}: {line}", flush=True)
        return self.found

    def half_markers(self, workspace: Workspace, what: str) -> None:
        """Each marker is there whole or not at all."""
        for path in (workspace.results / "markers").glob("*.json"):
            # Processes of a killed run may still be at work.
            with suppress(FileNotFoundError):
                try:
                    json.loads(path.read_text())["cloudinary"]["public_id"]
                except (ValueError, KeyError) as error:
                    self.add(f"half a marker {path.name} {what}: {error}")

    def processes_left(self, workspace: Workspace, what: str) -> None:
        """No process outlives a run for long."""
        try:
            wait_for(lambda: not workspace.processes(), 60)
        except AssertionError:
            self.add(f"processes are left {what}: {commands(workspace)}")
            send(workspace.processes(), signal.SIGKILL)


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

    def kill(self, workspace: Workspace) -> None:
        """End a run that does not end."""
        send(workspace.processes(), signal.SIGKILL)
        self.process.wait()


class Processes:
    """The processes of a run, by role. They are identified by their working directory, not by name.

    snakemake has a process group of its own; what works in another group is meant to outlive a job. All are in random
    order.
    """

    def __init__(self, workspace: Workspace, snakemake: int, dice: random.Random) -> None:
        self.snakemake = snakemake
        self.all = workspace.processes()
        dice.shuffle(self.all)
        parents, groups = {}, {}
        for pid in self.all:
            with suppress(psutil.NoSuchProcess, ProcessLookupError):
                parents[pid], groups[pid] = psutil.Process(pid).ppid(), os.getpgid(pid)
        others = [pid for pid in groups if pid != snakemake]
        self.parents = [pid for pid in others if pid in parents.values()]
        self.jobs = [pid for pid in others if groups[pid] == snakemake]
        self.elsewhere = [pid for pid in others if groups[pid] != snakemake]
        self.pool = [pid for pid in self.elsewhere if pid not in self.parents]


TARGETS: dict[str, Callable[[Processes], list[int]]] = {
    "snakemake": lambda processes: [processes.snakemake],
    "its group": lambda processes: [processes.snakemake, *processes.jobs],
    "a process of the pool": lambda processes: processes.pool[:1],
    "the whole pool": lambda processes: processes.elsewhere,
    "a parent of others": lambda processes: processes.parents[:1],
    "a process of a job": lambda processes: processes.jobs[:1],
    "everything": lambda processes: processes.all,
}
"""What a signal may go to."""


def send(pids: Iterable[int], which: signal.Signals) -> int:
    """Send a signal to these processes; returns how many still existed."""
    sent = 0
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, which)
            sent += 1
    return sent


def commands(workspace: Workspace) -> list[str]:
    """The command lines of the processes that there are, as much of each as tells them apart."""
    lines = []
    for pid in workspace.processes():
        with suppress(OSError):
            lines.append(Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")[:200])
    return lines


def counted(counts: Counter[str]) -> str:
    """A count with its noun, in words."""
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "none"
