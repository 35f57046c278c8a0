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
from tests.chaos.running import Problems
from tests.emulator.assets import Assets
from tests.emulator.cloudinary_api import REWRITES
from tests.emulator.naming import as_stored
from tests.harness import Workspace

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
    """Compares a workspace and its cloud with the book, and with what happened. In: where to put what is wrong, and how
    many images the runs moved at once.
    """

    def __init__(self, workspace: Workspace, book: Book, happened: Happened, problems: Problems, cores: int) -> None:
        self._workspace = workspace
        self._cloud = workspace.cloud
        self._book = book
        self._happened = happened
        self._problems = problems
        self._wrong = problems.add
        self._cores = cores
        self.audits = 0

    def proofs(self, what: str) -> None:
        """Each marker is valid and true: the job of a changed image removes the old marker before it uploads."""
        self._problems.half_markers(self._workspace, what)
        markers = self._workspace.results / "markers"
        said: dict[Path, Json] = {}
        for path in markers.glob("*.json"):
            # Processes of a killed run may still be at work; half a marker is told above.
            with suppress(FileNotFoundError, ValueError, KeyError):
                said[path] = json.loads(path.read_text())["cloudinary"]
        assets = self._cloud.assets()
        for path, proof in said.items():
            asset = assets.get(proof["public_id"], {})
            true = (proof["version"], path.name.split(".")[1])
            if (asset.get("version"), asset.get("etag")) != true and path.exists():
                self._wrong(f"an untrue marker {path.name} {what}: {proof}, but the asset is {asset}")

    def names(self, what: str) -> None:
        """Each image keeps the public_id with which it was first listed."""
        listing = self._workspace.results / "listing.json"
        if not listing.exists():
            if any(file.names for file in self._book.files.values()):
                self._wrong(f"the last good listing is gone {what}")
            return
        try:
            images = json.loads(listing.read_text())["images"]
        except (ValueError, KeyError) as error:
            self._wrong(f"half a listing {what}: {error}")
            return
        for image in images:
            file = self._book.files[image["id"]]
            if file.names - {image["public_id"]}:
                self._wrong(f"{image['id']} was {file.names}, and is {image['public_id']} {what}")
            file.names.add(image["public_id"])

    def all(self, when: str) -> None:
        """Compare the mapping, the markers and the stored bytes with the book of what Drive holds."""
        self.audits += 1
        before = len(self._problems.found)
        try:
            rows = {row["file_id"]: row for row in self._workspace.mapping()}
        except (AssertionError, OSError, ValueError) as error:
            self._wrong(f"the mapping cannot be read {when}: {error}")
            return
        living, assets = self._book.living, self._cloud.assets()
        listed = json.loads((self._workspace.results / "listing.json").read_text())["images"]
        self._same("the listing", living, [image["id"] for image in listed], when)
        self._same("the mapping", living, rows, when)
        self._same("names in the mapping", living, {row["public_id"] for row in rows.values()}, when, ids=False)
        self._same("failures", [], set(self._workspace.failures()) & set(living), when)
        stored = Assets(self._cloud.store / "assets")
        for file_id in living.keys() & rows.keys():
            self._audit_image(file_id, rows[file_id], assets, stored, when)
        self._audit_others({row["public_id"] for row in rows.values()}, assets, when)
        if len(self._problems.found) > before:
            self._wrong(f"so the audit failed {when}")

    def _audit_image(self, file_id: str, row: Json, assets: dict[str, Json], store: Assets, when: str) -> None:
        file, public_id = self._book.files[file_id], row["public_id"]
        of_file = f"{file_id} ({file.name!r}, {public_id}) {when}"
        asset = assets.get(public_id)
        if asset is None:
            self._wrong(f"no asset of {of_file}")
            return
        stored = store.read((asset["resource_type"], asset["type"], public_id))
        if not file.md5 == row["md5"] == asset["etag"] == hashlib.md5(stored).hexdigest():
            self._wrong(f"other bytes: {file.md5} in Drive, {row['md5']} mapped, {asset['etag']} stored: {of_file}")
        if row["status"] not in ("uploaded", "existing") or asset["context"] != {"drive_id": file_id}:
            self._wrong(f"status {row['status']}, context {asset['context']}: {of_file}")
        if row["filename"] != file.name or set(map(stored_as, file.names)) != {public_id}:
            self._wrong(f"filename {row['filename']!r}, names {file.names}: {of_file}")
        markers = [path.name for path in (self._workspace.results / "markers").glob(f"{file_id}.*")]
        if markers != [f"{file_id}.{file.md5}.json"]:
            self._wrong(f"markers {markers}: {of_file}")
        else:
            marker = json.loads((self._workspace.results / "markers" / markers[0]).read_text())
            cloudinary = marker["cloudinary"]
            shown = {key: cloudinary[key] for key in ("public_id", "asset_id", "version", "etag")}
            if shown != {key: asset[key] for key in shown} or row["cloudinary_url"] != cloudinary["secure_url"]:
                self._wrong(f"the marker says {shown}, the asset is {asset}: {of_file}")
        corrupt = self._happened.struck[public_id, "corrupt"]
        unheard = sum(self._happened.struck[public_id, kind] for kind in ("lose", "cut", "redirect"))
        # A lost answer to a first upload is found on the retry; one that replaces is sent again.
        allowed = 1 + file.changes + sum(self._happened.kills.values()) + corrupt
        allowed += unheard if file.changes or corrupt else 0
        if not 1 <= asset["stores"] <= allowed:
            self._wrong(f"stored {asset['stores']} times where {allowed} are explained: {of_file}")

    def _audit_others(self, mapped: set[str], assets: dict[str, Json], when: str) -> None:
        """Every other asset belongs to a trashed file, and nothing was stored more often than the faults explain."""
        for public_id in assets.keys() - mapped:
            owner = self._book.files.get(assets[public_id]["context"].get("drive_id", ""))
            if owner is None or not owner.trashed or public_id not in map(stored_as, owner.names):
                self._wrong(f"an asset that nobody asked for, {public_id}, {when}: {assets[public_id]}")
        struck = sum(count for (_, kind), count in self._happened.struck.items() if kind in ("corrupt", "lose", "cut"))
        explained = len(self._book.files) + sum(file.changes for file in self._book.files.values()) + struck
        explained += self._cores * (sum(self._happened.kills.values()) + sum(self._happened.signals.values()))
        stores = sum(asset["stores"] for asset in assets.values())
        if stores > explained:
            self._wrong(f"{stores} stores, of which {explained} are explained, {when}")

    def _same(self, what: str, wanted: Iterable[str], found: Iterable[str], when: str, ids: bool = True) -> None:
        wanted, found = list(wanted), list(found)
        if len(wanted) != len(found) or ids and set(wanted) != set(found):
            odd = sorted(set(wanted) ^ set(found))[:5] if ids else ""
            self._wrong(f"{what}: {len(wanted)} wanted, {len(found)} found {when}: {odd}")

    def leftovers(self, temporary: Path) -> None:
        """No process, no temporary file, no secret, and no file made by a hostile name is left.

        In: the folder for temporary files of the runs.
        """
        self._problems.processes_left(self._workspace, "at the end")
        # Python writes "blat" to see whether the folder can be written to; a process that is killed then leaves it.
        kept = [path for path in temporary.rglob("*") if path.is_file() and path.read_bytes() not in (b"", b"blat")]
        for what, left in (
            ("files", self._workspace.leftovers()),
            ("temporary files", list(map(str, kept))),
            ("secrets", self._workspace.secrets_left()),
            ("files that a hostile name has made", list(map(str, self._workspace.path.parent.rglob("pwned*")))),
        ):
            if left:
                self._wrong(f"{len(left)} {what} are left: {left[:5]}")
        log = self._workspace.results / "logs" / "pool.log"
        if log.exists() and "Traceback" in (text := log.read_text(errors="replace")):
            self._wrong(
                f"{text.count('Traceback')} tracebacks in pool.log; the last:{text.rpartition('Traceback')[2][:1500]}"
            )


def stored_as(public_id: str) -> str:
    """The public_id under which the emulated account stores another."""
    return as_stored(public_id, REWRITES[0])
