"""The record of the last merge. Nothing has changed since then if it is equal to what is there now."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from drive2cloudinary import __version__
from drive2cloudinary.files import read_json, replacing
from drive2cloudinary.results import layout, marker
from drive2cloudinary.results.format import numbered, without_number
from drive2cloudinary.results.listing import is_marker_name

Stamps = dict[str, str]
"""Name → size, modification time and change time (ns). They are compared for equality only, so that a clock that jumps
does no harm."""


class Merge:
    """What a merge of a results folder reads, as it is now, and what the last merge has read: logs/merged.json.

    A marker that the last merge has read is known to be valid as long as its stamp is the same. To walk the folder
    takes 4 µs for each marker, to read one 70. The record may be deleted at any time.
    """

    def __init__(self, results_folder: Path) -> None:
        """Raises NewerFormat."""
        self._results_folder = results_folder
        self._here = {name: each for name, each in _stamps(layout.markers(results_folder)) if is_marker_name(name)}
        self._last = _recorded(results_folder)
        self._read: set[str] = set()

    def __contains__(self, name: object) -> bool:
        """Whether there is a marker with this file name, valid or not."""
        return name in self._here

    def is_valid(self, name: str) -> bool:
        """Whether the marker with this file name is valid. Opens it if that is not known. Raises NewerFormat."""
        if name not in self._here:
            return False
        if not self._is_known(name):
            if not marker.read(marker.named(self._results_folder, name)):
                return False
            self.has_read(name)
        return True

    def has_read(self, name: str) -> None:
        """Note that the marker with this file name is valid."""
        self._read.add(name)

    def _is_known(self, name: str) -> bool:
        return name in self._read or self._last.get("markers", {}).get(name) == self._here[name]

    def is_recorded(self, csv_bom: bool) -> bool:
        """Whether the mapping and the report are those of what is there now. In: the setting csv_bom."""
        return _is_recorded(self._last, self._state(csv_bom))

    def record(self, csv_bom: bool, run_id: str, stopped_because: str) -> None:
        """Record that this run has merged what is there now. If that fails, the next run merges again.

        A report that says why its run was stopped is not that of the next run.
        """
        _write(self._results_folder, {**self._state(csv_bom), "stopped_because": stopped_because, "run": run_id})

    def _state(self, csv_bom: bool) -> dict[str, Any]:
        folder = self._results_folder
        outputs = layout.mapping_csv(folder), layout.mapping_json(folder), layout.orphans(folder), layout.report(folder)
        return {
            "version": __version__,
            "csv_bom": csv_bom,
            "stopped_because": "",
            "outputs": _stamps_of([layout.listing(folder), *outputs]),
            "failures": dict(_stamps(layout.failures(folder))),
            "markers": {
                name: stamp if self._is_known(name) else f"not read: {stamp}" for name, stamp in self._here.items()
            },
        }


def is_of_run(results_folder: Path, run_id: str) -> bool:
    """Whether this run has merged the markers."""
    return _recorded(results_folder).get("run") == run_id


def record_combined(results: Path, mappings: Iterable[Path], csv_bom: bool) -> None:
    """Record of which mappings the combined mapping was made. If that fails, it is made again."""
    _write(results, _combined(results, mappings, csv_bom))


def is_combined_recorded(results: Path, mappings: Iterable[Path], csv_bom: bool) -> bool:
    """Whether the combined mapping is that of these mappings as they are."""
    return _is_recorded(_recorded(results), _combined(results, mappings, csv_bom))


def _combined(results: Path, mappings: Iterable[Path], csv_bom: bool) -> dict[str, Any]:
    return {
        "version": __version__,
        "csv_bom": csv_bom,
        "outputs": _stamps_of([layout.mapping_csv(results), layout.mapping_json(results)]),
        "mappings": _stamps_of(mappings),
    }


def _is_recorded(last: dict[str, Any], now: dict[str, Any]) -> bool:
    return "" not in now["outputs"].values() and {**last, "run": ""} == {**now, "run": ""}


def _recorded(folder: Path) -> dict[str, Any]:
    """The record of the last merge; {} if there is none that is valid. Raises NewerFormat."""
    path = layout.merged(folder)
    try:
        value = without_number(read_json(path), path)
        return value if isinstance(value.get("markers", {}), dict) else {}
    except (OSError, ValueError, AttributeError):
        return {}


def _write(folder: Path, state: dict[str, Any]) -> None:
    with contextlib.suppress(OSError), replacing(layout.merged(folder)) as stream:
        # Not json.dump, which takes ten times as long.
        stream.write(json.dumps(numbered(state)))


def _stamps(folder: Path) -> Iterable[tuple[str, str]]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            # A file may be removed meanwhile by a run, and a link may lead nowhere.
            with contextlib.suppress(FileNotFoundError):
                yield entry.name, _stamp(entry.stat())


def _stamps_of(paths: Iterable[Path]) -> Stamps:
    """The stamps of these files, "" for one that is missing."""
    found = {}
    for path in paths:
        name = f"{path.parent.name}/{path.name}"
        try:
            found[name] = _stamp(path.stat())
        except OSError:
            found[name] = ""
    return found


def _stamp(found: os.stat_result) -> str:
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"
