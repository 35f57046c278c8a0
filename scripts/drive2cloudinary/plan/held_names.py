"""The public_ids that images hold from earlier runs: no other image may get them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from drive2cloudinary.cloudinary.names import asset_key
from drive2cloudinary.results import layout, listing, marker
from drive2cloudinary.results.listing import Image


def held(
    results_folder: Path, present: set[str], last: Mapping[str, Image], markers: Mapping[str, list[str]]
) -> dict[str, str]:
    """File ID → the public_id it holds, from the last listing or from a marker, whose asset stays in Cloudinary.

    In: the IDs of the files in Drive now; the images of the last listing by ID; file ID → its markers.
    """
    listed = {file_id: image.public_id for file_id, image in last.items() if file_id in present}
    return _held(results_folder, listed, markers)


def _held(results_folder: Path, listed: dict[str, str], markers: Mapping[str, list[str]]) -> dict[str, str]:
    """The names that are listed, and those of markers of other files."""
    held = dict(listed)
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
    found: dict[str, str] = {}
    for other in others - {results_folder}:
        listed = dict(listing.public_ids(layout.listing(other)))
        found |= {asset_key(name): file_id for file_id, name in _held(other, listed, marker.by_file(other)).items()}
    return found
