"""Search for secrets after runs of every kind, and in what other users can see of running processes.

Searched are all files below the working directory and the folder for temporary files (archives unpacked), what was
said, the command lines, and the environments, in which nothing may be but the address of Cloudinary and what the user
put there.
"""

from __future__ import annotations

import base64
import io
import json
import os
import random
import re
import signal
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.chaos.running import Problems, Running, send
from tests.emulator.client import Emulator
from tests.harness import Workspace, wait_for
from tests.proxy import Proxy

Json = dict[str, Any]
USER, PASSWORD = "someone", "p@ss:word%2F"
PASSING = re.compile(rb"ya29\.[\w-]|[Ss]tring to sign|signature=\w|timestamp=\d{10}|Bearer \w|eyJ[\w-]+\.eyJ")
"""What is secret for a while: access tokens, signed parameters, a service account's signed requests."""
OPERATIONS = ("oauth.token", "drive.list", "drive.get", "drive.media", "cloudinary.upload", "delivery")


class Search:
    """One cloud and one working directory, whose processes are watched all the time."""

    def __init__(self, folder: Path, cloud: Emulator) -> None:
        self.cloud = cloud
        self.workspace = Workspace(folder / "work", cloud)
        self.temporary = folder / "tmp"
        for each in (self.workspace.path, self.temporary):
            each.mkdir()
        self.workspace.environment["TMPDIR"] = str(self.temporary)
        self.said = ""
        self.shown: set[str] = set()
        """The places where a process has shown a secret."""
        self.looks = 0
        self._own: set[Path] = set()
        self._over = threading.Event()
        kept = json.loads((cloud.store / "secrets.json").read_text())
        texts = [kept[name] for name in ("api_secret", "client_secret", "refresh_token")]
        # Of a key, a line in the midst of it: it may be written as one line, or as many.
        texts += [kept["private_key"].split("\n")[3], PASSWORD]
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        self._secrets = {form for text in texts for form in (text, quote(text, safe=""))} | {login}
        self._pattern = re.compile(b"|".join([PASSING.pattern, *(re.escape(each.encode()) for each in self._secrets)]))

    def run(self, *arguments: str, code: int | None = None, **config: Any) -> None:
        """Run the command to its end. In: the exit code that it should have."""
        done = self.workspace.run(*arguments, **config)
        self.said += done.said
        assert code is None or done.code == code, done.said

    def write(self, name: str, text: str) -> Path:
        """Make a file of the user's own, in which their secrets may be."""
        path = self.workspace.path / name
        path.write_text(text)
        path.chmod(0o600)
        self._own.add(path)
        return path

    def faults(self, *rules: Json) -> None:
        self.cloud.faults([{"times": None, **rule} for rule in rules])

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the processes within this context."""
        watcher = threading.Thread(target=self._watch)
        watcher.start()
        try:
            yield
        finally:
            self._over.set()
            watcher.join()

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            for pid in self.workspace.processes():
                with suppress(OSError):
                    self._look_at(Path(f"/proc/{pid}"))
                    self.looks += 1

    def _look_at(self, process: Path) -> None:
        line, environment = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        if self._pattern.search(line):
            self.shown.add(f"the command line {line[:200]!r}")
        if (process / "environ").stat().st_mode & 0o077:
            self.shown.add(f"the environment of {line[:100]!r}, which others can read")
        # Cloudinary's address is in it, which .env, too, only puts there.
        given = {f"{name}={value}".encode() for name, value in self.workspace.variables().items()}
        given.add(f"CLOUDINARY_URL={self.cloud.cloudinary_url}".encode())
        more = [each for each in environment.split(b"\0") if each not in given]
        if found := [each.partition(b"=")[0] for each in more if self._pattern.search(each)]:
            self.shown.add(f"the environment of {line[:100]!r}: {found!r}")

    def found(self) -> list[str]:
        """Where a secret is."""
        places = sorted(self.shown)
        if self._pattern.search(self.said.encode()):
            places.append(f"what was said:\n{self.said}")
        for path in [*self.workspace.path.rglob("*"), *self.temporary.rglob("*")]:
            if path.is_file() and path not in self._own and self._is_in(path.read_bytes()):
                places.append(str(path))
        return places

    def _is_in(self, content: bytes) -> bool:
        if content.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                return any(self._is_in(archive.read(name)) for name in archive.namelist())
        return bool(self._pattern.search(content))


def good(search: Search) -> None:
    """All that goes well, with the credentials in .env and in token.json."""
    search.write(".env", f"CLOUDINARY_URL={search.cloud.cloudinary_url}\n")
    search.write("token.json", Path(search.cloud.token).read_text())
    search.workspace.environment["CLOUDINARY_URL"] = ""
    search.run("-n", token="token.json", code=0)
    search.run(token="token.json", code=0)
    search.run("verify", token="token.json", code=0)


def failed(search: Search) -> None:
    """Images that fail, each service in another way."""
    no = {"status": 403, "reason": "cannotDownloadFile"}
    search.faults(
        {"on": "drive.media", "match": search.workspace.add("locked.jpg")[0], "do": {"error": no}},
        {"on": "cloudinary.upload", "match": "1", "do": {"error": {"status": 400, "message": "Invalid image file"}}},
        {"on": "cloudinary.upload", "match": "2", "do": {"corrupt": True}},
    )
    search.run(retries=1, code=1)


def wrong_credentials(search: Search) -> None:
    """A key that Cloudinary does not know, and a client that Google does not know."""
    right = search.cloud.cloudinary_url
    search.workspace.environment["CLOUDINARY_URL"] = re.sub(r"//\d+:", "//123456789012345:", right)
    search.run(retries=0, code=1)
    token = json.loads(Path(search.cloud.token).read_text())
    search.write("other.json", json.dumps({**token, "client_id": "somebody"}))
    search.run(token="other.json", retries=0, code=1)


def revoked(search: Search) -> None:
    """A token that is revoked before the run, and one that is revoked during it."""
    no = {"error": {"status": 401, "reason": "authError", "message": "Invalid Credentials"}}
    search.faults({"on": "drive.media", "skip": 2, "do": no})
    search.run(retries=0, code=1)
    search.faults()
    search.cloud.oauth(revoke=True)
    search.run(retries=0, code=1)


def refused_signature(search: Search) -> None:
    """Cloudinary repeats what was to be signed."""
    right = search.cloud.cloudinary_url
    search.workspace.environment["CLOUDINARY_URL"] = re.sub(r":([^:@/]+)@", r":not-\1@", right)
    search.run(retries=0, code=1)


def echoed(search: Search) -> None:
    """An error page that repeats the request: of each call in turn, passing and not."""
    for operation in OPERATIONS:
        asked = []
        if operation == "delivery":
            search.run(code=0)
            asked = ["verify"]
        for status in (400, 502):
            search.faults({"on": operation, "do": {"echo": status}})
            search.run(*asked, retries=0, patience=1, code=1)
            struck = [call["op"] for call in search.cloud.log() if call["fault"] == "echo"]
            assert any(op.startswith(operation) for op in struck), f"nothing of {operation} was echoed"
            search.cloud.reset()


def wordy(search: Search) -> None:
    """Snakemake with all its messages."""
    search.run("--verbose", "--printshellcmds", "--show-failed-logs", code=0)
    search.cloud.oauth(revoke=True)
    search.run("--verbose", "--printshellcmds", "--show-failed-logs", code=1)


def service_account(search: Search) -> None:
    """A key that signs its own requests, good and refused."""
    search.run(token=search.cloud.service_account, code=0)
    no = {"status": 400, "reason": "invalid_grant", "message": "Invalid JWT Signature."}
    search.faults({"on": "oauth.token", "do": {"error": no}})
    search.run(token=search.cloud.service_account, code=1)


def reported(search: Search) -> None:
    """Snakemake's report, which has the commands of all jobs, and its summary."""
    search.run(code=0)
    search.run("--report", "report.zip", code=0)
    search.run("--summary", code=0)


