"""The orphans: markers of images that are no longer in the Drive folder."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

from drive2cloudinary.files import WITH_BOM, replacing_table
from drive2cloudinary.results import layout, marker
from drive2cloudinary.results.listing import Image


@dataclass(frozen=True)
class Orphan:
    """One marker whose Drive file is not listed any more. The fields are the columns of orphans.csv."""

    file_id: str
    folder_path: str
    filename: str
    public_id: str
    cloudinary_url: str
    marker: str


COLUMNS = tuple(Orphan.__dataclass_fields__)


def found(images: Iterable[Image], results_folder: Path) -> list[Orphan]:
    """The orphans in a results folder. In: the listing's images. Raises NewerFormat."""
    markers = marker.by_file(results_folder)
    for image in images:
        markers.pop(image.id, None)
    return [
        Orphan(
            file_id=file_id,
            folder_path=proof.drive["folder_path"],
            filename=proof.drive["name"],
            public_id=proof.cloudinary["public_id"],
            cloudinary_url=proof.cloudinary["secure_url"],
            marker=name,
        )
        for file_id in sorted(markers)
        for name in sorted(markers[file_id])
        if (proof := marker.read(marker.named(results_folder, name)))
    ]


def write(orphans: Iterable[Orphan], results_folder: Path, bom: bool) -> None:
    """Write orphans.csv, with a byte order mark if `bom`. Raises OSError.

    The markers and the assets in Cloudinary are kept: the user decides what to do with them.
    """
    with replacing_table(layout.orphans(results_folder), COLUMNS, bom) as add:
        for orphan in orphans:
            add(astuple(orphan))


def count(path: Path) -> int:
    """How many Drive files an orphans.csv names; 0 if there is none."""
    if not path.exists():
        return 0
    with path.open(encoding=WITH_BOM, newline="") as stream:
        return len({row["file_id"] for row in csv.DictReader(stream)})
