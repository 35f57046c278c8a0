"""What a dry run prints: the pending images by name or by folder, warnings about unexpected results, and a summary."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal

from rich.filesize import decimal

from drive2cloudinary.checks import in_utc
from drive2cloudinary.cloudinary import account, formats, names
from drive2cloudinary.errors import StopRun, one_line
from drive2cloudinary.results.listing import Image, Listing
from drive2cloudinary.results.pending import Pending, Reason
from drive2cloudinary.run.tally import how_many
from drive2cloudinary.settings import FREE_PLAN, FREE_PLAN_PIXELS, Settings

EXAMPLES = 3
"""How many images a warning names."""
NAMED = 100
"""Up to this many pending images are named; of more, only the sums of their folders are printed."""
FOLDERS = 50
"""The most lines about folders."""
Detail = Literal["summary", "images or folders", "images"]
"""What is printed of the pending images: nothing, their paths (of many, the sums of their folders), or all paths."""


def preview(
    pending: Sequence[Pending], left: int, listed: Listing, listed_now: bool, detail: Detail, settings: Settings
) -> None:
    """Print the images to move, the warnings, and a summary: where they would go, how many, why, how many bytes.

    In: also how many more the setting `limit` leaves for another run; whether this dry run made the listing.
    """
    images = [each.image for each in pending]
    if detail != "summary":
        print_images(pending, named=detail == "images" or len(pending) <= NAMED)
    if images:
        where = f"the folder {one_line(settings.cloudinary_folder(listed.folder), 300)}"
        try:
            where += f" in the cloud {one_line(account.check_credentials(), 100)}"
        except StopRun as error:
            print(f"warning: {error}")
        for line in warnings(images, listed.folder, settings):
            print(f"warning: {line}")
        if detail != "summary":
            print(f"to: {where}")
    reasons = Counter(each.reason for each in pending)
    shown: list[Reason] = ["new", "changed", "failed before"]
    if reasons["forced"]:
        shown.append("forced")
    why = ", ".join(f"{reasons[reason]} {reason}" for reason in shown)
    age = "just now" if listed_now else f"{how_long_ago(listed.listed_at)} (-R list_images lists again)"
    later = f", {left} left for later by limit={settings.limit}" if left else ""
    print(f"{len(pending)} of {len(listed.images)} images to move ({why}){later}, {_size(images)}; listed {age}")
    sys.stdout.flush()


def print_images(pending: Sequence[Pending], named: bool) -> None:
    """Print the path of each pending image with the reason or, unless `named`, the sums of their folders."""
    if named:
        for each in pending:
            print(f"{each.reason:<13} {one_line(each.image.path, 1000)}")
        return
    folders: dict[str, list[Image]] = {}
    for each in pending:
        folders.setdefault(each.image.folder_path, []).append(each.image)
    for folder, images in list(folders.items())[:FOLDERS]:
        where = f"{one_line(folder, 300)}/" if folder else "not in a subfolder"
        print(f"{where}: {how_many(len(images))}, {_size(images)}")
    if len(folders) > FOLDERS:
        print(f"and {len(folders) - FOLDERS:,} more folders")
    print("the option -p names each image")


def warnings(images: Sequence[Image], drive_folder: str, settings: Settings) -> Iterator[str]:
    """One line for each kind of unexpected result, with the first images that it concerns.

    In: the pending images, and the name of the Drive folder.
    """
    folder = settings.cloudinary_folder(drive_folder)
    if names.looks_like_a_transformation(names.asset_folder(folder, "")):
        yield f"in a URL without a version, Cloudinary takes {one_line(folder, 100)}/ for a transformation"
    renamed = [
        f"{image.path} → {image.public_id}"
        for image in images
        if image.public_id != names.unchanged(folder, image.folder_path, image.name)
    ]
    if renamed:
        yield _line(renamed, "of another name in Cloudinary than in Drive")
    if empty := [image.path for image in images if image.size == 0]:
        yield _line(empty, "without a byte, which will fail")
    limit = settings.largest or FREE_PLAN
    if large := [f"{image.path} ({decimal(image.size or 0)})" for image in images if (image.size or 0) > limit]:
        fails = "which will fail" if settings.max_bytes else "too many for the free plan"
        yield _line(large, f"of more than {limit:,} bytes, {'which will be re-encoded' if settings.fit else fails}")
    if vast := [f"{image.path} ({image.pixels / 1_000_000:.1f})" for image in images if image.pixels]:
        limit = FREE_PLAN_PIXELS // 1_000_000
        yield _line(vast, f"of more than {limit} megapixels, of which the free plan makes no JPG and no thumbnail")
    fates = [(image, formats.fate(image.mime_type, image.name)) for image in images]
    if stored := [image.path for image, fate in fates if fate == "only stored"]:
        yield _line(stored, "of a kind that Cloudinary stores, but cannot show as JPG")
    if refused := [f"{image.path} ({image.mime_type})" for image, fate in fates if fate == "not taken"]:
        yield _line(refused, "of a kind that Cloudinary does not take, which will fail")
    if pages := [image.path for image, _ in fates if image.mime_type == "application/pdf"]:
        yield _line(pages, "that is a PDF, which free accounts do not deliver unless their settings allow it")
    if locked := [image.path for image in images if image.no_download]:
        yield _line(locked, "without download permission, which will fail until their owner gives it")


def _line(found: Sequence[str], what: str) -> str:
    examples = ", ".join(one_line(each, 100) for each in found[:EXAMPLES])
    return f"{how_many(len(found))} {what}: {examples}{', …' if len(found) > EXAMPLES else ''}"


def _size(images: Sequence[Image]) -> str:
    return decimal(sum(image.size or 0 for image in images))


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
