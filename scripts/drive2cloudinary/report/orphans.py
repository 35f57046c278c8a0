"""The orphans: markers of images that are no longer in the Drive folder."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import NamedTuple

from drive2cloudinary.files import WITH_BOM, replacing_table
from drive2cloudinary.results import layout, marker
from drive2cloudinary.results.listing import Image


@dataclass(frozen=True)
class Orphan:
    """One marker whose Drive file is not listed any more. The fields are the columns of orphans.csv.

    note: A_NEW_FILE if another file is listed at its path, as after a file was deleted and put there again; else "".
    new_cloudinary_url: the cloudinary_url of that file in the mapping.
    """

    file_id: str
    folder_path: str
    filename: str
    public_id: str
    cloudinary_url: str
    marker: str
    note: str = ""
    new_cloudinary_url: str = ""

    @property
    def path(self) -> tuple[str, str]:
        """Its path in Drive, for comparison with that of a row of the mapping."""
        return path_of(self.folder_path, self.filename)


A_NEW_FILE = "a new file is at this path"
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


def path_of(folder_path: str, filename: str) -> tuple[str, str]:
    """A path in Drive for comparison: a Mac writes é as two characters. In: as in the mapping."""
    return unicodedata.normalize("NFC", folder_path), unicodedata.normalize("NFC", filename)


def with_new_files(orphans: Iterable[Orphan], new: Mapping[tuple[str, str], str]) -> list[Orphan]:
    """The orphans, which say whether a new file is at their path. In: path_of each listed file → its cloudinary_url."""
    return [
        replace(each, note=A_NEW_FILE, new_cloudinary_url=new[each.path]) if each.path in new else each
        for each in orphans
    ]


def write(orphans: Iterable[Orphan], results_folder: Path, bom: bool) -> None:
    """Write orphans.csv, with a byte order mark if `bom`. Raises OSError.

    The markers and the assets in Cloudinary are kept: the user decides what to do with them.
    """
    with replacing_table(layout.orphans(results_folder), COLUMNS, bom) as add:
        for orphan in orphans:
            add(astuple(orphan))


class Gone(NamedTuple):
    """How many Drive files an orphans.csv names, and at the paths of how many of them a new file is."""

    files: int
    replaced: int


def count(path: Path) -> Gone:
    """The counts of an orphans.csv; zeros if there is none."""
    if not path.exists():
        return Gone(0, 0)
    with path.open(encoding=WITH_BOM, newline="") as stream:
        notes = {row["file_id"]: row.get("note") for row in csv.DictReader(stream)}
    return Gone(len(notes), sum(note == A_NEW_FILE for note in notes.values()))
