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
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals
from typing import Any

from drive2cloudinary.results import listing
from tests.chaos.running import TARGETS, Problems, Processes, Running, counted, send
from tests.emulator.client import Emulator
from tests.harness import PATIENCE, ROOT, Finished, Workspace, wait_for

AT_ONCE = 3
"""Series of trials side by side: much of a run is waiting."""
SERIES = 5
"""Trials in one results folder: the first moves all images, each other one those that have changed since."""
IMAGES = 10
SIGNALS = [getattr(Signals, f"SIG{name}") for name in ("INT", "TERM", "HUP", "QUIT", "USR1", "STOP", "KILL")]
HELD = {"listing": "drive.list", "moving": "cloudinary.upload"}
"""The calls that are held so that a run stays in a phase."""


@dataclass
class Happened:
    """What happened in all series: the phases that were met, the signals that were sent, and what was wrong."""

    problems: Problems
    met: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    alone: int = 0
    """How often Python itself answered Ctrl-C, with a traceback."""


class Series:
    """Some trials, one after the other, in a cloud and a working directory of their own.

    `share` of a run's time is where the first signal comes; those of the others are spread over the rest of it. Or they
    come in these phases, in turns.
    """

    def __init__(
        self, folder: Path, dice: random.Random, signals: list[Signals], share: float, phases: Sequence[str]
    ) -> None:
        self._temporary = folder / "tmp"
        self._temporary.mkdir(parents=True)
        self._dice = dice
        self._signals = signals
        self._share = share
        self._phases = phases
        self._cloud = Emulator(folder / "Photos", folder / "cloud", drive_delay=20, upload_delay=150)
        self._workspace = Workspace(folder / "work", self._cloud, {"TMPDIR": str(self._temporary)})
        self._workspace.path.mkdir()

    def run(self, happened: Happened) -> None:
        self._happened, self._problems = happened, happened.problems
        with self._cloud:
            images = self._workspace.add(*(f"{number}.jpg" for number in range(IMAGES)))
            whole_run = 4.0
            try:
                for number, which in enumerate(self._signals):
                    if number:
                        changed = self._dice.sample(images, IMAGES // 2)
                        self._cloud.drive_all([_replace(each, self._dice.randrange(1 << 30)) for each in changed])
                    if self._phases:
                        self._in_phase(which, self._phases[number % len(self._phases)])
                    else:
                        self._at(which, (self._share + number / SERIES) % 1 * whole_run)
                    begun = time.monotonic()
                    self._finish()
                    whole_run = time.monotonic() - begun
                self._workspace.audit(crashes=2 * len(self._signals))
            except (AssertionError, subprocess.TimeoutExpired) as error:
                self._problems.add(f"at the end of {self._workspace.path}: {error}")
            finally:
                send(self._workspace.processes(), Signals.SIGKILL)

    def _at(self, which: Signals, moment: float) -> None:
        """A trial whose signal comes so many seconds after the start."""
        begun, running = time.time(), Running(self._workspace.start())
        with suppress(subprocess.TimeoutExpired):
            running.process.wait(moment)
        what, _ = self._signal(running, which, begun)
        self._end(running, which, f"{what} at {moment:.3f} s")

    def _in_phase(self, which: Signals, phase: str) -> None:
        """A trial whose signal comes while the run is held in a phase."""
        self._cloud.faults([{"on": HELD[phase], "do": {"hold": 0}, "times": None}])
        begun, running = time.time(), Running(self._workspace.start(timeout=PATIENCE))
        wait_for(lambda: self._workspace.held(HELD[phase]) and self._phase(running, begun) == phase)
        what, met = self._signal(running, which, begun)
        self._cloud.faults([])
        if met != phase:
            self._problems.add(f"too late: {what}")
        self._end(running, which, what)

    def _signal(self, running: Running, which: Signals, begun: float) -> tuple[str, str]:
        """Send a signal to one of TARGETS; returns what was done in words, and the phase that it met."""
        target = self._dice.choice(list(TARGETS))
        met = self._phase(running, begun)
        processes = Processes(self._workspace, running.process.pid, self._dice)
        pids = TARGETS[target](processes) if running.lives else []
        if running.lives and not pids:
            # What has no such process now, has snakemake itself.
            target, pids = "snakemake", [processes.snakemake]
        sent = send(pids, which)
        if which is Signals.SIGSTOP:
            time.sleep(self._dice.uniform(0.1, 2))
            send(pids, Signals.SIGCONT)
        self._happened.met[met] += 1
        self._happened.sent[f"{which.name} to {target}" if sent else "came too late"] += 1
        return f"after {which.name} to {target} ({sent}, {met})", met if sent else "over"

    def _end(self, running: Running, which: Signals, what: str) -> None:
        """What must hold when a run that got a signal ends."""
        try:
            running.process.wait(60)
        except subprocess.TimeoutExpired:
            self._problems.add(f"does not end {what}: {running.said[-2000:]}")
            running.kill(self._workspace)
        code, said = running.process.returncode, running.whole
        if "Traceback" in said and _of_python_alone(said):
            self._happened.alone += 1
        elif "Traceback" in said:
            self._problems.add(f"a traceback {what}:\n{said[-3000:]}")
        if code not in (0, 1, -which, 128 + which):
            self._problems.add(f"an exit code that nobody knows, {code}, {what}:\n{said[-2000:]}")
        if which is Signals.SIGSTOP and code:
            self._problems.add(f"not finished {what}:\n{said[-2000:]}")
        if code == 1 and not Finished(code, said, "").lines:
            self._problems.add(f"no word of why it ended {what}")
        self._problems.half_markers(self._workspace, what)
        self._problems.processes_left(self._workspace, what)

    def _finish(self) -> None:
        """The plain command."""
        done = self._workspace.run()
        if done.code or "Traceback" in done.said:
            self._problems.add(f"the plain command does not finish: {done.said}")
        if left := self._workspace.leftovers():
            self._problems.add(f"files are left: {left}")
        self._problems.processes_left(self._workspace, "after the plain command")
        # Snakemake's own are in folders of its own.
        if left := [str(path) for path in self._temporary.glob("drive2cloudinary-*")]:
            self._problems.add(f"temporary files are left: {left}")

    def _phase(self, running: Running, begun: float) -> str:
        """The phase of a run."""
        results = self._workspace.results
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
    dice, happened = random.Random(seed), Happened(Problems("signals"))
    # Of each as many, in any order.
    signals = [SIGNALS[number % len(SIGNALS)] for number in range(count)]
    dice.shuffle(signals)
    parts = [signals[first : first + SERIES] for first in range(0, count, SERIES)]
    # The very first comes at once; the moments of all together lie evenly.
    all_series = [
        Series(folder / f"series-{number}", random.Random(dice.random()), part, number / len(parts) / SERIES, phases)
        for number, part in enumerate(parts)
    ]
    # A core file, which SIGQUIT may leave, is for the user to allow.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda series: series.run(happened), all_series))
    return happened.problems.conclude(
        f"{count} while the run was {counted(happened.met)}; {counted(happened.sent)}",
        f"Ctrl-C {happened.alone} times before the Snakefile was read",
    )
