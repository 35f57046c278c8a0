"""The shared fixture of the workflow's tests: the real snakemake command in its own folder, on an emulated cloud."""

from __future__ import annotations

import base64
import csv
import gzip
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from drive2cloudinary.settings import Settings
from tests.emulator.client import Emulator
from tests.emulator.pictures import noise_jpeg
from tests.proxy import without_proxies

PATIENCE = 120
"""The setting `timeout`, in seconds, for runs whose calls are held."""
ROOT = Path(__file__).parents[1]
SNAKEMAKE = Path(sys.executable).with_name("snakemake")


@dataclass
class Finished:
    """A command that has ended: its exit code and the output on both streams."""

    code: int
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        return self.stdout + self.stderr

    @property
    def lines(self) -> list[str]:
        """The output without the two lines with which Snakemake begins."""
        preamble = ("Using workflow specific profile ", "Config file ")
        return [line for line in self.said.splitlines() if line.strip() and not line.startswith(preamble)]

    @property
    def to_do(self) -> list[str]:
        """What the run says that is to be done."""
        return re.findall(r"^to do: (.+)$", self.said, re.MULTILINE)

    def line(self, *fragments: str) -> str:
        """The only line that contains all these fragments; fails if there is none or more than one."""
        found = [line for line in self.lines if all(fragment in line for fragment in fragments)]
        assert len(found) == 1, f"{len(found)} lines with {fragments} in:\n{self.said}"
        return found[0]

    def succeeded(self) -> Finished:
        """Fails, showing what was said, unless the exit code is 0."""
        assert self.code == 0, self.said
        return self

    def failed(self, code: int = 1) -> Finished:
        """Fails, showing what was said, unless the exit code is this one and nothing looks like a crash."""
        assert self.code == code and "Traceback" not in self.said, f"exit code {self.code}:\n{self.said}"
        return self

    def refused(self, *fragments: str) -> None:
        """Fails unless the exit code is 1 and all that was said is one line, with all these fragments."""
        assert self.failed().lines == [self.line(*fragments)]


@dataclass(frozen=True)
class Summary:
    """What a run says at its end: images by status; how many are in Cloudinary, are to be, were uploaded now; to do."""

    counts: Counter[str]
    here: int
    wanted: int
    now: int
    to_do: list[str]

    @classmethod
    def of(cls, done: Finished) -> Summary:
        """Read it. This is the only place that knows the form of these lines."""
        headline = r"^([\d,]+)(?: of ([\d,]+))? images? in Cloudinary, (?:([\d,]+) uploaded now)?"
        (here,) = re.findall(headline, done.said, re.MULTILINE)
        (listed,) = re.findall(r"^[\d,]+ images?: (.+)$", done.said, re.MULTILINE)
        counts = {status: _number(count) for count, status in re.findall(r"(\d[\d,]*) ([a-z]+)", listed)}
        return cls(Counter(counts), _number(here[0]), _number(here[1] or here[0]), _number(here[2] or "0"), done.to_do)


NOTHING_TO_DO = ["nothing, all images are where they should be"]


def _number(text: str) -> int:
    return int(text.replace(",", ""))