def interrupted(search: Search) -> None:
    """Ctrl-C, and kill -9 of all processes, during a run."""
    search.cloud.settings(delay=0.5)
    for which in (signal.SIGINT, signal.SIGKILL):
        before = search.workspace.calls("cloudinary.upload")
        # On one core, images are left for the second run.
        running = Running(search.workspace.start(cores=1))
        wait_for(lambda before=before: search.workspace.calls("cloudinary.upload") > before)  # type: ignore[misc]
        if which is signal.SIGINT:
            os.killpg(running.process.pid, which)
        else:
            send(search.workspace.processes(), which)
        running.process.wait(60)
        search.said += running.whole
        wait_for(lambda: not search.workspace.processes())


def through_a_proxy(search: Search) -> None:
    """A proxy that wants a password, one that does not take it, and one that refuses."""
    with Proxy(search.temporary.with_name("proxy"), search.cloud, user=USER, password=PASSWORD) as proxy:
        trusted = {"SSL_CERT_FILE": str(proxy.authority), "TMPDIR": str(search.temporary)}
        search.workspace.environment = proxy.behind(HTTPS_PROXY=proxy.url, **trusted)
        search.run(drive_endpoint=None, code=0)
        proxy.refuse = 403
        search.run(drive_endpoint=None, retries=0, patience=1, code=1)
        proxy.refuse, url, proxy.password = 0, proxy.url, "another"
        search.workspace.environment = proxy.behind(HTTPS_PROXY=url, **trusted)
        search.run("--verbose", drive_endpoint=None, retries=0, patience=1, code=1)


SEARCHES: dict[str, Callable[[Search], None]] = {
    each.__name__.replace("_", " "): each
    for each in (
        *(echoed, good, failed, wrong_credentials, revoked, refused_signature, wordy, service_account, reported),
        *(interrupted, through_a_proxy),
    )
}


def run_searches(folder: Path, count: int, seed: int, only: str = "") -> list[str]:
    """Search for secrets after so many kinds of runs, or after the one that is named; returns where there are any."""
    problems, looks = Problems("secrets"), 0
    kinds = [only] if only else random.Random(seed).sample(sorted(SEARCHES), min(count, len(SEARCHES)))
    for kind in kinds:
        place = folder / kind
        place.mkdir(parents=True)
        real_names = SEARCHES[kind] is through_a_proxy
        with Emulator(place / "Photos", place / "cloud", real_names=real_names) as cloud:
            search = Search(place, cloud)
            search.workspace.add(*(f"{number}.jpg" for number in range(5)))
            try:
                with search.watching():
                    SEARCHES[kind](search)
                for found in search.found():
                    problems.add(f"a secret, {kind}: {found}")
            except (AssertionError, subprocess.TimeoutExpired) as error:
                problems.add(f"{kind}: {error}")
            finally:
                send(search.workspace.processes(), signal.SIGKILL)
            looks += search.looks
            if not search.looks:
                problems.add(f"{kind}: no process was looked at")
    return problems.conclude(f"{len(kinds)} kinds of runs, {looks} looks at processes") if kinds else []
