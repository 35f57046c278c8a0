"""The chaos run: random faults at a tenth of all calls, a kill every few seconds, a Drive that changes; then an audit.

    python -m tests.chaos [--minutes 10] [--images 300] [--seed N]

The plain command of the README runs again and again. When the time is over, the faults end, the command runs until it
reports success, and what Drive holds, the listing, the markers, the mapping and the bytes that the emulator stored are
compared. The seed decides the faults, the kills and the changes, but not which of them meet: that is up to the clock.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.emulator.client import Emulator
from tests.emulator.cloudinary_api import REWRITES
from tests.emulator.naming import as_stored
from tests.emulator.pictures import noise_jpeg, picture

# pytest knows where scripts/ is; a program does not.
sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from tests.harness import Workspace, processes_of, wait_for  # noqa: E402

Json = dict[str, Any]
CORES = 8
SETTINGS: Json = {"timeout": 2, "retries": 2}
SHARE = 0.1
"""How many of all calls are struck."""

LAST_RUN = 300.0
"""Seconds after which a run that nothing disturbs any more is taken for wedged."""

ANYWHERE: list[Json] = [
    {"delay": 0.5},
    {"hang": True},
    {"refuse": True},
    {"lose": True},
    {"cut": 0.0},
    {"cut": 0.5},
    {"empty": True},
    {"html": 200},
    {"html": 502},
    {"html": 503},
    {"body": '{"unexpected": [1, {}]}'},
    {"body": '["cut off', "status": 500},
]
GOOGLE: list[Json] = [
    {"error": {"status": 500, "reason": "backendError"}},
    {"error": {"status": 403, "reason": "userRateLimitExceeded", "headers": {"Retry-After": "1"}}},
    {"error": {"status": 429, "reason": "rateLimitExceeded", "headers": {"Retry-After": "0"}}},
    {"redirect": True},
]
CLOUDINARY: list[Json] = [
    {"error": {"status": 500, "message": "General Error"}},
    {"error": {"status": 420, "message": "Too many concurrent requests"}},
    {"error": {"status": 429, "message": "Rate limited", "headers": {"Retry-After": "1"}}},
]
# What only the proofs can tell is what matters most: it comes more often than its share.
FAULTS: dict[str, list[Json]] = {
    "oauth.token": [*ANYWHERE, {"error": {"status": 503, "reason": "temporarily_unavailable"}}],
    "drive.list": [*ANYWHERE, *GOOGLE, {"empty_batches": True}, {"incomplete": True}],
    "drive.get": [*ANYWHERE, *GOOGLE],
    "drive.media": [*ANYWHERE, *GOOGLE, *[{"corrupt": True}] * 6],
    "cloudinary.upload": [*ANYWHERE, *CLOUDINARY, *[{"lose": True}, {"corrupt": True}] * 5],
    "cloudinary.destroy": [*ANYWHERE, *CLOUDINARY],
    "delivery": [*ANYWHERE, {"corrupt": True}],
}
HOSTILE = (
    "$(touch pwned).jpg",
    "'; touch pwned #.png",
    "../../../etc/passwd.jpg",
    '=HYPERLINK("http://127.0.0.1").jpg',
    "<script>alert(1)</script>.gif",
    "two\nlines.jpg",
    "käse & größe 🧀.webp",
    "%2e%2e%2f?#.jpg",
    " .jpg",
    "x" * 300 + ".jpg",
)


def rules() -> list[Json]:
    """Fault rules that strike each operation's calls with the probability SHARE, all its kinds equally often."""
    made = []
    for op, kinds in FAULTS.items():
        each = SHARE / len(kinds)
        for number, do in enumerate(kinds):
            # A rule is asked only if none before it has struck.
            made.append({"on": op, "do": do, "times": None, "probability": each / (1 - number * each)})
    return made


@dataclass
class File:
    """What one file in Drive should be: its bytes' MD5, how often these changed, the names it was listed under."""

    name: str
    md5: str
    changes: int = 0
    trashed: bool = False
    names: set[str] = field(default_factory=set)


