"""What a dry run prints: the pending images by name or by folder, warnings about unexpected results, and a summary."""

from __future__ import annotations

import atexit
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from rich.filesize import decimal

from drive2cloudinary.checks import in_utc
from drive2cloudinary.cloudinary import account, formats, names
from drive2cloudinary.errors import StopRun, one_line
from drive2cloudinary.paths import Folders
from drive2cloudinary.plan.pending import Pending, Reason
from drive2cloudinary.results.listing import Image, Listing
from drive2cloudinary.settings import FREE_PLAN, FREE_PLAN_PIXELS, Settings
from drive2cloudinary.terminal.tally import folder_in_words, how_many
from drive2cloudinary.wording import agreeing, counted

if TYPE_CHECKING:
    from snakemake.settings.types import OutputSettings

EXAMPLES = 3
"""How many images a warning names."""
NAMED = 100
"""Up to this many pending images are named; of more, only the sums of their folders are printed."""
FOLDERS = 50
"""The most lines about folders."""
Detail = Literal["summary", "images or folders", "images"]
"""What is printed of the pending images: nothing, their paths (of many, the sums of their folders), or all paths."""


@dataclass(frozen=True)
class Preview:
    """What a dry run has found in one Drive folder.

    pending: the images to move. left: how many more the setting `limit` leaves for another run. listed_now: whether
    this dry run has made the listing.
    """

    pending: Sequence[Pending]
    left: int
    listed: Listing
    listed_now: bool
    settings: Settings

    def print(self, detail: Detail, without_effect: Sequence[str]) -> None:
        """Print the images, the warnings, and a summary: where they would go, how many, why, how many bytes.

        In: lines about what the user asked for and what fits nothing.
        """
        images = [each.image for each in self.pending]
        if detail != "summary":
            print_images(self.pending, named=detail == "images" or len(images) <= NAMED)
        for line in without_effect:
            print(f"warning: {line}")
        if images:
            where = f"the folder {one_line(self.settings.cloudinary_folder(self.listed.folder), 300)}"
            try:
                where += f" in the cloud {one_line(account.check_credentials(), 100)}"
            except StopRun as error:
                print(f"warning: {error}")
            for line in warnings(images, self.listed.folder, self.settings):
                print(f"warning: {line}")
            if detail != "summary":
                print(f"to: {where}")
        print(f"{self._how_many}, {_size(images)}; listed {self._age}")

    @property
    def _how_many(self) -> str:
        reasons = Counter(each.reason for each in self.pending)
        shown: list[Reason] = ["new", "changed", "failed before"]
        if reasons["forced"]:
            shown.append("forced")
        why = ", ".join(f"{reasons[reason]:,} {reason}" for reason in shown)
        later = f", {self.left:,} left for later by limit={self.settings.limit}" if self.left else ""
        return f"{len(self.pending):,} of {how_many(len(self.listed.images))} to move ({why}){later}"

    @property
    def _age(self) -> str:
        return "just now" if self.listed_now else f"{how_long_ago(self.listed.listed_at)} (-R list_images lists again)"


class Previews:
    """The previews of a dry run, printed when Snakemake has ended, in the detail that its options ask for."""

    def __init__(self, output: OutputSettings, is_one_of_many: bool) -> None:
        """In: whether the run has several Drive folders, so that each is named."""
        self._output, self._is_one_of_many = output, is_one_of_many
        self._all: list[Preview] = []
        self.without_effect: Sequence[str] = ()
        """Lines about what the user asked for and what fits nothing in any Drive folder."""

    def add(self, preview: Preview) -> None:
        if not self._all:
            atexit.register(self._print)
        self._all.append(preview)

    def _print(self) -> None:
        quiet = quietness(self._output)
        detail: Detail = "images" if self._output.printshellcmds or self._output.verbose else "images or folders"
        if quiet == {"rules", "progress"}:
            detail = "summary"
        for each in [] if "all" in quiet else self._all:
            if self._is_one_of_many:
                print(f"{one_line(each.listed.folder, 100)} ({each.listed.folder_id}):")
            each.print(detail, self.without_effect if each is self._all[-1] else ())
        sys.stdout.flush()


def quietness(output: OutputSettings) -> set[str]:
    """What --quiet keeps quiet: rules, progress, all …"""
    return {str(each).rpartition(".")[2].lower() for each in output.quiet or ()}


def print_images(pending: Sequence[Pending], named: bool) -> None:
    """Print the path of each pending image with the reason or, unless `named`, the sums of their folders."""
    if named:
        for each in pending:
            print(f"{each.reason:<13} {one_line(each.image.path, 1000)}")
        return
    by_folder: dict[Folders, list[Image]] = {}
    for each in pending:
        by_folder.setdefault(each.image.folders, []).append(each.image)
    for folders, images in list(by_folder.items())[:FOLDERS]:
        print(f"{folder_in_words(folders)}: {how_many(len(images))}, {_size(images)}")
    if len(by_folder) > FOLDERS:
        print(f"and {counted(len(by_folder) - FOLDERS, 'more folder')}")
    print("the option -p names each image")


def warnings(images: Sequence[Image], drive_folder: str, settings: Settings) -> Iterator[str]:
    """One line for each kind of unexpected result, with the first images that it concerns.

    In: the pending images, and the name of the Drive folder.
    """
    folder = settings.cloudinary_folder(drive_folder)
    if names.looks_like_a_transformation(names.asset_folder(folder, ())):
        yield f"in a URL without a version, Cloudinary takes {one_line(folder, 100)}/ for a transformation"
    renamed = [
        f"{image.path} → {image.public_id}"
        for image in images
        if image.public_id != names.unchanged(folder, image.folders, image.name, image.extension)
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
        what = agreeing(len(pages), "that is a PDF", "that are PDFs")
        yield _line(pages, f"{what}, which free accounts do not deliver unless their settings allow it")
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
            return f"{counted(number, unit)} ago"
    return "just now" if seconds < 10 else f"{seconds:.0f} seconds ago"
