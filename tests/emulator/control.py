"""The control endpoint, with which tests and the demo inspect and control the emulator. Its calls are not recorded.

JSON over HTTP, under /emulator on Cloudinary's port. GET: stats, log, assets, drive (all nodes). POST: reset (counters,
log and faults), faults (see `faults`), assets (plants one), drive (see `drive_tree.Tree.apply`; one or a list),
oauth ({"revoke": true or false, "expire": true, "delegate": [users], "refuse": KIND, "testing": true,
"also_grants": [scopes]}), settings.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from .assets import Asset, Assets
from .cloudinary_api import REWRITES, Account
from .drive import Drive
from .drive_tree import Tree
from .faults import Faults
from .images import look
from .naming import as_stored
from .oauth import OAuth
from .record import Record
from .wire import Call, Reply, read_body, split_target

Json = dict[str, Any]
CHANGES = "drive_changes.jsonl"
MODES = (
    "existing_without_etag",
    "fixed_folders",
    "max_bytes",
    "at_once",
    "delay",
    "rewrites",
    "presets",
    "metadata_fields",
    "default_preset",
    "verdicts",
    "existing_as_in_2019",
    "raw_urls",
    "clock",
    "stale_status",
)


class Control:
    """The service under /emulator. Changes of the Drive are kept in a journal, so they survive a restart."""

    def __init__(
        self,
        tree: Tree,
        oauth: OAuth,
        drive: Drive,
        assets: Assets,
        account: Account,
        faults: Faults,
        record: Record,
        store: Path,
    ) -> None:
        self._tree = tree
        self._oauth = oauth
        self._drive = drive
        self._assets = assets
        self._account = account
        self._faults = faults
        self._record = record
        self._journal = store / CHANGES
        self._routes: dict[tuple[str, str], Callable[[Any], Any]] = {
            ("GET", "stats"): self._stats,
            ("GET", "log"): lambda body: self._record.log(),
            ("GET", "assets"): lambda body: [asset.as_json() for asset in self._assets],
            ("GET", "drive"): self._nodes,
            ("POST", "reset"): self._reset,
            ("POST", "faults"): self._set_faults,
            ("POST", "assets"): self._plant,
            ("POST", "drive"): self._change,
            ("POST", "oauth"): self._consent,
            ("POST", "settings"): self._set,
        }

    async def open(self, request: web.BaseRequest) -> Call:
        """Reads the JSON body."""
        path, query = split_target(request)
        return Call(request, "control", (path,), query, payload=await read_body(request))

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

    def _stats(self, body: Json) -> Json:
        stores = {asset.public_id: asset.stores for asset in self._assets}
        return {**self._record.stats(), "held": self._faults.held, "stores": stores}

    def _reset(self, body: Json) -> Json:
        self._record.reset()
        self._faults.replace([])
        return {}

    def _set_faults(self, body: Any) -> Json:
        """A list of rules, or {"rules": [...], "seed": N}."""
        rules, seed = (body, 0) if isinstance(body, list) else (body.get("rules", []), int(body.get("seed", 0)))
        self._faults.replace(rules, seed)
        return {"rules": len(rules)}

    def _plant(self, body: Json) -> Json:
        """Adds an asset without an upload: its `stores` is 0 until an upload overwrites it."""
        data = base64.b64decode(body["bytes"])
        seen = look(data)
        if seen is None:
            raise ValueError("not an image")
        public_id = as_stored(str(body["public_id"]), self._account.rewrites)
        asset = Asset(
            public_id=public_id,
            resource_type="image",
            type="upload",
            asset_id=secrets.token_hex(16),
            version=self._assets.next_version(("image", "upload", public_id), self._account.now),
            created_at=self._account.now,
            format=seen.format,
            width=seen.width,
            height=seen.height,
            bytes=len(data),
            etag=hashlib.md5(data).hexdigest(),
            original_filename="planted",
            sent_filename="",
            display_name=str(body.get("display_name", public_id.rpartition("/")[2])),
            asset_folder=str(body.get("asset_folder", "")),
            context=dict(body.get("context", {})),
            tags=list(body.get("tags", [])),
            stores=0,
        )
        self._assets.put(asset, data)
        return asset.as_json()

    def _nodes(self, body: Json) -> list[Json]:
        return [
            {
                "id": node.id,
                "name": node.name,
                "mimeType": node.mime,
                "path": node.path,
                "parents": node.parents,
                "trashed": self._tree.is_trashed(node),
                "md5": node.content.digest("md5") if node.content else None,
                "size": node.content.size() if node.content else None,
                "target": node.target,
                "driveId": node.drive_id,
            }
            for node in self._tree.nodes.values()
        ]

    def _change(self, body: Any) -> Json:
        """One operation or a list of them; answers the IDs, in the order of the operations."""
        changes = body if isinstance(body, list) else [body]
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
        if not self._journal.exists():
            return
        for line in self._journal.read_text().splitlines():
            try:
                self._tree.apply(json.loads(line))
            except (KeyError, ValueError) as error:
                print(f"emulator: cannot repeat {line[:100]}: {error!r}", file=sys.stderr)

    def _consent(self, body: Json) -> Json:
        if body.get("revoke"):
            self._oauth.revoke()
        elif body.get("revoke") is False:
            self._oauth.restore()
        if "delegate" in body:
            self._oauth.delegate(body["delegate"])
        if body.get("expire"):
            self._oauth.expire()
        if "refuse" in body:
            self._oauth.refuse(body["refuse"])
        if "testing" in body:
            self._oauth.testing = bool(body["testing"])
        if "also_grants" in body:
            self._oauth.also_grants = tuple(body["also_grants"])
        return {}

    def _set(self, body: Json) -> Json:
        """Drive's units_per_minute and calls_a_day, and modes of the Cloudinary account: see MODES."""
        for name, value in body.items():
            if name == "drive_units_per_minute":
                self._drive.units_per_minute = int(value)
                continue
            if name == "drive_calls_a_day":
                self._drive.calls_a_day = value
                continue
            if name not in MODES or (name == "rewrites" and value not in REWRITES):
                raise ValueError(f"no such setting: {name}={value}")
            setattr(self._account, name, value)
        return {}
