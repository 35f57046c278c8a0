"""The output of a dry run: what would be moved and why, how many bytes that is, and warnings."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from drive2cloudinary.checks import in_utc
from drive2cloudinary.cloudinary import formats, names
from drive2cloudinary.errors import one_line
from drive2cloudinary.results.listing import Image, Listing
from drive2cloudinary.results.pending import Pending, Reason
from drive2cloudinary.run.tally import how_many
from drive2cloudinary.settings import FREE_PLAN, Settings

EXAMPLES = 3
"""How many images a warning names."""


def preview(pending: Sequence[Pending], left: int, listed: Listing, name_them: bool, settings: Settings) -> None:
    """Print the images to move (if `name_them`), the warnings, and a summary of how many and why.

    In: also how many more the setting `limit` leaves for another run.
    """
    if name_them:
        for each in pending:
            print(f"{each.reason:<13} {one_line(each.image.path, 1000)}")
    for line in warnings([each.image for each in pending], listed.folder, settings):
        print(f"warning: {line}")
    reasons = Counter(each.reason for each in pending)
    shown: list[Reason] = ["new", "changed", "failed before"]
    if reasons["forced"]:
        shown.append("forced")
    why = ", ".join(f"{reasons[reason]} {reason}" for reason in shown)
    size = sum(each.image.size or 0 for each in pending)
    what = f"{len(pending)} of {len(listed.images)} images to move ({why})"
    if left:
        what += f", {left} left for later by limit={settings.limit}"
    print(f"{what}, {size:,} bytes; listed {how_long_ago(listed.listed_at)}")
    sys.stdout.flush()


def warnings(images: Sequence[Image], drive_folder: str, settings: Settings) -> Iterator[str]:
    """One line for each kind of unexpected result, with the first images that it concerns.

    In: the pending images, and the name of the Drive folder.
    """
    folder = settings.cloudinary_folder(drive_folder)
    renamed = [
        f"{image.path} → {image.public_id}"
        for image in images
        if image.public_id != names.unchanged(folder, image.folder_path, image.name)
    ]
    if renamed:
        yield _line(renamed, "of another name in Cloudinary than in Drive")
    limit = settings.largest or FREE_PLAN
    if large := [f"{image.path} ({image.size:,})" for image in images if (image.size or 0) > limit]:
        fails = "which will fail" if settings.max_bytes else "too many for the free plan"
        yield _line(large, f"of more than {limit:,} bytes, {'which will be re-encoded' if settings.fit else fails}")
    fates = [(image, formats.fate(image.mime_type, image.name)) for image in images]
    if stored := [image.path for image, fate in fates if fate == "only stored"]:
        yield _line(stored, "of a kind that Cloudinary stores, but cannot show as JPG")
    if refused := [f"{image.path} ({image.mime_type})" for image, fate in fates if fate == "not taken"]:
        yield _line(refused, "of a kind that Cloudinary does not take, which will fail")
    if locked := [image.path for image in images if image.no_download]:
        yield _line(locked, "without download permission, which will fail until their owner gives it")


def _line(found: Sequence[str], what: str) -> str:
    examples = ", ".join(one_line(each, 100) for each in found[:EXAMPLES])
    return f"{how_many(len(found))} {what}: {examples}{', …' if len(found) > EXAMPLES else ''}"


def how_long_ago(moment: str) -> str:
    """The time since a moment, in words. In: an ISO time with a time zone."""
    then = in_utc(moment)
    seconds = (datetime.now(UTC) - then).total_seconds()
    if seconds < 0:
        return f"at {then:%Y-%m-%d %H:%M} UTC, by a clock that was ahead"
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            number = int(seconds // length)
            return f"{number} {unit}{'s' if number > 1 else ''} ago"
    return "just now" if seconds < 10 else f"{seconds:.0f} seconds ago"