class Drive:
    """The Drive as we made it: the book that the audit goes by, and the changes."""

    def __init__(self, cloud: Emulator, dice: random.Random) -> None:
        self._cloud = cloud
        self._dice = dice
        self._number = 0
        self.files: dict[str, File] = {}
        self.folders = [""]
        self.bytes = 0
        self.done: Counter[str] = Counter()

    @property
    def living(self) -> dict[str, File]:
        """All files that are not in the trash, by ID."""
        return {file_id: file for file_id, file in self.files.items() if not file.trashed}

    def fill(self, count: int) -> None:
        """Make the folders, and `count` images in them: several of one name, some of the same bytes, some hostile."""
        for name in ("Summer", "Summer", "Summer/Winter", "2024: A & B", "=1+1"):
            self.folders.append(self._cloud.drive("folder", name=name, parent=self._dice.choice(self.folders)))
        names = [*HOSTILE, *(["photo.jpg"] * 3), "photo.png", "photo.webp", "Photo.jpg"]
        names += [f"picture {number}.{self._extension()}" for number in range(count)]
        contents = [self._content(name) for name in names[:count]]
        contents[-1] = contents[0]
        places = [self._dice.choice(self.folders) for _ in contents]
        # In one folder, names meet.
        places[len(HOSTILE) : len(HOSTILE) + 6] = [places[0]] * 6
        self._put([(*each,) for each in zip(names[:count], places, contents, strict=True)])

    def change(self, count: int) -> None:
        """Do so many random changes."""
        for _ in range(count):
            kinds = ["replace"] * 4 + ["rename"] * 2 + ["move"] * 2 + ["add"] * 2 + ["trash"]
            kind = self._dice.choice(kinds)
            self.done[kind] += 1
            file_id = self._dice.choice(sorted(self.living))
            file = self.files[file_id]
            if kind == "replace":
                data = self._content(file.name)
                self._cloud.drive("replace", id=file_id, content_base64=base64.b64encode(data).decode())
                file.md5, file.changes = hashlib.md5(data).hexdigest(), file.changes + 1
            elif kind == "rename":
                file.name = self._new_name()
                self._cloud.drive("rename", id=file_id, name=file.name)
            elif kind == "move":
                # Only the folders that are made first: none of them lies in another one that could be moved.
                self._cloud.drive("move", id=file_id, parent=self._dice.choice(self.folders[1:]))
            elif kind == "add":
                name = self._new_name()
                self._put([(name, self._dice.choice(self.folders), self._content(name))])
            elif len(self.living) > 10:
                self._cloud.drive("trash", id=file_id)
                file.trashed = True

    def _put(self, made: Iterable[tuple[str, str, bytes]]) -> None:
        made = list(made)
        ids = self._cloud.drive_all(
            [
                {"op": "add", "name": name, "parent": place, "content_base64": base64.b64encode(data).decode()}
                for name, place, data in made
            ]
        )
        for file_id, (name, _, data) in zip(ids, made, strict=True):
            self.files[file_id] = File(name, hashlib.md5(data).hexdigest())

    def _new_name(self) -> str:
        """A name that no file has had: an asset that a trashed one left behind may hold any other."""
        self._number += 1
        return f"new {self._number}.{self._extension()}"

    def _extension(self) -> str:
        return self._dice.choice(["jpg", "jpg", "png", "webp", "gif"])

    def _content(self, name: str) -> bytes:
        """A picture unlike all others: a JPEG of random bytes of any size, or a small painted one of another kind."""
        extension, seed = name.rpartition(".")[2], self._dice.randrange(1 << 30)
        if extension == "jpg":
            data = noise_jpeg(self._dice.choice([700, 5_000, 40_000, 300_000]), seed)
        else:
            data = picture(extension, (self._dice.randint(16, 80), self._dice.randint(16, 60)), seed)
        self.bytes += len(data)
        return data


