"""What a command costs: its time, and the CPU and memory of all its processes, also those that outlive it."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Cost:
    """seconds: of the command; cpu_seconds: of all its processes, warm workers as well; code: its exit code.

    largest_bytes: the resident memory, at its peak, of the largest process but the workers, whose own are in
    peak_bytes.
    """

    seconds: float
    cpu_seconds: float
    largest_bytes: int
    code: int
    peak_bytes: list[int] = field(default_factory=list)


def cost_of(command: Sequence[str | Path], folder: Path, environment: dict[str, str]) -> Cost:
    """Run a command in a folder and measure it. The workers outlive it and are looked at twice a second."""
    watch = _Workers(folder)
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=said)
        # Only wait4 tells this command's processes from those of the ones that were measured before.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - begun
        watch.stop()
        if process.returncode:
            said.seek(0)
            print(said.read().decode(errors="replace")[-4000:])
    own = used.ru_utime + used.ru_stime
    return Cost(seconds, own + watch.cpu_seconds, used.ru_maxrss * 1024, process.returncode, watch.peaks)


class _Workers:
    """Looks at the workers that run in a folder; what it saw last counts, because they vanish at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cpu: dict[int, float] = {}
        self._peak: dict[int, int] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look_on)
        self._thread.start()

    @property
    def cpu_seconds(self) -> float:
        return sum(self._cpu.values())

    @property
    def peaks(self) -> list[int]:
        return sorted(self._peak.values())

    def stop(self) -> None:
        """Look once more and end."""
        self._end.set()
        self._thread.join()

    def _look_on(self) -> None:
        while True:
            last = self._end.wait(0.5)
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit():
                    self._look_at(entry)
            if last:
                return

    def _look_at(self, entry: Path) -> None:
        try:
            if b"transfer_workers.py" not in (entry / "cmdline").read_bytes():
                return
            if (entry / "cwd").resolve() != self._folder.resolve():
                return
            numbers = (entry / "stat").read_text().rpartition(")")[2].split()
            high = next(line for line in (entry / "status").read_text().splitlines() if line.startswith("VmHWM"))
        except (OSError, StopIteration):
            return
        pid = int(entry.name)
        self._cpu[pid] = (int(numbers[11]) + int(numbers[12])) / TICKS
        self._peak[pid] = int(high.split()[1]) * 1024
