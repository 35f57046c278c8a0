"""Decide which listed images still have to be moved. No other module decides that."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from drive2cloudinary.results import failure, marker
from drive2cloudinary.results.listing import Image
from drive2cloudinary.results.merged import Merge

Reason = Literal["new", "changed", "failed before", "forced"]


@dataclass(frozen=True)
class Pending:
    """An image that has to be moved, and the reason. Forced: it has a marker, but the user wants it again."""

    image: Image
    reason: Reason


def pending(
    images: Iterable[Image],
    results_folder: Path,
    markers: Merge,
    invalid: Callable[[Path], None],
    again: bool,
    limit: int | None,
) -> tuple[list[Pending], int]:
    """The images that this run has to move, in their order: not excluded, and without a marker of their content.

    In: the listing's images, their results folder and its markers, and `invalid`, called for each invalid marker;
    `again`: also those that have a marker; `limit`: how many at most, None for all. Out: also how many the limit leaves
    for later.
    """
    found = []
    failed = failure.file_ids(results_folder)
    for image in sorted(images, key=lambda each: each.order):
        if image.skipped:
            continue
        name = marker.name_of(image.id, image.fingerprint)
        if markers.is_valid(name):
            if again:
                found.append(Pending(image, "forced"))
            continue
        if name in markers:
            invalid(marker.named(results_folder, name))
        if image.id in failed and failure.read(results_folder, image.id):
            found.append(Pending(image, "failed before"))
        else:
            found.append(Pending(image, "changed" if image.replaces else "new"))
    beyond = found[limit:] if limit else []
    return found[: len(found) - len(beyond)], sum(each.reason != "forced" for each in beyond)


def count_excluded(images: Iterable[Image], markers: Merge) -> int:
    """The number of excluded images, without those of which an earlier run has uploaded any content."""

    def is_moved(image: Image) -> bool:
        older = image.replaces["marker"] if image.replaces else ""
        return marker.name_of(image.id, image.fingerprint) in markers or older in markers

    return sum(not is_moved(image) for image in images if image.skipped)
