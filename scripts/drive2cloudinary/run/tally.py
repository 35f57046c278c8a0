"""The progress of a run in numbers: the images by status, the bytes, and the rate."""

from __future__ import annotations

import time
from collections import Counter, deque
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from rich.filesize import decimal


class Listed(NamedTuple):
    """The number of images in a listing: in all, to be moved by this run, left for later by `limit`, and excluded."""

    total: int
    to_move: int
    left: int
    skipped: int

    def __str__(self) -> str:
        before = self.total - self.to_move - self.left - self.skipped
        later = f"{self.left:,} left for later, " if self.left else ""
        parts = f"{self.to_move:,} to move, {later}{before:,} moved before, {self.skipped:,} skipped"
        return f"{how_many(self.total)} listed: {parts}"


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
        # (time, images done), 2 s or more apart; 30 of them cover at least the last minute.
        self._samples: deque[tuple[float, int]] = deque(maxlen=30)

    def listed(self, results_folder: Path, images: Listed) -> None:
        """Record the counts of one results folder's listing."""
        self._folders[results_folder] = images
        if not self._moving_since:
            self._moving_since = self._last = time.monotonic()
            self._samples.append((self._moving_since, 0))

    def add(self, marker: Path, status: str, size: int = 0) -> None:
        """Record the status of an image; a later status replaces an earlier one. In: its bytes, if uploaded."""
        if marker in self._statuses:
            self.counts[self._statuses[marker]] -= 1
        self._statuses[marker] = status
        self.counts[status] += 1
        self.bytes += size
        self._last = time.monotonic()
        if self._last - self._samples[-1][0] >= 2:
            self._samples.append((self._last, self.done))

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
    def elapsed(self) -> timedelta:
        """The time since the run began, in whole seconds."""
        return timedelta(seconds=round(time.monotonic() - self._began))

    @property
    def position(self) -> str:
        return f"{self.done:,} of {how_many(self.to_move)}"

    @property
    def statuses(self) -> str:
        """The counts by status, in the words of the summary."""
        return in_words(self.counts + Counter(skipped=self.skipped))

    @property
    def amount(self) -> str:
        """The uploaded bytes, as in `12.3 MB` (1 MB is 1,000,000 bytes)."""
        return decimal(self.bytes)

    @property
    def rate(self) -> str:
        """The rate of the last minute, "" while it is unknown."""
        speed = self._speed()
        return f"{speed:.1f} images/s" if speed else ""

    @property
    def left(self) -> str:
        """The remaining time at that rate, "" while it is unknown."""
        speed = self._speed()
        return f"{timedelta(seconds=round((self.to_move - self.done) / speed))} left" if speed else ""

    @property
    def whole_rate(self) -> str:
        """The time from the listing to the last image, and the rate over it; "" if nothing was moved."""
        seconds = self._last - self._moving_since
        if not self.done or not seconds:
            return ""
        return f"{timedelta(seconds=round(seconds))} of it moving, {self.done / seconds:.1f} images/s"

    def _speed(self) -> float:
        moment, done = self._samples[0] if self._samples else (time.monotonic(), 0)
        seconds = time.monotonic() - moment
        # A rate over the first moments would be unreliable.
        return (self.done - done) / seconds if seconds > 3 else 0.0


def how_many(number: int) -> str:
    """As in `1 image` and `1,200 images`."""
    return f"{number:,} image{'' if number == 1 else 's'}"


def in_words(counted: Counter[str]) -> str:
    """Counts of each status, as in `3 uploaded, 0 existing, 1 failed, 0 skipped`; pending only if there are any."""
    shown = ("uploaded", "existing", "failed", *(["pending"] if counted["pending"] else []), "skipped")
    return ", ".join(f"{counted[status]:,} {status}" for status in shown)
