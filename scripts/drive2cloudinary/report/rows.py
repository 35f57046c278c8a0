"""The rows of the mapping: each listed image with its marker, or with the reason why it has none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drive2cloudinary.cloudinary import names
from drive2cloudinary.paths import Folders
from drive2cloudinary.results import failure, layout, listing, mapping, marker
from drive2cloudinary.results.failure import Failure
from drive2cloudinary.results.listing import Image
from drive2cloudinary.results.mapping import UPLOAD_FAILED, Detail, Row
from drive2cloudinary.results.marker import Marker
from drive2cloudinary.results.merged import Merge
from drive2cloudinary.results.run import Noted


@dataclass(frozen=True)
class Merged:
    """One image of a listing: its row, and what the row was made from.

    folders: as in the listing. proof: its marker, if it is in Cloudinary. failed: the record of its failure; a pending
    image has neither.
    """

    row: Row
    folders: Folders
    proof: Marker | None
    failed: Failure | None


def merged(
    images: Iterable[Image],
    results_folder: Path,
    merge: Merge,
    warn: Callable[[str], None],
    run: Noted,
) -> Iterator[Merged]:
    """The images of a listing with their markers and failures in the results folder, in the mapping's order.

    One at a time, because the markers of 100,000 images would take 300 MB. In: the merge, which learns which markers
    are valid; `warn`, called with a line about each invalid marker, which is renamed; what the run has noted. Raises
    NewerFormat, OSError.
    """

    def invalid(path: Path) -> None:
        warn(marker.set_aside(path))

    is_left = False
    for image in sorted(images, key=lambda each: each.order):
        proof, remark = marker.of_image(results_folder, image, invalid), ""
        if proof:
            merge.has_read(marker.name_of(image.id, image.fingerprint))
        elif image.skipped and image.replaces:
            proof = marker.read(marker.named(results_folder, image.replaces["marker"]))
            remark = "excluded, and changed in Drive since: Cloudinary has its older content"
        if proof:
            yield Merged(_stored(image, proof, remark), image.folders, proof, None)
        elif image.skipped:
            yield Merged(_row(image, "", "skipped", image.skipped), image.folders, None, None)
        elif is_left:
            row = _row(image, UPLOAD_FAILED, "pending", f"not tried: limit={run.limit}", "limit")
            yield Merged(row, image.folders, None, None)
        elif failed := failure.read(results_folder, image.id):
            yield Merged(_row(image, UPLOAD_FAILED, "failed", failed.message), image.folders, None, failed)
        else:
            row = _row(image, UPLOAD_FAILED, "pending", "not tried: the run ended before")
            yield Merged(row, image.folders, None, None)
        is_left = is_left or (run.limit is not None and image.id == run.last)


def combined(mappings: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """The rows of several mapping.json, each with the ID and name of its Drive folder added.

    Raises MigrationError if one has no listing beside it, or is not a mapping.
    """
    for path in mappings:
        drive = listing.head(layout.listing(path.parent))
        for row in mapping.read(path):
            yield {**row.to_dict(), **dict(zip(mapping.OF_FOLDER, (drive.folder_id, drive.folder), strict=True))}


def _stored(image: Image, proof: Marker, remark: str) -> Row:
    """The row of an image that is in Cloudinary. In: what the user should know of it besides."""
    detail, moderated = _moderation(proof)
    if image.skipped and detail:
        # The user has decided about it, so it needs nothing.
        detail, moderated = "", f"excluded; {moderated}"
    closed = "its folder in Drive can no longer be opened by this account" if image.closed else ""
    error = "; ".join(filter(None, (moderated, remark, closed, proof.remark)))
    url, public_id = proof.cloudinary["secure_url"], proof.cloudinary["public_id"]
    return _row(image, url, proof.status, error, detail, jpg_url=proof.jpg_url, public_id=public_id)


def _moderation(proof: Marker) -> tuple[Detail, str]:
    """What Cloudinary's moderation has decided about an asset, in words, too; "" if it was not asked, or approved."""
    if kinds := proof.rejected_by:
        return "rejected", f"rejected by moderation ({', '.join(kinds)}): Cloudinary may not deliver it"
    if kinds := proof.undecided:
        return "undecided", f"moderation had not decided ({', '.join(kinds)}) when it was stored"
    return "", ""


def _row(
    image: Image,
    url: str,
    status: str,
    error: str,
    detail: Detail = "",
    *,
    jpg_url: str = "",
    public_id: str = "",
) -> Row:
    """The row of an image. In: `jpg_url` and `public_id`, if they are not `url` and the listing's public_id."""
    return Row(
        local_filename=names.stem(image.name, image.extension),
        cloudinary_url=url,
        jpg_url=jpg_url or url,
        status=status,
        error=error,
        folder_path=image.folder_path,
        filename=image.name,
        file_id=image.id,
        public_id=public_id or image.public_id,
        bytes=image.size,
        md5=image.md5,
        detail=detail,
    )
