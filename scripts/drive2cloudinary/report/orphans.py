"""The orphans: markers of images that are no longer in the Drive folder."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from drive2cloudinary.files import replacing
from drive2cloudinary.report.mapping import cell
from drive2cloudinary.results import layout, marker
from drive2cloudinary.results.listing import Image

COLUMNS = ("file_id", "folder_path", "filename", "public_id", "cloudinary_url", "marker")


def write(images: Iterable[Image], results_folder: Path) -> None:
    """Write orphans.csv: every marker in a results folder whose Drive file is not listed any more.

    The markers and the assets in Cloudinary are kept: the user decides what to do with them.
    """
    markers = marker.by_file(results_folder)
    listed = {image.id for image in images}
    with replacing(layout.orphans(results_folder), newline="") as stream:
        table = csv.writer(stream)
        table.writerow(COLUMNS)
        for file_id in sorted(markers.keys() - listed):
            for name in sorted(markers[file_id]):
                if found := marker.read(marker.named(results_folder, name)):
                    drive, cloudinary = found.drive, found.cloudinary
                    row = (file_id, drive.get("folder_path"), drive.get("name"), cloudinary["public_id"])
                    table.writerow([cell(value) for value in (*row, cloudinary["secure_url"], name)])


def count(path: Path) -> int:
    """How many Drive files an orphans.csv names; 0 if there is none."""
    if not path.exists():
        return 0
    with path.open(encoding="utf-8", newline="") as stream:
        return len({row["file_id"] for row in csv.DictReader(stream)})
