"""Whether a mapping and a report are up to date: a record of what they were made from."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from drive2cloudinary import __version__
from drive2cloudinary.files import read_json_object, replacing, write_json
from drive2cloudinary.results import layout


def record(results_folder: Path, markers: str, csv_bom: bool) -> None:
    """Record what the mapping and the report were made from. If this fails, they are remade.

    In: MarkerIndex.state, and the setting `csv_bom`.
    """
    with contextlib.suppress(OSError):
        write_json(layout.merged(results_folder), _state(results_folder, markers, csv_bom))


def is_up_to_date(results_folder: Path, markers: str, csv_bom: bool) -> bool:
    """Whether the mapping and the report are those of the listing, the markers and the failures at hand.

    No times are compared with each other, so a clock that jumps does no harm. In: as for `record`.
    """
    state = _state(results_folder, markers, csv_bom)
    return None not in state["files"] and read_json_object(layout.merged(results_folder)) == state


def note_change(results_folder: Path, run_id: str) -> None:
    """Record that the mapping has to be made again, so that Snakemake does it. Raises OSError."""
    with replacing(layout.change(results_folder)) as stream:
        stream.write(f"{run_id}\n")


def record_combined(results: Path, mappings: Iterable[Path], csv_bom: bool) -> None:
    """Record which mappings the combined mapping was made of. If it fails, it is made again."""
    with contextlib.suppress(OSError):
        write_json(layout.merged(results), _combined_state(results, mappings, csv_bom))


def is_combined_up_to_date(results: Path, mappings: Iterable[Path], csv_bom: bool) -> bool:
    """Whether the combined mapping is that of these mappings as they are."""
    state = _combined_state(results, mappings, csv_bom)
    return None not in state["files"] and read_json_object(layout.merged(results)) == state


def _combined_state(results: Path, mappings: Iterable[Path], csv_bom: bool) -> dict[str, Any]:
    files = layout.mapping_csv(results), layout.mapping_json(results)
    return {
        "version": __version__,
        "csv_bom": csv_bom,
        "files": [_stamp(path) for path in files],
        "mappings": [[str(path), _stamp(path)] for path in mappings],
    }


def _state(results_folder: Path, markers: str, csv_bom: bool) -> dict[str, Any]:
    files = (
        layout.listing(results_folder),
        layout.mapping_csv(results_folder),
        layout.mapping_json(results_folder),
        layout.orphans(results_folder),
        layout.report(results_folder),
    )
    return {
        "version": __version__,
        "csv_bom": csv_bom,
        "markers": markers,
        "files": [_stamp(path) for path in files],
        "failures": _failures(results_folder),
    }


def _stamp(path: Path) -> list[int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]


def _failures(results_folder: Path) -> list[list[Any]]:
    try:
        with os.scandir(layout.failures(results_folder)) as entries:
            return sorted([entry.name, entry.stat().st_mtime_ns] for entry in entries)
    except FileNotFoundError:
        return []