class Running:
    """A run of the plain command whose words are read all the while, so that no pipe fills up."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.disturbed: list[str] = []
        self._lines: list[str] = []
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            threading.Thread(target=self._read, args=[stream], daemon=True).start()

    def _read(self, stream: IO[str]) -> None:
        with suppress(ValueError):
            self._lines += stream

    @property
    def lives(self) -> bool:
        return self.process.poll() is None

    @property
    def said(self) -> str:
        """All that it said up to now."""
        return "".join(self._lines)


class Chaos:
    """One chaos run in a folder of its own."""

    def __init__(self, folder: Path, minutes: float, images: int, seed: int) -> None:
        self._dice = random.Random(seed)
        self._seconds = minutes * 60
        self._images = images
        self.cloud = Emulator(folder / "Photos", folder / "cloud", drive_delay=40, upload_delay=200)
        self.workspace = Workspace(folder / "work", self.cloud)
        self.workspace.path.mkdir()
        self._temporary = folder / "tmp"
        self._temporary.mkdir()
        # What the workers keep outside of the results folder is looked at, too.
        self.workspace.environment["TMPDIR"] = str(self._temporary)
        self.drive = Drive(self.cloud, self._dice)
        self.kills: Counter[str] = Counter()
        self.signals: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()
        self.problems: list[str] = []
        self.audits = self.calls = 0
        self._log_read = 0
        self._struck: Counter[tuple[str, str]] = Counter()
        self._faulty = True
        self._following = 0.0
        self._targets: list[tuple[str, Callable[[Running], list[int]]]] = [
            ("snakemake", lambda running: [running.process.pid]),
            ("worker", lambda running: self._one(self._workers()[1])),
            ("worker", lambda running: self._one(self._workers()[1])),
            ("workers' parent", lambda running: self._one(self._workers()[0])),
            ("all workers", lambda running: self.workspace.workers()),
            ("job", lambda running: self._one(self.workspace.processes("upload_image."))),
            ("listing or merge", lambda running: self._one(self._short_ones())),
            ("everything", lambda running: self.workspace.processes()),
        ]

    def run(self) -> None:
        """All of it: what is wrong is in `problems` afterwards."""
        if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
            # As a shell's background job; the runs would inherit that, and not hear Ctrl-C.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        with self.cloud:
            try:
                self.drive.fill(self._images)
                self._set_faults()
                self._rage(time.monotonic() + self._seconds)
                self._faulty = False
                self._collect()
                self._set_faults()
                self._finish()
                self._collect()
                self._audit("at the end")
                self._look_for_leftovers()
            finally:
                self._kill(self.workspace.processes())

    # Runs

    def _rage(self, end: float) -> None:
        """Runs, faults, kills and changes until the time is over."""
        while time.monotonic() < end:
            running = self._start()
            self._watch(running, end)
            self._look_at(running)
            self.drive.change(self._dice.randint(0, max(4, self._images // 3)))

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
        self._wrong(f"no success in three runs that nothing disturbed:\n{running.said[-2000:]}")

    def _start(self) -> Running:
        return Running(self.workspace.start(cores=CORES, **SETTINGS))

    def _wedged(self, running: Running) -> None:
        commands = [Path(f"/proc/{pid}/cmdline") for pid in self.workspace.processes()]
        alive = [path.read_bytes().replace(b"\0", b" ")[:200].decode(errors="replace") for path in commands]
        self._wrong(f"a run that nothing disturbs does not end: {alive}\n{running.said[-2000:]}")
        self._kill(self.workspace.processes())
        running.process.wait()

    def _look_at(self, running: Running) -> None:
        """What must hold after each run, however it ended."""
        code = running.process.returncode
        self.codes["killed" if code == -signal.SIGKILL else f"exit {code}"] += 1
        what = f"after a run with exit code {code}, disturbed by {running.disturbed}"
        if "Traceback" in running.said:
            self._wrong(f"a traceback {what}:\n{running.said[-3000:]}")
        if code not in (0, 1) and not (code == -signal.SIGKILL and running.disturbed):
            self._wrong(f"an exit code that nobody knows {what}:\n{running.said[-2000:]}")
        self._look_at_names(what)
        self._look_at_proofs(what)
        if code == 0:
            self._audit(what)

    def _look_at_proofs(self, what: str) -> None:
        """Each marker is whole, and what it says is true: the job of a changed image removes it before it uploads."""
        texts: dict[Path, str] = {}
        for path in (self.workspace.results / "markers").glob("*.json"):
            # What a killed run has left may still be at work.
            with suppress(FileNotFoundError):
                texts[path] = path.read_text()
        assets = self.cloud.assets()
        for path, text in texts.items():
            try:
                said = json.loads(text)["cloudinary"]
            except (ValueError, KeyError) as error:
                self._wrong(f"half a marker {path.name} {what}: {error}")
                continue
            asset = assets.get(said["public_id"], {})
            if (asset.get("version"), asset.get("etag")) != (
                said["version"],
                path.name.split(".")[1],
            ) and path.exists():
                self._wrong(f"an untrue marker {path.name} {what}: {said}, but the asset is {asset}")

    def _look_at_names(self, what: str) -> None:
        """Each image keeps the public_id that it was once listed with."""
        listing = self.workspace.results / "listing.json"
        if not listing.exists():
            if any(file.names for file in self.drive.files.values()):
                self._wrong(f"the last good listing is gone {what}")
            return
        try:
            images = json.loads(listing.read_text())["images"]
        except (ValueError, KeyError) as error:
            self._wrong(f"half a listing {what}: {error}")
            return
        for image in images:
            file = self.drive.files[image["id"]]
            if file.names - {image["public_id"]}:
                self._wrong(f"{image['id']} was {file.names}, and is {image['public_id']} {what}")
            file.names.add(image["public_id"])

    # Faults and kills

    def _set_faults(self) -> None:
        self.cloud.faults(rules() if self._faulty else [], seed=self._dice.randrange(1 << 30))
        # Then Cloudinary's answers do not say what is stored, so the workers look at what it delivers.
        self.cloud.settings(existing_without_etag=self._faulty and self._dice.random() < 0.3)

    def _collect(self) -> None:
        """Count what is new in the emulator's log, which does not outlive it."""
        log = self.cloud.log()
        for call in log[self._log_read :]:
            self.calls += 1
            if call["fault"]:
                self.faults[f"{call['op']} {call['fault'].replace(',', '+')}"] += 1
                if call["op"] == "cloudinary.upload":
                    self._struck[_stored_as(call["key"]), call["fault"]] += 1
        self._log_read = len(log)

    def _strike(self, running: Running) -> None:
        """Kill something at random, and look on the way that no command line shows a secret."""
        secrets = json.loads((self.cloud.store / "secrets.json").read_text())
        for name in ("api_secret", "client_secret", "refresh_token"):
            if processes_of(secrets[name]):
                self._wrong(f"{name} is on a command line")
        while running.lives:
            number = self._dice.randrange(len(self._targets) + 3)
            if number < len(self._targets):
                what, find = self._targets[number]
                pids = find(running)
                if pids and self._kill(pids):
                    self.kills[what] += 1
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
                self.signals[which.name] += 1
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
        self.kills["emulator"] += 1
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

    def _workers(self) -> tuple[list[int], list[int]]:
        """The process IDs of the workers' parents, and of the workers."""
        pids = self.workspace.workers()
        parents = {pid: _parent_of(pid) for pid in pids}
        return [pid for pid in pids if parents[pid] not in pids], [pid for pid in pids if parents[pid] in pids]

    def _short_ones(self) -> list[int]:
        return self.workspace.processes("list_images.py") + self.workspace.processes("merge_markers.py")

    def _one(self, pids: list[int]) -> list[int]:
        return [self._dice.choice(pids)] if pids else []

    def _kill(self, pids: list[int]) -> int:
        """kill -9 of these; how many there still were."""
        killed = 0
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
        return killed

    # The audit

    def _wrong(self, what: str) -> None:
        self.problems.append(what)
        print(f"WRONG: {what}", file=sys.stderr, flush=True)

    def _audit(self, when: str) -> None:
        """Compare the mapping, the markers and the stored bytes with the book of what Drive holds."""
        self._collect()
        self.audits += 1
        before = len(self.problems)
        try:
            rows = {row["file_id"]: row for row in self.workspace.mapping()}
        except (AssertionError, OSError, ValueError) as error:
            self._wrong(f"the mapping cannot be read {when}: {error}")
            return
        living, assets = self.drive.living, self.cloud.assets()
        listed = json.loads((self.workspace.results / "listing.json").read_text())["images"]
        self._same("the listing", living, [image["id"] for image in listed], when)
        self._same("the mapping", living, rows, when)
        self._same("names in the mapping", living, {row["public_id"] for row in rows.values()}, when, ids=False)
        self._same("failures", [], set(self.workspace.failures()) & set(living), when)
        for file_id in living.keys() & rows.keys():
            self._audit_image(file_id, rows[file_id], assets, when)
        self._audit_others({row["public_id"] for row in rows.values()}, assets, when)
        if len(self.problems) > before:
            self._wrong(f"so the audit failed {when}")

    def _audit_image(self, file_id: str, row: Json, assets: dict[str, Json], when: str) -> None:
        file, public_id = self.drive.files[file_id], row["public_id"]
        of_file = f"{file_id} ({file.name!r}, {public_id}) {when}"
        asset = assets.get(public_id)
        if asset is None:
            self._wrong(f"no asset of {of_file}")
            return
        stored = self._stored(asset)
        if not file.md5 == row["md5"] == asset["etag"] == hashlib.md5(stored).hexdigest():
            self._wrong(f"other bytes: {file.md5} in Drive, {row['md5']} mapped, {asset['etag']} stored: {of_file}")
        if row["status"] not in ("uploaded", "existing") or asset["context"] != {"drive_id": file_id}:
            self._wrong(f"status {row['status']}, context {asset['context']}: {of_file}")
        if row["filename"] != file.name or set(map(_stored_as, file.names)) != {public_id}:
            self._wrong(f"filename {row['filename']!r}, names {file.names}: {of_file}")
        markers = [path.name for path in (self.workspace.results / "markers").glob(f"{file_id}.*")]
        if markers != [f"{file_id}.{file.md5}.json"]:
            self._wrong(f"markers {markers}: {of_file}")
        else:
            marker = json.loads((self.workspace.results / "markers" / markers[0]).read_text())
            cloudinary = marker["cloudinary"]
            shown = {key: cloudinary[key] for key in ("public_id", "asset_id", "version", "etag")}
            if shown != {key: asset[key] for key in shown} or row["cloudinary_url"] != cloudinary["secure_url"]:
                self._wrong(f"the marker says {shown}, the asset is {asset}: {of_file}")
        corrupt = self._struck[public_id, "corrupt"]
        unheard = sum(self._struck[public_id, kind] for kind in ("lose", "cut", "redirect"))
        # A lost answer to a first upload is found on the retry; one that replaces is sent again.
        allowed = 1 + file.changes + sum(self.kills.values()) + corrupt
        allowed += unheard if file.changes or corrupt else 0
        if not 1 <= asset["stores"] <= allowed:
            self._wrong(f"stored {asset['stores']} times where {allowed} are explained: {of_file}")

    def _audit_others(self, mapped: set[str], assets: dict[str, Json], when: str) -> None:
        """Every other asset is that of a file that was trashed; and all together were stored no more than explained."""
        for public_id in assets.keys() - mapped:
            owner = self.drive.files.get(assets[public_id]["context"].get("drive_id", ""))
            if owner is None or not owner.trashed or public_id not in map(_stored_as, owner.names):
                self._wrong(f"an asset that nobody asked for, {public_id}, {when}: {assets[public_id]}")
        struck = sum(count for (_, kind), count in self._struck.items() if kind in ("corrupt", "lose", "cut"))
        explained = len(self.drive.files) + sum(file.changes for file in self.drive.files.values()) + struck
        explained += CORES * (sum(self.kills.values()) + sum(self.signals.values()))
        stores = sum(asset["stores"] for asset in assets.values())
        if stores > explained:
            self._wrong(f"{stores} stores, of which {explained} are explained, {when}")

    def _same(self, what: str, wanted: Iterable[str], found: Iterable[str], when: str, ids: bool = True) -> None:
        wanted, found = list(wanted), list(found)
        if len(wanted) != len(found) or ids and set(wanted) != set(found):
            odd = sorted(set(wanted) ^ set(found))[:5] if ids else ""
            self._wrong(f"{what}: {len(wanted)} wanted, {len(found)} found {when}: {odd}")

    def _stored(self, asset: Json) -> bytes:
        """The bytes of an asset, as they lie in the emulator's store."""
        with (self.cloud.store / "assets" / "assets.bytes").open("rb") as stream:
            stream.seek(asset["offset"])
            return stream.read(asset["bytes"])

    def _look_for_leftovers(self) -> None:
        """No process, no temporary file, no secret, and nothing that a hostile name has made."""
        try:
            wait_for(lambda: not self.workspace.processes(), 60)
        except AssertionError:
            self._wrong(f"processes are left: {self.workspace.processes()}")
        if left := self.workspace.leftovers():
            self._wrong(f"files are left: {left[:5]}")
        if left := [str(path) for path in self._temporary.rglob("*") if path.is_file()]:
            self._wrong(f"{len(left)} temporary files are left: {left[:5]}")
        if left := self.workspace.secrets_left():
            self._wrong(f"secrets are in {left[:5]}")
        if list(self.workspace.path.parent.rglob("pwned*")):
            self._wrong("a hostile name was run by a shell")
        log = self.workspace.results / "logs" / "workers.log"
        if log.exists() and "Traceback" in log.read_text(errors="replace"):
            parts = log.read_text(errors="replace").split("Traceback")
            said = sorted({line for part in parts[1:] for line in part.splitlines() if line and line[0] not in " ("})
            self._wrong(f"{len(parts) - 1} tracebacks in workers.log: {said[:9]}; the last:{parts[-1][-1500:]}")


