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
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.chaos.audit import Audit, Happened, stored_as
from tests.chaos.book import Book
from tests.chaos.faults import rules
from tests.chaos.running import Processes, Running, send
from tests.chaos.said import counted
from tests.emulator.client import Emulator
from tests.harness import Workspace, processes_of

Json = dict[str, Any]
CORES = 8
SETTINGS: Json = {"timeout": 2, "retries": 2}
LAST_RUN = 300.0
"""Seconds after which a run that nothing disturbs any more is taken for wedged."""


class Storm:
    """One storm in a folder of its own."""

    def __init__(self, folder: Path, minutes: float, images: int, seed: int) -> None:
        self._dice = random.Random(seed)
        self._seconds = minutes * 60
        self._images = images
        self.cloud = Emulator(folder / "Photos", folder / "cloud", drive_delay=40, upload_delay=200)
        self.workspace = Workspace(folder / "work", self.cloud)
        self.workspace.path.mkdir(parents=True)
        self._temporary = folder / "tmp"
        self._temporary.mkdir()
        # What the processes keep outside of the results folder is looked at, too.
        self.workspace.environment["TMPDIR"] = str(self._temporary)
        self.book = Book(self.cloud, self._dice)
        self.happened = Happened()
        self.audit = Audit(self.workspace, self.book, self.happened, self._temporary, CORES)
        self._log_read = 0
        self._faulty = True
        self._following = 0.0
        self._targets: list[tuple[str, Callable[[Processes], list[int]]]] = [
            ("snakemake", lambda processes: [processes.snakemake]),
            ("process of the pool", lambda processes: self._one(processes.pool)),
            ("process of the pool", lambda processes: self._one(processes.pool)),
            ("parent of others", lambda processes: self._one(processes.parents)),
            ("the whole pool", lambda processes: processes.elsewhere),
            ("process of a job", lambda processes: self._one(processes.jobs)),
            ("process of a job", lambda processes: self._one(processes.jobs)),
            ("everything", lambda processes: processes.all),
        ]

    def run(self) -> None:
        """Run the whole storm; the errors are then in `audit.problems`."""
        with self.cloud:
            try:
                self.book.fill(self._images)
                self._set_faults()
                self._rage(time.monotonic() + self._seconds)
                self._faulty = False
                self._collect()
                self._set_faults()
                self._finish()
                self._collect()
                if not self.happened.kills or not self.happened.faults:
                    self.audit.wrong("this was no storm: nothing was killed, or no fault struck")
                self.audit.all("at the end")
                self.audit.leftovers()
            finally:
                send(self.workspace.processes(), signal.SIGKILL)

    # Runs

    def _rage(self, end: float) -> None:
        """Runs, faults, kills and changes until the time is over."""
        while time.monotonic() < end:
            running = self._start()
            self._watch(running, end)
            self._look_at(running)
            self.book.change(self._dice.randint(0, max(4, self._images // 3)))

    def _watch(self, running: Running, end: float) -> None:
        """Disturb a run every few seconds, until it ends; after the end of the time, let it be."""
        while running.lives:
            now = time.monotonic()
            if now > end + LAST_RUN:
                self._wedged(running)
            elif self._following < now < end:
                self._strike(running)
                self._following = time.monotonic() + self._dice.uniform(2, 8)
            time.sleep(0.02)

    def _finish(self) -> None:
        """The plain command, until it reports success."""
        for _ in range(3):
            running = self._start()
            self._watch(running, time.monotonic())
            self._look_at(running)
            if running.process.returncode == 0:
                return
        self.audit.wrong(f"no success in three runs that nothing disturbed:\n{running.said[-2000:]}")

    def _start(self) -> Running:
        return Running(self.workspace.start(cores=CORES, **SETTINGS))

    def _wedged(self, running: Running) -> None:
        commands = [Path(f"/proc/{pid}/cmdline") for pid in self.workspace.processes()]
        alive = [path.read_bytes().replace(b"\0", b" ")[:200].decode(errors="replace") for path in commands]
        self.audit.wrong(f"a run that nothing disturbs does not end: {alive}\n{running.said[-2000:]}")
        send(self.workspace.processes(), signal.SIGKILL)
        running.process.wait()

    def _look_at(self, running: Running) -> None:
        """What must hold after each run, however it ended."""
        code = running.process.returncode
        self.happened.codes["killed" if code == -signal.SIGKILL else f"exit {code}"] += 1
        what = f"after a run with exit code {code}, disturbed by {running.disturbed}"
        if "Traceback" in running.said:
            self.audit.wrong(f"a traceback {what}:\n{running.said[-3000:]}")
        interrupted = code == 130 and "SIGINT" in running.disturbed
        if code not in (0, 1) and not interrupted and not (code == -signal.SIGKILL and running.disturbed):
            self.audit.wrong(f"an exit code that nobody knows {what}:\n{running.said[-2000:]}")
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
                self.happened.faults[f"{call['op']} {call['fault'].replace(',', '+')}"] += 1
                if call["op"] == "cloudinary.upload":
                    self.happened.struck[stored_as(call["key"]), call["fault"]] += 1
        self._log_read = len(log)

    def _strike(self, running: Running) -> None:
        """Kill a random process, and check that no command line shows a secret."""
        secrets = json.loads((self.cloud.store / "secrets.json").read_text())
        for name in ("api_secret", "client_secret", "refresh_token"):
            if processes_of(secrets[name]):
                self.audit.wrong(f"{name} is on a command line")
        while running.lives:
            number = self._dice.randrange(len(self._targets) + 3)
            if number < len(self._targets):
                what, find = self._targets[number]
                pids = find(Processes(self.workspace, running.process.pid))
                if send(pids, signal.SIGKILL):
                    self.happened.kills[what] += 1
                    running.disturbed.append(what)
                    return
            elif number == len(self._targets):
                self._restart_cloud()
                running.disturbed.append("the cloud")
                return
            elif self._has_begun(running):
                which = signal.SIGINT if number == len(self._targets) + 1 else signal.SIGTERM
                with suppress(ProcessLookupError):
                    # Ctrl-C reaches all in the terminal's foreground, `kill` one process.
                    (os.killpg if which == signal.SIGINT else os.kill)(running.process.pid, which)
                self.happened.signals[which.name] += 1
                running.disturbed.append(which.name)
                return
            time.sleep(0.01)

    def _has_begun(self, running: Running) -> bool:
        """Whether the run holds its folder; before, Python itself answers an interrupt, with a traceback."""
        try:
            return bool(json.loads((self.workspace.results / "run.json").read_text())["pid"] == running.process.pid)
        except (OSError, ValueError, KeyError):
            return False

    def _restart_cloud(self) -> None:
        self._collect()
        self.cloud.kill()
        self.happened.kills["emulator"] += 1
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

    def _one(self, pids: list[int]) -> list[int]:
        return [self._dice.choice(pids)] if pids else []


def summary(storm: Storm, seconds: float) -> str:
    """A summary of what happened, to print."""
    book, happened, problems = storm.book, storm.happened, storm.audit.problems
    kinds: Counter[str] = Counter()
    for what, count in happened.faults.items():
        kinds[what.partition(" ")[2]] += count
    lines = [
        f"storm: {seconds:.0f} s, {happened.codes.total()} runs ({counted(happened.codes)})",
        f"kill -9: {happened.kills.total()} ({counted(happened.kills)}); signals: {counted(happened.signals)}",
        f"faults: {happened.faults.total()} in {happened.calls} calls ({counted(kinds)})",
        f"images: {len(book.files)} of {book.bytes:,} bytes in all; changes: {counted(book.done)}",
        f"audits: {storm.audit.audits}; " + (f"{len(problems)} things are WRONG" if problems else "all is right"),
    ]
    return "\n".join(lines)


def run_storm(folder: Path, minutes: float, images: int, seed: int) -> list[str]:
    """One storm in an empty folder; prints its summary, and returns what was wrong."""
    begun = time.monotonic()
    storm = Storm(folder, minutes, images, seed)
    try:
        storm.run()
    finally:
        print(summary(storm, time.monotonic() - begun), flush=True)
    return storm.audit.problems
