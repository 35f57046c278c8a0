"""The public_ids that images hold from earlier runs: no other image may get them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from drive2cloudinary import __version__
from drive2cloudinary.checks import is_id
from drive2cloudinary.cloudinary.names import asset_key
from drive2cloudinary.files import read_json, replacing
from drive2cloudinary.results import layout, listing, marker
from drive2cloudinary.results.listing import Image, NoListing


def held(
    results_folder: Path, present: set[str], last: Mapping[str, Image], markers: Mapping[str, list[str]]
) -> dict[str, str]:
    """File ID → the public_id it holds, from the last listing or from a marker, whose asset stays in Cloudinary.

    In: the IDs of the files in Drive now; the images of the last listing by ID; file ID → its markers.
    """
    held = {file_id: image.public_id for file_id, image in last.items() if file_id in present}
    for file_id in markers.keys() - held.keys():
        for name in markers[file_id]:
            if each := marker.read(marker.named(results_folder, name)):
                held[file_id] = each.drive["public_id"]
    return held


def held_by_others(results_folder: Path) -> dict[str, str]:
    """`asset_key` of a public_id → Drive file ID, of the images of all other results folders.

    Whatever their Cloudinary folder is: a name from the setting `assets`, or one that was taken over, can be anywhere.
    Hold `shared.held`. Raises NewerFormat.
    """
    results = results_folder.parent
    others = {path.parent for path in (*layout.listings_below(results), *layout.markers_below(results))}
    return {key: file_id for other in others - {results_folder} for key, file_id in _keys_of(other).items()}


def _keys_of(results_folder: Path) -> dict[str, str]:
    """As `held_by_others`, of one results folder. They are remembered until its listing changes."""
    path = layout.names_index(results_folder)
    try:
        last = layout.listing(results_folder)
        stamp = [__version__, *listing.stamp(last)]
        if (known := _read(path, stamp)) is not None:
            return known
        images = {image.id: image for image in listing.read(last).images}
    except (FileNotFoundError, NoListing):
        stamp, images = [], {}
    names = held(results_folder, set(images), images, marker.by_file(results_folder))
    keys = {asset_key(name): file_id for file_id, name in names.items()}
    if stamp:
        with suppress(OSError), replacing(path) as stream:
            json.dump({"listing": stamp, "names": keys}, stream)
    return keys


def _read(path: Path, stamp: list[Any]) -> dict[str, str] | None:
    """What was remembered in the file; None if nothing valid, or about another listing or version than this stamp's."""
    try:
        value = read_json(path)
        names: dict[str, str] = value["names"]
        return names if value["listing"] == stamp and all(map(is_id, names.values())) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
