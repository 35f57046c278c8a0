"""Runs that get a signal at a random moment, from the first millisecond on, while Snakemake imports, lists or merges.

Or in a phase that the caller chooses, in which the run is held until the signal is there. After each: no traceback on
the terminal, no process, no half marker, and the plain command finishes and leaves nothing behind. The seed decides
signals, targets and moments; what they meet is up to the clock.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals
from typing import Any

from drive2cloudinary.results import listing
from tests.chaos.running import Processes, Running, send
from tests.chaos.said import counted, wrong
from tests.emulator.client import Emulator
from tests.harness import PATIENCE, ROOT, Workspace, wait_for

AT_ONCE = 3
"""Series of trials side by side: much of a run is waiting."""
SERIES = 5
"""Trials in one results folder: the first moves all images, each other one those that have changed since."""
IMAGES = 10
SIGNALS = [
    Signals.SIGINT,
    Signals.SIGTERM,
    Signals.SIGHUP,
    Signals.SIGQUIT,
    Signals.SIGUSR1,
    Signals.SIGSTOP,
    Signals.SIGKILL,
]
HELD = {"listing": "drive.list", "moving": "cloudinary.upload"}
"""The calls that are held so that a run stays in a phase."""
TARGETS: dict[str, Callable[[Processes], list[int]]] = {
    "snakemake": lambda processes: [processes.snakemake],
    "its group": lambda processes: [processes.snakemake, *processes.jobs],
    "a process of the pool": lambda processes: processes.pool[-1:],
    "a parent of others": lambda processes: processes.parents[-1:],
    "a process of a job": lambda processes: processes.jobs[-1:],
    "everything": lambda processes: processes.all,
}


@dataclass
class Series:
    """Some trials, one after the other, in a cloud and a working directory of their own."""

    folder: Path
    dice: random.Random
    signals: list[Signals]
    share: float
    """Of a run's time, where the first signal comes; those of the others are spread over the rest of it."""
    phases: Sequence[str] = ()
    """The phases in which the signals come instead, in turns."""
    problems: list[str] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    alone: int = 0
    """How often Python itself answered Ctrl-C, with a traceback."""

    def run(self) -> None:
        with Emulator(self.folder / "Photos", self.folder / "cloud", drive_delay=20, upload_delay=150) as cloud:
            self.workspace = Workspace(self.folder / "work", cloud)
            for folder in (self.workspace.path, self.folder / "tmp"):
                folder.mkdir()
            self.workspace.environment["TMPDIR"] = str(self.folder / "tmp")
            images = self.workspace.add(*(f"{number}.jpg" for number in range(IMAGES)))
            whole_run = 4.0
            try:
                for number, which in enumerate(self.signals):
                    moment = (self.share + number / SERIES) % 1 * whole_run
                    self._trial(which, moment, self.phases[number % len(self.phases)] if self.phases else "")
                    begun = time.monotonic()
                    self._finish()
                    whole_run = time.monotonic() - begun
                    changed = self.dice.sample(images, IMAGES // 2)
                    cloud.drive_all([_replace(each, self.dice.randrange(1 << 30)) for each in changed])
                done = self.workspace.run()
                done.succeeded()
                self.workspace.audit(crashes=2 * len(self.signals))
            except (AssertionError, subprocess.TimeoutExpired) as error:
                self._wrong(f"at the end: {error}")
            finally:
                send(self.workspace.processes(), Signals.SIGKILL)

    def _trial(self, which: Signals, moment: float, phase: str) -> None:
        begun = time.time()
        if phase:
            self.workspace.cloud.faults([{"on": HELD[phase], "do": {"hold": 0}, "times": None}])
        running = Running(self.workspace.start(**({"timeout": PATIENCE} if phase else {})))
        if phase:
            wait_for(lambda: self.workspace.held(HELD[phase]) and self._phase(running, begun) == phase)
        else:
            with suppress(subprocess.TimeoutExpired):
                running.process.wait(moment)
        target = self.dice.choice(list(TARGETS))
        met = self._phase(running, begun)
        # What has no such process now, has snakemake itself.
        processes = Processes(self.workspace, running.process.pid)
        pids = TARGETS[target](processes) if running.lives else []
        if running.lives and not pids:
            target, pids = "snakemake", [processes.snakemake]
        sent = send(pids, which)
        if which is Signals.SIGSTOP:
            time.sleep(self.dice.uniform(0.1, 2))
            send(pids, Signals.SIGCONT)
        if phase:
            self.workspace.cloud.faults([])
        if phase and (met != phase or not sent):
            self._wrong(f"{which.name} to {target} came too late: {met}")
        self.met[met] += 1
        self.sent[f"{which.name} to {target}" if sent else "came too late"] += 1
        when = "" if phase else f" at {moment:.3f} s"
        what = f"after {which.name} to {target} ({sent}){when} ({met})"
        try:
            running.process.wait(60)
        except subprocess.TimeoutExpired:
            self._wrong(f"does not end {what}: {running.said[-2000:]}")
            send(self.workspace.processes(), Signals.SIGKILL)
            running.process.wait()
        self._look_at(running, which, what)

    def _look_at(self, running: Running, which: Signals, what: str) -> None:
        """What must hold when a run that got a signal has ended."""
        code, said = running.process.returncode, running.whole
        if "Traceback" in said and _of_python_alone(said):
            self.alone += 1
        elif "Traceback" in said:
            self._wrong(f"a traceback {what}:\n{said[-3000:]}")
        if code not in (0, 1, -which, 128 + which):
            self._wrong(f"an exit code that nobody knows, {code}, {what}:\n{said[-2000:]}")
        if which is Signals.SIGSTOP and code:
            self._wrong(f"not finished {what}:\n{said[-2000:]}")
        if code == 1 and not [line for line in said.splitlines() if not line.startswith(PREAMBLE)]:
            self._wrong(f"no word of why it ended {what}")
        for marker in (self.workspace.results / "markers").glob("*.json"):
            try:
                json.loads(marker.read_text())
            except ValueError:
                self._wrong(f"half a marker {what}: {marker}")
        try:
            wait_for(lambda: not self.workspace.processes(), 40)
        except AssertionError:
            left = [Path(f"/proc/{pid}/cmdline").read_text()[:200] for pid in self.workspace.processes()]
            self._wrong(f"processes are left {what}: {left}")
            send(self.workspace.processes(), Signals.SIGKILL)

    def _finish(self) -> None:
        """The plain command."""
        done = self.workspace.run()
        if done.code or "Traceback" in done.said:
            self._wrong(f"the plain command does not finish: {done.said}")
        if left := self.workspace.leftovers():
            self._wrong(f"files are left: {left}")
        wait_for(lambda: not self.workspace.processes(), 40)
        # Snakemake's own are in folders of its own.
        if left := [str(path) for path in (self.folder / "tmp").glob("drive2cloudinary-*")]:
            self._wrong(f"temporary files are left: {left}")

    def _phase(self, running: Running, begun: float) -> str:
        """The phase of a run."""
        results = self.workspace.results
        if not running.lives:
            return "over"
        try:
            run = json.loads((results / "run.json").read_text())
            if run["pid"] != running.process.pid:
                return "starting"
            if listing.confirmed(results).run != run["run"]:
                return "listing"
            return "merging and ending" if (results / "mapping.json").stat().st_mtime > begun else "moving"
        except FileNotFoundError as error:
            return "starting" if Path(error.filename).name == "run.json" else "moving"
        except (ValueError, KeyError):
            return "starting"

    def _wrong(self, what: str) -> None:
        wrong(self.problems, f"{self.folder.name}: {what}")


PREAMBLE = ("Using workflow specific profile ", "Config file ")


def _of_python_alone(said: str) -> bool:
    """Whether the signal came before this project's code ran, so that Python itself handled Ctrl-C."""
    ours = "Config file " in said or str(ROOT / "Snakefile") in said or str(ROOT / "scripts") in said
    return not ours or "import cancel_at_interrupt" in said


def _replace(file_id: str, seed: int) -> dict[str, Any]:
    return {"op": "replace", "id": file_id, "picture": {"seed": seed}}


def run_signals(folder: Path, count: int, seed: int, phases: Sequence[str] = ()) -> list[str]:
    """Run `count` trials with a signal, of which those of each series meet these phases, if there are any.

    Prints what happened, and returns the errors.
    """
    if not count:
        return []
    begun = time.monotonic()
    dice = random.Random(seed)
    # Of each as many, in any order.
    signals = [SIGNALS[number % len(SIGNALS)] for number in range(count)]
    dice.shuffle(signals)
    parts = [signals[first : first + SERIES] for first in range(0, count, SERIES)]
    # The very first comes at once; the moments of all together lie evenly.
    all_series = [
        Series(folder / f"series-{number}", random.Random(dice.random()), part, number / len(parts) / SERIES, phases)
        for number, part in enumerate(parts)
    ]
    for series in all_series:
        series.folder.mkdir(parents=True)
    # A core file, which SIGQUIT may leave, is for the user to allow.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(Series.run, all_series))
    problems = [problem for series in all_series for problem in series.problems]
    met, sent = (sum((getattr(each, name) for each in all_series), Counter[str]()) for name in ("met", "sent"))
    print(f"signals: {count} in {time.monotonic() - begun:.0f} s, while the run was {counted(met)}; {counted(sent)}")
    print(f"signals: Ctrl-C {sum(each.alone for each in all_series)} times before the Snakefile was read")
    print(f"signals: {len(problems)} things are WRONG" if problems else "signals: all is right", flush=True)
    return problems
