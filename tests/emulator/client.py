"""What tests use: starts the emulator as a process, kills it, restarts it, and talks to its control endpoint.

The processes are forked from one that has imported everything: importing takes 0.4 s, and there are a thousand tests.
"""

from __future__ import annotations

import base64
import json
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

Json = dict[str, Any]
ROOT = Path(__file__).parents[2]
# A proxy in the environment is not meant for loopback.
OPENER = build_opener(ProxyHandler({}))
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.emulator.__main__"])


class Emulator:
    """A running emulator; further `options` go to its command line (`drive_delay=80` is --drive-delay 80)."""

    folder_id: str
    """The ID of the Drive folder."""
    drive_endpoint: str
    """The root of the Drive API."""
    oauth_endpoint: str
    token: str
    """Path of the user's token.json."""
    service_account: str
    """Path of the service account's key."""
    credentials: str
    """Path of the OAuth client's credentials.json."""
    cloudinary_url: str
    """CLOUDINARY_URL, secret and all."""
    control: str

    def __init__(self, photos: Path, store: Path, **options: object) -> None:
        self.photos = photos
        self.store = store
        self._options = options
        self._process: ForkServerProcess | None = None
        self._ports: list[str] = []
        self._taken: list[socket.socket] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the process and waits until it is ready. Creates the folder of photos if needed."""
        self.photos.mkdir(parents=True, exist_ok=True)
        self._give_up_ports()
        command = ["--photos", str(self.photos), "--store", str(self.store), *self._ports]
        for name, value in self._options.items():
            flag = "--" + name.replace("_", "-")
            command += [flag] if value is True else [] if value is False else [flag, str(value)]
        ready, its_end = FORKS.Pipe(duplex=False)
        self._process = FORKS.Process(target=_run, args=(command, its_end), daemon=True)
        self._process.start()
        its_end.close()
        try:
            self.__dict__.update(ready.recv())
        except EOFError:
            raise RuntimeError(f"the emulator did not start: {' '.join(command)}") from None
        self._ports = [part for name, port in self.ports.items() for part in (f"--{name}-port", str(port))]

    @property
    def pid(self) -> int | None:
        """The process ID; None if it does not run."""
        return self._process.pid if self._process else None

    @property
    def ports(self) -> dict[str, int]:
        """The ports on 127.0.0.1, by service: drive, oauth, cloudinary."""
        addresses = {"drive": self.drive_endpoint, "oauth": self.oauth_endpoint, "cloudinary": self.control}
        return {name: int(urlsplit(address).port or 0) for name, address in addresses.items()}

    def stop(self) -> None:
        """Ends the process: with SIGTERM, then SIGKILL if needed."""
        if self._process is not None:
            self._process.terminate()
            self._process.join(5)
            self._end()
        self._give_up_ports()

    def kill(self) -> None:
        """kill -9. Its ports stay taken, but refuse every connection, until it is started again."""
        self._end()
        self._taken = [_taken(port) for port in self.ports.values()]

    def _end(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.join()
        self._process = None

    def _give_up_ports(self) -> None:
        for each in self._taken:
            each.close()
        self._taken = []

    def restart(self) -> None:
        """Restarts the process with the same ports and store; ends it first if it still runs."""
        self.stop()
        self.start()

    def _call(self, name: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with OPENER.open(Request(f"{self.control}/{name}", data=data), timeout=60) as answer:
            return json.load(answer)

    def stats(self) -> Json:
        """Counters: counts, statuses, connections, refreshes, max_uploads_at_once, held (calls held now)."""
        answer: Json = self._call("stats")
        return answer

    def log(self) -> list[Json]:
        """All calls since the last reset, oldest first."""
        answer: list[Json] = self._call("log")
        return answer

    def reset(self) -> None:
        """Forgets counters, log and faults."""
        self._call("reset", {})

    def faults(self, rules: list[Json], seed: int = 0) -> None:
        """Replaces all fault rules by these."""
        self._call("faults", {"rules": rules, "seed": seed})

    def assets(self) -> dict[str, Json]:
        """What is in Cloudinary, by public_id."""
        return {asset["public_id"]: asset for asset in self._call("assets")}

    def plant(self, public_id: str, data: bytes, **more: object) -> Json:
        """Adds an asset without an upload; its `stores` is 0 until it is overwritten."""
        answer: Json = self._call("assets", {"public_id": public_id, "bytes": base64.b64encode(data).decode(), **more})
        return answer

    def drive(self, op: str, **more: object) -> str:
        """Runs one operation on the Drive (`add`, `rename`, `trash` …); returns the node's ID."""
        return self.drive_all([{"op": op, **more}])[0]

    def drive_all(self, changes: list[Json]) -> list[str]:
        """Runs many operations at once; returns their nodes' IDs."""
        answer: list[str] = self._call("drive", changes)["ids"]
        return answer

    def nodes(self) -> list[Json]:
        """Everything in the Drive: id, name, path, md5, parents …"""
        answer: list[Json] = self._call("drive")
        return answer

    def oauth(self, **wanted: object) -> None:
        """`revoke=True` (or False: restored), `expire=True`, `delegate=[users]` that the service account may be.

        `refuse=KIND`, one of `oauth.REFUSALS` (or "": none), is what each call of the token endpoint gets.
        `testing=True`: the app is in the state Testing. `also_grants=[scopes]` come with each consent.
        """
        self._call("oauth", wanted)

    def settings(self, **wanted: object) -> None:
        """Changes drive_units_per_minute, drive_calls_a_day, or a mode of `cloudinary_api.Account`."""
        self._call("settings", wanted)


def _taken(port: int) -> socket.socket:
    """A socket that holds a port and does not listen, so that no other emulator answers there."""
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.bind(("127.0.0.1", port))
    return found


def _run(command: Sequence[str], ready: Connection[dict[str, str], None]) -> None:
    # Not imported where the emulator is only started.
    from tests.emulator.__main__ import main

    threading.Thread(target=_end_with_parent, daemon=True).start()
    main(command, ready.send)


def _end_with_parent() -> None:
    """The fork server outlives a parent that was killed, as long as one of its processes runs."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