def _stored_as(public_id: str) -> str:
    """What the emulated account makes of a public_id."""
    return as_stored(public_id, REWRITES[0])


def _parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "none"


def summary(chaos: Chaos, seed: int, seconds: float) -> str:
    """What happened, for people."""
    drive = chaos.drive
    struck = sum(chaos.faults.values())
    kinds: Counter[str] = Counter()
    for what, count in chaos.faults.items():
        kinds[what.partition(" ")[2]] += count
    lines = [
        f"seed {seed}: {seconds:.0f} s, {sum(chaos.codes.values())} runs ({_counted(chaos.codes)})",
        f"kill -9: {sum(chaos.kills.values())} ({_counted(chaos.kills)}); signals: {_counted(chaos.signals)}",
        f"faults: {struck} in {chaos.calls} calls ({_counted(kinds)})",
        f"images: {len(drive.files)} of {drive.bytes:,} bytes in all; changes: {_counted(drive.done)}",
        f"audits: {chaos.audits}; " + (f"{len(chaos.problems)} things are WRONG" if chaos.problems else "all is right"),
    ]
    return "\n".join(lines)


def run_chaos(folder: Path, minutes: float, images: int, seed: int) -> list[str]:
    """One chaos run in an empty folder; prints its seed and its summary, and returns what was wrong."""
    print(f"seed {seed}", flush=True)
    begun = time.monotonic()
    chaos = Chaos(folder, minutes, images, seed)
    try:
        chaos.run()
    finally:
        print(summary(chaos, seed, time.monotonic() - begun), flush=True)
    return chaos.problems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long faults and kills go on")
    parser.add_argument("--images", type=int, default=300, help="how many there are at the beginning, at least 20")
    parser.add_argument("--seed", type=int, default=None, help="random if it is left out")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 30) if options.seed is None else options.seed
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    if run_chaos(folder, options.minutes, max(options.images, 20), seed):
        sys.exit(f"what is wrong is kept in {folder}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
