"""The storm: random faults at a tenth of all calls, a kill every few seconds, a Drive that changes; then an audit.

The plain command of the README runs again and again. When the time is over, the faults end, the command runs until it
reports success, and what Drive holds, the listing, the markers, the mapping and the bytes that the emulator stored are
compared. The seed decides the faults, the kills and the changes, but not which of them meet: that is up to the clock.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

from tests.chaos.audit import Audit, Happened, stored_as
from tests.chaos.book import Book
from tests.chaos.faults import rules
from tests.chaos.running import TARGETS, Problems, Processes, Running, commands, counted, send
from tests.emulator.client import Emulator
from tests.harness import Workspace, processes_of

CORES = 8
LAST_RUN = 300.0
"""Seconds after which a run that nothing disturbs any more is taken for wedged."""
OFTEN = ("a process of the pool", "a process of a job")
STRIKES = [*TARGETS, *OFTEN, "the cloud", "SIGINT", "SIGTERM"]
"""What a strike is, all equally often: kill -9 of one of TARGETS, a restart of the cloud, or a signal."""


class Storm:
    """One storm in a folder of its own."""

    def __init__(self, folder: Path, minutes: float, images: int, seed: int) -> None:
        self._dice = random.Random(seed)
        self._seconds = minutes * 60
        self._images = images
        self.cloud = Emulator(folder / "Photos", folder / "cloud", drive_delay=40, upload_delay=200)
        # What the processes keep outside of the results folder is looked at, too.
        temporary = folder / "tmp"
        temporary.mkdir(parents=True)
        self.workspace = Workspace(folder / "work", self.cloud, {"TMPDIR": str(temporary)})
        self.workspace.path.mkdir()
        self.book = Book(self.cloud, self._dice)
        self.happened = Happened()
        self.problems = Problems("storm")
        self.audit = Audit(self.workspace, self.book, self.happened, self.problems, CORES)
        self._log_read = 0
        self._faulty = True
        self._following = 0.0

    def run(self) -> None:
        """Run the whole storm; what was wrong is in `problems`."""
        with self.cloud:
            try:
                self.book.fill(self._images)
                self._set_faults()
                end = time.monotonic() + self._seconds
                while time.monotonic() < end:
                    self._run_once(end)
                    self.book.change(self._dice.randint(0, max(4, self._images // 3)))
                self._faulty = False
                self._collect()
                self._set_faults()
                self._finish()
                self._collect()
                if not self.happened.kills or not self.happened.faults:
                    self.problems.add("this was no storm: nothing was killed, or no fault struck")
                self.audit.all("at the end")
                self.audit.leftovers(Path(self.workspace.environment["TMPDIR"]))
            finally:
                send(self.workspace.processes(), signal.SIGKILL)

    # Runs

    def _run_once(self, end: float) -> Running:
        """A run that is disturbed every few seconds; after the end of the time, it is let be."""
        running = Running(self.workspace.start(cores=CORES, timeout=2, retries=2))
        while running.lives:
            now = time.monotonic()
            if now > end + LAST_RUN:
                alive = commands(self.workspace)
                self.problems.add(f"a run that nothing disturbs does not end: {alive}\n{running.said[-2000:]}")
                running.kill(self.workspace)
            elif self._following < now < end:
                self._strike(running)
                self._following = time.monotonic() + self._dice.uniform(2, 8)
            time.sleep(0.02)
        self._look_at(running)
        return running

    def _finish(self) -> None:
        """The plain command, until it reports success."""
        for _ in range(3):
            running = self._run_once(time.monotonic())
            if running.process.returncode == 0:
                return
        self.problems.add(f"no success in three runs that nothing disturbed:\n{running.said[-2000:]}")

    def _look_at(self, running: Running) -> None:
        """What must hold after each run, however it ended."""
        code = running.process.returncode
        self.happened.codes["killed" if code == -signal.SIGKILL else f"exit {code}"] += 1
        what = f"after a run with exit code {code}, disturbed by {running.disturbed}"
        if "Traceback" in running.said:
            self.problems.add(f"a traceback {what}:\n{running.said[-3000:]}")
        interrupted = code == 130 and "SIGINT" in running.disturbed
        if code not in (0, 1) and not interrupted and not (code == -signal.SIGKILL and running.disturbed):
            self.problems.add(f"an exit code that nobody knows {what}:\n{running.said[-2000:]}")
        self.audit.names(what)
        self.audit.proofs(what)
        if code == 0:
            self._collect()
            self.audit.all(what)

    # Faults and kills

    def _set_faults(self) -> None:
        self.cloud.faults(rules() if self._faulty else [], seed=self._dice.randrange(1 << 30))
        # Then Cloudinary's answers do not say what is stored, so the processes look at what it delivers.
        self.cloud.settings(existing_without_etag=self._faulty and self._dice.random() < 0.3)

    def _collect(self) -> None:
        """Count what is new in the emulator's log, which does not outlive it."""
        log = self.cloud.log()
        for call in log[self._log_read :]:
            self.happened.calls += 1
            if call["fault"]:
                self.happened.faults[call["fault"].replace(",", "+")] += 1
                if call["op"] == "cloudinary.upload":
                    self.happened.struck[stored_as(call["key"]), call["fault"]] += 1
        self._log_read = len(log)

    def _strike(self, running: Running) -> None:
        """One strike that meets something, and a look at the command lines, none of which may show a secret."""
        secrets = json.loads((self.cloud.store / "secrets.json").read_text())
        for name in ("api_secret", "client_secret", "refresh_token"):
            if processes_of(secrets[name]):
                self.problems.add(f"{name} is on a command line")
        while running.lives:
            what = self._dice.choice(STRIKES)
            if self._do(what, running):
                running.disturbed.append(what)
                return
            time.sleep(0.01)

    def _do(self, what: str, running: Running) -> bool:
        """Do one of STRIKES; returns whether there was anything to strike."""
        if what in TARGETS:
            processes = Processes(self.workspace, running.process.pid, self._dice)
            if not send(TARGETS[what](processes), signal.SIGKILL):
                return False
            self.happened.kills[what] += 1
        elif what == "the cloud":
            self._restart_cloud()
            self.happened.kills[what] += 1
        elif self._has_begun(running):
            which = signal.Signals[what]
            with suppress(ProcessLookupError):
                # Ctrl-C reaches all in the terminal's foreground, `kill` one process.
                (os.killpg if which == signal.SIGINT else os.kill)(running.process.pid, which)
            self.happened.signals[what] += 1
        else:
            return False
        return True

    def _has_begun(self, running: Running) -> bool:
        """Whether the run holds its folder; before, Python itself answers an interrupt, with a traceback."""
        try:
            return bool(json.loads((self.workspace.results / "run.json").read_text())["pid"] == running.process.pid)
        except (OSError, ValueError, KeyError):
            return False

    def _restart_cloud(self) -> None:
        self._collect()
        self.cloud.kill()
        time.sleep(self._dice.uniform(0, 4))
        for _ in range(20):
            try:
                self.cloud.start()
                break
            except RuntimeError:
                # Its port is taken while a connection that somebody just tried to open has it on the other side.
                time.sleep(0.5)
        self._log_read = 0
        self._set_faults()


def run_storm(folder: Path, minutes: float, images: int, seed: int) -> list[str]:
    """One storm in an empty folder; prints what happened, and returns what was wrong."""
    storm = Storm(folder, minutes, images, seed)
    try:
        storm.run()
    finally:
        book, happened = storm.book, storm.happened
        storm.problems.conclude(
            f"{happened.codes.total()} runs ({counted(happened.codes)})",
            f"kill -9: {happened.kills.total()} ({counted(happened.kills)}); signals: {counted(happened.signals)}",
            f"faults: {happened.faults.total()} in {happened.calls} calls ({counted(happened.faults)})",
            f"images: {len(book.files)} of {book.bytes:,} bytes in all; changes: {counted(book.done)}",
            f"audits: {storm.audit.audits}",
        )
    return storm.problems.found
