"""What a command costs: its time, and the CPU and memory of all its processes."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Cost:
    """seconds: of the command; cpu_seconds: of all its processes; code: its exit code.

    largest_bytes: the resident memory, at its peak, of the largest process; pool_bytes: what all processes of the pool
    had together at one moment, what they share counted once (PSS).
    """

    seconds: float
    cpu_seconds: float
    largest_bytes: int
    pool_bytes: int
    code: int


def cost_of(
    command: Sequence[str | Path],
    folder: Path,
    environment: dict[str, str],
    until: Callable[[], bool] | None = None,
) -> Cost:
    """Run a command in a folder and measure it. In: `until`, which is asked often and whose yes kills the command."""
    watch = _Pool(folder)
    is_killed = False
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=said)
        while until and os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if is_killed := until():
                process.kill()
                break
            time.sleep(0.1)
        # Only wait4 tells this command's processes from those of the ones that were measured before. The pool's are
        # waited for by those that started them, so they are among them.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - begun
        watch.stop()
        if process.returncode and not is_killed:
            said.seek(0)
            print(said.read().decode(errors="replace")[-4000:])
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, watch.peak, process.returncode)


class _Pool:
    """Looks twice a second at how much memory the processes of the pool have that works in a folder."""

    def __init__(self, folder: Path) -> None:
        self.peak = 0
        self._folder = folder.resolve()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look_on)
        self._thread.start()

    def stop(self) -> None:
        self._end.set()
        self._thread.join()

    def _look_on(self) -> None:
        while not self._end.wait(0.5):
            processes = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
            self.peak = max(self.peak, sum(map(self._size_of, processes)))

    def _size_of(self, entry: Path) -> int:
        try:
            if b"snakemake_executor_plugin_pool" not in (entry / "cmdline").read_bytes():
                return 0
            if (entry / "cwd").resolve() != self._folder:
                return 0
            lines = (entry / "smaps_rollup").read_text().splitlines()
        except OSError:
            return 0
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
