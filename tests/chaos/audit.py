"""The checks after each run of the storm, and those at its end."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.book import Book
from tests.chaos.said import wrong
from tests.emulator.cloudinary_api import REWRITES
from tests.emulator.naming import as_stored
from tests.harness import Workspace, wait_for

Json = dict[str, Any]


@dataclass
class Happened:
    """What happened to the runs; `struck` counts failed uploads by public_id and fault."""

    kills: Counter[str] = field(default_factory=Counter)
    signals: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    struck: Counter[tuple[str, str]] = field(default_factory=Counter)
    calls: int = 0


class Audit:
    """Compares a workspace and its cloud with the book, and with what happened. Errors are added to
    `problems`.
    """

    def __init__(self, workspace: Workspace, book: Book, happened: Happened, temporary: Path, cores: int) -> None:
        """In: the folder for temporary files of the runs, and how many images they moved at once."""
        self._workspace = workspace
        self._cloud = workspace.cloud
        self._book = book
        self._happened = happened
        self._temporary = temporary
        self._cores = cores
        self.problems: list[str] = []
        self.audits = 0

    def wrong(self, what: str) -> None:
        """Record an error and print it at once."""
        wrong(self.problems, what)

    def proofs(self, what: str) -> None:
        """Each marker is valid and true: the job of a changed image removes the old marker before it uploads."""
        texts: dict[Path, str] = {}
        for path in (self._workspace.results / "markers").glob("*.json"):
            # Processes of a killed run may still be at work.
            with suppress(FileNotFoundError):
                texts[path] = path.read_text()
        assets = self._cloud.assets()
        for path, text in texts.items():
            try:
                said = json.loads(text)["cloudinary"]
            except (ValueError, KeyError) as error:
                self.wrong(f"half a marker {path.name} {what}: {error}")
                continue
            asset = assets.get(said["public_id"], {})
            if (asset.get("version"), asset.get("etag")) != (
                said["version"],
                path.name.split(".")[1],
            ) and path.exists():
                self.wrong(f"an untrue marker {path.name} {what}: {said}, but the asset is {asset}")

    def names(self, what: str) -> None:
        """Each image keeps the public_id with which it was first listed."""
        listing = self._workspace.results / "listing.json"
        if not listing.exists():
            if any(file.names for file in self._book.files.values()):
                self.wrong(f"the last good listing is gone {what}")
            return
        try:
            images = json.loads(listing.read_text())["images"]
        except (ValueError, KeyError) as error:
            self.wrong(f"half a listing {what}: {error}")
            return
        for image in images:
            file = self._book.files[image["id"]]
            if file.names - {image["public_id"]}:
                self.wrong(f"{image['id']} was {file.names}, and is {image['public_id']} {what}")
            file.names.add(image["public_id"])

    def all(self, when: str) -> None:
        """Compare the mapping, the markers and the stored bytes with the book of what Drive holds."""
        self.audits += 1
        before = len(self.problems)
        try:
            rows = {row["file_id"]: row for row in self._workspace.mapping()}
        except (AssertionError, OSError, ValueError) as error:
            self.wrong(f"the mapping cannot be read {when}: {error}")
            return
        living, assets = self._book.living, self._cloud.assets()
        listed = json.loads((self._workspace.results / "listing.json").read_text())["images"]
        self._same("the listing", living, [image["id"] for image in listed], when)
        self._same("the mapping", living, rows, when)
        self._same("names in the mapping", living, {row["public_id"] for row in rows.values()}, when, ids=False)
        self._same("failures", [], set(self._workspace.failures()) & set(living), when)
        for file_id in living.keys() & rows.keys():
            self._audit_image(file_id, rows[file_id], assets, when)
        self._audit_others({row["public_id"] for row in rows.values()}, assets, when)
        if len(self.problems) > before:
            self.wrong(f"so the audit failed {when}")

    def _audit_image(self, file_id: str, row: Json, assets: dict[str, Json], when: str) -> None:
        file, public_id = self._book.files[file_id], row["public_id"]
        of_file = f"{file_id} ({file.name!r}, {public_id}) {when}"
        asset = assets.get(public_id)
        if asset is None:
            self.wrong(f"no asset of {of_file}")
            return
        stored = self._stored(asset)
        if not file.md5 == row["md5"] == asset["etag"] == hashlib.md5(stored).hexdigest():
            self.wrong(f"other bytes: {file.md5} in Drive, {row['md5']} mapped, {asset['etag']} stored: {of_file}")
        if row["status"] not in ("uploaded", "existing") or asset["context"] != {"drive_id": file_id}:
            self.wrong(f"status {row['status']}, context {asset['context']}: {of_file}")
        if row["filename"] != file.name or set(map(stored_as, file.names)) != {public_id}:
            self.wrong(f"filename {row['filename']!r}, names {file.names}: {of_file}")
        markers = [path.name for path in (self._workspace.results / "markers").glob(f"{file_id}.*")]
        if markers != [f"{file_id}.{file.md5}.json"]:
            self.wrong(f"markers {markers}: {of_file}")
        else:
            marker = json.loads((self._workspace.results / "markers" / markers[0]).read_text())
            cloudinary = marker["cloudinary"]
            shown = {key: cloudinary[key] for key in ("public_id", "asset_id", "version", "etag")}
            if shown != {key: asset[key] for key in shown} or row["cloudinary_url"] != cloudinary["secure_url"]:
                self.wrong(f"the marker says {shown}, the asset is {asset}: {of_file}")
        corrupt = self._happened.struck[public_id, "corrupt"]
        unheard = sum(self._happened.struck[public_id, kind] for kind in ("lose", "cut", "redirect"))
        # A lost answer to a first upload is found on the retry; one that replaces is sent again.
        allowed = 1 + file.changes + sum(self._happened.kills.values()) + corrupt
        allowed += unheard if file.changes or corrupt else 0
        if not 1 <= asset["stores"] <= allowed:
            self.wrong(f"stored {asset['stores']} times where {allowed} are explained: {of_file}")

    def _audit_others(self, mapped: set[str], assets: dict[str, Json], when: str) -> None:
        """Every other asset belongs to a trashed file, and nothing was stored more often than the faults explain."""
        for public_id in assets.keys() - mapped:
            owner = self._book.files.get(assets[public_id]["context"].get("drive_id", ""))
            if owner is None or not owner.trashed or public_id not in map(stored_as, owner.names):
                self.wrong(f"an asset that nobody asked for, {public_id}, {when}: {assets[public_id]}")
        struck = sum(count for (_, kind), count in self._happened.struck.items() if kind in ("corrupt", "lose", "cut"))
        explained = len(self._book.files) + sum(file.changes for file in self._book.files.values()) + struck
        explained += self._cores * (sum(self._happened.kills.values()) + sum(self._happened.signals.values()))
        stores = sum(asset["stores"] for asset in assets.values())
        if stores > explained:
            self.wrong(f"{stores} stores, of which {explained} are explained, {when}")

    def _same(self, what: str, wanted: Iterable[str], found: Iterable[str], when: str, ids: bool = True) -> None:
        wanted, found = list(wanted), list(found)
        if len(wanted) != len(found) or ids and set(wanted) != set(found):
            odd = sorted(set(wanted) ^ set(found))[:5] if ids else ""
            self.wrong(f"{what}: {len(wanted)} wanted, {len(found)} found {when}: {odd}")

    def _stored(self, asset: Json) -> bytes:
        """The bytes of an asset, as they lie in the emulator's store."""
        with (self._cloud.store / "assets" / "assets.bytes").open("rb") as stream:
            stream.seek(asset["offset"])
            return stream.read(asset["bytes"])

    def leftovers(self) -> None:
        """No process, no temporary file, no secret, and no file made by a hostile name is left."""
        try:
            wait_for(lambda: not self._workspace.processes(), 60)
        except AssertionError:
            self.wrong(f"processes are left: {self._workspace.processes()}")
        if left := self._workspace.leftovers():
            self.wrong(f"files are left: {left[:5]}")
        # Python writes "blat" to see whether the folder can be written to; a process that is killed then leaves it.
        kept = [
            path for path in self._temporary.rglob("*") if path.is_file() and path.read_bytes() not in (b"", b"blat")
        ]
        if left := list(map(str, kept)):
            self.wrong(f"{len(left)} temporary files are left: {left[:5]}")
        if left := self._workspace.secrets_left():
            self.wrong(f"secrets are in {left[:5]}")
        if list(self._workspace.path.parent.rglob("pwned*")):
            self.wrong("a hostile name was run by a shell")
        log = self._workspace.results / "logs" / "pool.log"
        if log.exists() and "Traceback" in log.read_text(errors="replace"):
            parts = log.read_text(errors="replace").split("Traceback")
            said = sorted({line for part in parts[1:] for line in part.splitlines() if line and line[0] not in " ("})
            self.wrong(f"{len(parts) - 1} tracebacks in pool.log: {said[:9]}; the last:{parts[-1][-1500:]}")


def stored_as(public_id: str) -> str:
    """The public_id under which the emulated account stores another."""
    return as_stored(public_id, REWRITES[0])