@dataclass
class Workspace:
    """A working directory of a user, with a cloud; `snakemake` in it runs the project's Snakefile."""

    path: Path
    cloud: Emulator
    environment: dict[str, str] = field(default_factory=dict)
    memory: int | None = None
    """How many bytes of address space each process of the command may have."""
    within: tuple[str, ...] = ()
    """The program, with its arguments, that runs the command: setpriv, a shell …"""

    @property
    def results(self) -> Path:
        return self.path / "results" / self.cloud.folder_id

    def command(self, *arguments: str, cores: int = 4, **config: object) -> list[str]:
        """The command line of the README, with the settings for the emulated cloud."""
        defaults = {
            "folder_id": self.cloud.folder_id,
            "drive_endpoint": self.cloud.drive_endpoint,
            "token": self.cloud.token,
            "timeout": 5,
        }
        pairs = [f"{key}={value}" for key, value in {**defaults, **config}.items() if value is not None]
        dry = "-n" in arguments
        return [
            str(SNAKEMAKE),
            "--snakefile",
            str(ROOT / "Snakefile"),
            *([] if dry else ["--cores", str(cores)]),
            *arguments,
            "--config",
            *pairs,
        ]

    def variables(self) -> dict[str, str]:
        """The environment of the command."""
        environment = {
            **{key: value for key, value in without_proxies().items() if not key.startswith("CLOUDINARY")},
            "CLOUDINARY_URL": self.cloud.cloudinary_url,
            "NO_GCE_CHECK": "true",
            **self.environment,
        }
        return {key: value for key, value in environment.items() if value}

    def start(self, *arguments: str, cores: int = 4, **config: object) -> subprocess.Popen[str]:
        """Start the command in a process group of its own, as a terminal does."""
        return subprocess.Popen(
            [*self.within, *self.command(*arguments, cores=cores, **config)],
            cwd=self.path,
            env=self.variables(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=self._limit_memory if self.memory else None,
        )

    def _limit_memory(self) -> None:
        assert self.memory
        resource.setrlimit(resource.RLIMIT_AS, (self.memory, self.memory))

    def run(self, *arguments: str, cores: int = 4, **config: object) -> Finished:
        """Run the command to its end."""
        return self.finish(self.start(*arguments, cores=cores, **config))

    def run_line(self, command: list[str]) -> Finished:
        """Run another command line to its end, as `run` does."""
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return self.finish(
            subprocess.Popen(command, cwd=self.path, env=self.variables(), start_new_session=True, **pipes)
        )

    def finish(self, process: subprocess.Popen[str]) -> Finished:
        """What a command that was started has said when it has ended."""
        try:
            stdout, stderr = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        return Finished(process.returncode, stdout, stderr)

    def dry_run(self, *arguments: str, **config: object) -> Finished:
        """Run `snakemake -n`."""
        return self.run("-n", *arguments, cores=1, **config)

    def settings(self, **config: object) -> str:
        """The settings as the scripts take them."""
        values: dict[str, Any] = {
            "folder_id": self.cloud.folder_id,
            "drive_endpoint": self.cloud.drive_endpoint,
            "token": self.cloud.token,
            "timeout": 5,
            **config,
        }
        return Settings(**values).to_json()

    def script(self, name: str, *arguments: str) -> Finished:
        """Run one of scripts/ without Snakemake."""
        done = subprocess.run(
            [sys.executable, str(ROOT / "scripts" / name), *arguments],
            cwd=self.path,
            env={**without_proxies(), "NO_GCE_CHECK": "true", **self.environment},
            capture_output=True,
            text=True,
            timeout=60,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def add(self, *names: str, parent: str = "", **more: object) -> list[str]:
        """Put small pictures into the Drive folder (or `parent`), each unlike the others; returns their IDs."""
        return self.cloud.drive_all(
            [{"op": "add", "name": name, "parent": parent, "content_base64": jpeg(name), **more} for name in names]
        )

    def calls(self, op: str, key: str = "") -> int:
        """The number of calls of an operation (drive.media, cloudinary.upload …), or of those for `key`."""
        return sum(call["op"] == op and (not key or call["key"] == key) for call in self.cloud.log())

    def held(self, op: str = "cloudinary.upload") -> int:
        """The number of calls of an operation that the cloud holds now."""
        return int(self.cloud.stats()["held"].get(op, 0))

    def hold_uploads(self, after: int = 0) -> None:
        """Have the cloud hold all uploads but the first ones, until its faults are replaced. The run needs PATIENCE."""
        self.cloud.faults([{"on": "cloudinary.upload", "skip": after, "do": {"hold": 0}, "times": None}])

    def wait_until_held(self, done: int, cores: int = 4) -> None:
        """Wait until each process of the pool has an upload held and the next image downloaded: nothing moves then.

        In: how many images are done by then.
        """
        wait_for(
            lambda: (
                self.held() == cores and self.calls("drive.media") == done + 2 * cores and self.count_markers() == done
            )
        )

    def wait_until_ending(self) -> None:
        """Wait until the run has heeded a signal after which it lets the images under way finish, and begins no other.

        From Snakemake's log, because nothing is said in the terminal.
        """

        def heeded() -> bool:
            *_, log = sorted((self.path / ".snakemake" / "log").iterdir())
            return "Will exit after finishing" in log.read_text()

        wait_for(heeded)

    def count_markers(self) -> int:
        """How many markers stand."""
        return len(list(self.results.glob("markers/*.json")))

    def mapping(self) -> list[dict[str, Any]]:
        """The rows of mapping.json, after checking that mapping.csv has the same ones."""
        rows: list[dict[str, Any]] = json.loads((self.results / "mapping.json").read_text())
        with (self.results / "mapping.csv").open(newline="", encoding="utf-8-sig") as stream:
            table = list(csv.DictReader(stream))
        assert [row["file_id"] for row in table] == [row["file_id"] for row in rows]
        return rows

    def markers(self) -> dict[str, dict[str, Any]]:
        """File name → content of all markers."""
        return {path.name: json.loads(path.read_text()) for path in (self.results / "markers").glob("*.json")}

    def failures(self) -> dict[str, dict[str, Any]]:
        """File ID → content of all records of failures."""
        return {path.stem: json.loads(path.read_text()) for path in (self.results / "failures").glob("*.json")}

    def audit(self, crashes: int = 0) -> list[dict[str, Any]]:
        """The mapping's rows, after checking that each image is in Cloudinary once and nothing else is.

        Each image may have been stored once, and once more for each crash.
        """
        rows = self.mapping()
        images = {node["id"]: node for node in self.cloud.nodes() if node["md5"] and not node["trashed"]}
        assert sorted(row["file_id"] for row in rows) == sorted(images)
        assets = self.cloud.assets()
        assert sorted(row["public_id"] for row in rows) == sorted(assets)
        for row in rows:
            asset = assets[row["public_id"]]
            assert row["status"] in ("uploaded", "existing"), row
            assert row["md5"] == images[row["file_id"]]["md5"] == asset["etag"], row
            assert asset["context"] == {"drive_id": row["file_id"]}
            assert 1 <= asset["stores"] <= 1 + crashes, asset
        assert sorted(self.markers()) == sorted(f"{row['file_id']}.{row['md5']}.json" for row in rows)
        assert not self.leftovers(), self.leftovers()
        return rows

    def agreed(self, done: Finished) -> Summary:
        """The summary of a run, after checking that rows, summary, report and exit code say the same."""
        said, rows = Summary.of(done), self.mapping()
        counts = Counter(row["status"] for row in rows)
        assert +said.counts == counts, done.said
        assert said.here == counts["uploaded"] + counts["existing"]
        assert said.wanted == said.here + counts["failed"] + counts["pending"]
        page = (self.results / "report.html").read_text()
        shown = re.findall(r'<span class="status (\w+)">\w+</span></dt><dd>([\d,]+)</dd>', page)
        assert +Counter({status: _number(count) for status, count in shown}) == counts
        assert (done.code == 0) == (said.to_do == NOTHING_TO_DO), done.said
        assert done.code or said.here == said.wanted
        return said

    def leftovers(self) -> list[str]:
        """Files below the results that are neither output nor log: temporary files and renamed invalid files."""
        known = {
            "listing.json",
            "run.json",
            "mapping.csv",
            "mapping.json",
            "orphans.csv",
            "batches",
            "markers",
            "failures",
            "logs",
            "report.html",
            "verify.csv",
        }
        odd = [path for path in self.results.iterdir() if path.name not in known]
        odd += [path for path in (self.results / "markers").iterdir() if not MARKER.fullmatch(path.name)]
        odd += [path for path in self.results.rglob(".*")]
        return [str(path) for path in odd]

    def workers(self) -> list[int]:
        """The process IDs of the pool that runs here, its host among them."""
        return self.processes("snakemake_executor_plugin_pool")

    def host(self) -> int:
        """The process that the others of the pool were forked from."""
        pids = self.workers()
        return next(pid for pid in pids if _parent_of(pid) not in pids)

    def processes(self, text: str = "") -> list[int]:
        """The IDs of all processes in this working directory whose command line contains `text`."""
        return [pid for pid in processes_of(text) if _folder_of(pid) == self.path]

    def secrets_left(self) -> list[str]:
        """The files below the working directory, but for the user's own, in which a secret or a signed request is."""
        kept = json.loads((self.cloud.store / "secrets.json").read_text())
        secrets = [kept[name].encode() for name in ("api_secret", "client_secret", "refresh_token")]
        unsafe = re.compile(rb"ya29\.|[Ss]tring to sign|timestamp=\d{10}|" + b"|".join(map(re.escape, secrets)))
        files = [path for path in self.path.rglob("*") if path.is_file() and path.name not in (".env", "token.json")]
        files = [path for path in files if self.path / "scripts" not in path.parents]
        return [str(path) for path in files if unsafe.search(path.read_bytes())]

    def statuses(self) -> dict[str, str]:
        """File name in Drive → status in the mapping."""
        return {row["filename"]: row["status"] for row in self.mapping()}


MARKER = re.compile(r"[A-Za-z0-9_-]+\.[0-9a-f]{32}\.json")


def packed_in(report: Path) -> str:
    """What a report.html has of its images, as JSON."""
    found = re.search('id="data">([^<]*)<', report.read_text())
    assert found
    return gzip.decompress(base64.b64decode(found[1])).decode()


def jpeg(seed: object, size: int = 1000) -> str:
    """A JPEG of just this size in base64, as the emulator's operations take it; of another seed, another one."""
    return base64.b64encode(noise_jpeg(size, zlib.crc32(repr(seed).encode()))).decode()


def _folder_of(pid: int) -> Path | None:
    try:
        return Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return None


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def listens(pid: int) -> bool:
    """Whether anybody can reach a process: whether it has a socket that listens, or a Unix socket with a name."""
    sockets = psutil.Process(pid).net_connections("all")
    return any(each.status == psutil.CONN_LISTEN or (each.family == socket.AF_UNIX and each.laddr) for each in sockets)


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal."""
    (caught,) = re.findall(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
    return bool(int(caught, 16) >> number - 1 & 1)


def waiters(path: Path) -> int:
    """How many processes the kernel has wait for a lock on a file: `1: -> FLOCK  ADVISORY  WRITE 12 00:2a:34 0 EOF`."""
    inode = f":{path.stat().st_ino} "
    return sum("->" in line and inode in line for line in Path("/proc/locks").read_text().splitlines())


def wait_for(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait until a condition is true; fails after a generous time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def processes_of(text: str) -> list[int]:
    """The process IDs whose command line contains `text`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if text in line:
                found.append(int(entry.name))
    return found
