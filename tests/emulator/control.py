"""The control endpoint, with which tests and the demo inspect and control the emulator. Its calls are not recorded.

JSON over HTTP, under /emulator on Cloudinary's port. GET: stats, log, assets, drive (all nodes). POST: reset (counters,
log and faults), faults (see `faults`), assets (plants one), drive (a list: see `drive_tree.Tree.apply`),
oauth (what can be changed of `oauth.OAuth`, and "expire": true), settings (of `cloudinary_api.Account`; with the prefix
drive_, of `drive.Drive`).
"""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from .cloudinary_api import REWRITES, CloudinaryApi
from .drive import Drive
from .drive_tree import Tree
from .faults import Faults
from .form import Form
from .intake import take
from .naming import as_stored
from .oauth import REFUSALS, OAuth
from .record import Record
from .wire import Call, Reply, split_target

Json = dict[str, Any]
CHOICES = {"rewrites": REWRITES, "refuse": ("", *REFUSALS)}


class Control:
    """The service under /emulator. Changes of the Drive are kept in a journal, so they survive a restart."""

    def __init__(
        self, tree: Tree, oauth: OAuth, drive: Drive, api: CloudinaryApi, faults: Faults, record: Record, store: Path
    ) -> None:
        self._tree = tree
        self._oauth = oauth
        self._drive = drive
        self._api = api
        self._faults = faults
        self._record = record
        self._journal = store / "drive_changes.jsonl"
        self._routes: dict[tuple[str, str], Callable[[Any], Any]] = {
            ("GET", "stats"): lambda body: {**record.stats(), "held": faults.held},
            ("GET", "log"): lambda body: record.log(),
            ("GET", "assets"): lambda body: [vars(asset) for asset in api.assets],
            ("GET", "drive"): self._nodes,
            ("POST", "reset"): self._reset,
            ("POST", "faults"): lambda body: faults.replace(body["rules"], body["seed"]),
            ("POST", "assets"): self._plant,
            ("POST", "drive"): self._change,
            ("POST", "oauth"): self._consent,
            ("POST", "settings"): self._set,
        }

    async def open(self, request: web.BaseRequest) -> Call:
        """Reads the JSON body."""
        path, query = split_target(request)
        return Call(request, "control", (path,), query, payload=await request.content.read())

    def error(self, status: int, reason: str, message: str) -> Reply:
        """An error of the control endpoint itself."""
        return Reply.of_json({"error": message}, status)

    async def answer(self, call: Call) -> Reply:
        """Runs the operation and answers its result as JSON, or 400 with the error."""
        name = call.keys[0].removeprefix("/emulator").strip("/")
        route = self._routes.get((call.request.method, name))
        if route is None:
            return self.error(404, "", f"no such operation: {call.request.method} {name}")
        try:
            return Reply.of_json(route(json.loads(call.payload) if call.payload else {}))
        except (KeyError, ValueError, TypeError) as error:
            return self.error(400, "", repr(error))

    def _reset(self, body: Json) -> None:
        self._record.reset()
        self._faults.replace([])

    def _plant(self, body: Json) -> Json:
        """Adds an asset without an upload: its `stores` is 0 until an upload overwrites it."""
        context = "|".join(f"{key}={value}" for key, value in body.get("context", {}).items())
        form = Form({"context": context}, base64.b64decode(body["bytes"]), "planted")
        key = ("image", "upload", as_stored(str(body["public_id"]), self._api.account.rewrites))
        return vars(self._api.store(key, form, take("image", form, form.file or b""), stores=0))

    def _nodes(self, body: Json) -> list[Json]:
        return [
            {
                "id": node.id,
                "name": node.name,
                "mimeType": node.mime,
                "path": node.path,
                "parents": node.parents,
                "trashed": self._tree.is_trashed(node),
                "md5": node.content.md5() if node.content else None,
                "size": node.content.size() if node.content else None,
            }
            for node in self._tree.nodes.values()
        ]

    def _change(self, changes: list[Json]) -> Json:
        """Runs these operations; answers the IDs, in their order."""
        ids = []
        with self._journal.open("a") as journal:
            for change in changes:
                done = {"time": time.time(), **change}
                ids.append(self._tree.apply(done))
                # With its ID, a created node is the same one after a replay.
                journal.write(json.dumps({**done, "id": ids[-1]}) + "\n")
        return {"ids": ids}

    def replay(self) -> None:
        """Repeats the journal after a restart; skips, with a message, what no longer fits the local folder."""
        for line in self._journal.read_text().splitlines() if self._journal.exists() else ():
            try:
                self._tree.apply(json.loads(line))
            except (KeyError, ValueError) as error:
                print(f"emulator: cannot repeat {line[:100]}: {error!r}", file=sys.stderr)

    def _consent(self, body: Json) -> None:
        if body.pop("expire", False) or body.get("revoke"):
            self._oauth.tokens.clear()
        for name, value in body.items():
            _put(self._oauth, name, value)

    def _set(self, body: Json) -> None:
        for name, value in body.items():
            of_drive = name.startswith("drive_")
            _put(self._drive if of_drive else self._api.account, name.removeprefix("drive_"), value)


def _put(target: object, name: str, value: object) -> None:
    """Sets an attribute that there is; raises ValueError for another one."""
    if not hasattr(target, name) or value not in CHOICES.get(name, (value,)):
        raise ValueError(f"no such setting: {name}={value}")
    setattr(target, name, value)
