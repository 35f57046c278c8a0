"""The progress of a run in numbers: the images by status, the bytes, and the rate."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from rich.filesize import decimal

from drive2cloudinary.errors import one_line
from drive2cloudinary.paths import Folders, folder_path
from drive2cloudinary.wording import counted


class Listed(NamedTuple):
    """The number of images in a listing: in all, to be moved by this run (and their bytes), left for later by `limit`,
    and excluded.
    """

    total: int
    to_move: int
    bytes: int
    left: int
    skipped: int

    def __str__(self) -> str:
        before = self.total - self.to_move - self.left - self.skipped
        later = f"{self.left:,} left for later, " if self.left else ""
        parts = f"{self.to_move:,} to move, {later}{before:,} moved before, {self.skipped:,} skipped"
        return f"{how_many(self.total)} listed: {parts}"


class Now(NamedTuple):
    """What a run is at: the messages about what slows it down, by subject, and the images that a listing has found."""

    notices: Mapping[str, str]
    found: int


class Tally:
    """The images of a run, of all its Drive folders together. Images under way are not counted yet."""

    def __init__(self) -> None:
        # All keys exist from the start: the bar's thread must not see the dictionary grow while it iterates.
        self.counts = Counter(uploaded=0, existing=0, failed=0)
        self.bytes = 0
        self._statuses: dict[Path, str] = {}
        self._began = time.monotonic()
        self._moving_since = 0.0
        self._last = 0.0
        self._folders: dict[Path, Listed] = {}
        # (time, images done, bytes), 2 s or more apart; 30 of them cover at least the last minute.
        self._samples: deque[tuple[float, int, int]] = deque(maxlen=30)

    def listed(self, results_folder: Path, images: Listed) -> None:
        """Record the counts of one results folder's listing."""
        self._folders[results_folder] = images
        if not self._moving_since:
            self._moving_since = self._last = time.monotonic()
            self._samples.append((self._moving_since, 0, 0))

    def add(self, marker: Path, status: str, size: int = 0) -> None:
        """Record the status of an image; a later status replaces an earlier one. In: its bytes, if uploaded."""
        if marker in self._statuses:
            self.counts[self._statuses[marker]] -= 1
        self._statuses[marker] = status
        self.counts[status] += 1
        self.bytes += size
        self._last = time.monotonic()
        if self._last - self._samples[-1][0] >= 2:
            self._samples.append((self._last, self.done, self.bytes))

    @property
    def to_move(self) -> int:
        return sum(listed.to_move for listed in list(self._folders.values()))

    @property
    def skipped(self) -> int:
        return sum(listed.skipped for listed in list(self._folders.values()))

    @property
    def done(self) -> int:
        return self.counts.total()

    @property
    def position(self) -> str:
        """As in `12 of 48 images, 25 %`."""
        return f"{self.done:,} of {how_many(self.to_move)}, {100 * self.done // max(1, self.to_move)} %"

    @property
    def statuses(self) -> str:
        """The counts by status, in the words of the summary."""
        return in_words(self.counts + Counter(skipped=self.skipped))

    @property
    def amount(self) -> str:
        """The uploaded bytes and those of all images to move, as in `12.3 of 48.0 MB` (1 MB is 1,000,000 bytes)."""
        return f"{decimal(self.bytes)} of {decimal(sum(each.bytes for each in list(self._folders.values())))}"

    @property
    def rate(self) -> str:
        """The rate of the last minute, "" while it is unknown."""
        images, size = self._speed()
        return f"{images:.1f} images/s, {decimal(round(size))}/s" if images else ""

    @property
    def left(self) -> str:
        """The remaining time at that rate, "" while it is unknown."""
        images, _ = self._speed()
        return f"{duration((self.to_move - self.done) / images)} left" if images else ""

    @property
    def headline(self) -> str:
        """What this run has done, as in `4 uploaded now, 18.4 MB in 15 s, 2.3 images/s`; the time is that of all."""
        took = duration(time.monotonic() - self._began)
        if not self.counts["uploaded"]:
            return f"none uploaded now, in {took}"
        moving = self._last - self._moving_since
        rate = f", {self.done / moving:.1f} images/s" if moving else ""
        return f"{self.counts['uploaded']:,} uploaded now, {decimal(self.bytes)} in {took}{rate}"

    def _speed(self) -> tuple[float, float]:
        """Images and bytes a second in the last minute; zeros if there were too few for a reliable rate."""
        if not self._samples:
            return 0.0, 0.0
        moment, done, size = self._samples[0]
        seconds = time.monotonic() - moment
        is_reliable = seconds > 3 and self.done - done >= min(20, self.to_move / 10)
        return ((self.done - done) / seconds, (self.bytes - size) / seconds) if is_reliable else (0.0, 0.0)


def duration(seconds: float) -> str:
    """As in `15 s`, `2 min 5 s`, `1 h 20 min`, `1 d 20 h`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next((number for number, (count, _) in enumerate(parts) if count), 3)
    return " ".join(
        f"{count} {unit}" for count, unit in parts[first : first + 2] if count or unit == "s" and first == 3
    )


def how_many(number: int) -> str:
    """As in `1 image` and `1,200 images`."""
    return counted(number, "image")


def folder_in_words(folders: Folders) -> str:
    """A Drive folder's path for people, as in `album 4/`."""
    return f"{one_line(folder_path(folders), 300)}/" if folders else "not in a subfolder"


def in_words(counted: Counter[str]) -> str:
    """Counts of each status, as in `3 uploaded, 0 existing, 1 failed, 0 skipped`; pending only if there are any."""
    shown = ("uploaded", "existing", "failed", *(["pending"] if counted["pending"] else []), "skipped")
    return ", ".join(f"{counted[status]:,} {status}" for status in shown)
