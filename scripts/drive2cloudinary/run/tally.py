"""How far a run has come: what became of its images so far, and how fast that goes."""

from __future__ import annotations

import time
from collections import Counter, deque
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from rich.filesize import decimal


class Listed(NamedTuple):
    """How many images a folder has: in all, to be moved by this run, and left out by a setting."""

    total: int
    to_move: int
    skipped: int

    def __str__(self) -> str:
        before = self.total - self.to_move - self.skipped
        parts = f"{self.to_move:,} to move, {before:,} moved before, {self.skipped:,} skipped"
        return f"{how_many(self.total)} listed: {parts}"


class Tally:
    """The images of one run, of all its folders together; those that are under way count for nothing yet."""

    def __init__(self) -> None:
        # The bar, in a thread of its own, must not see it grow.
        self.counts = Counter(uploaded=0, existing=0, failed=0)
        self.bytes = 0
        self._statuses: dict[Path, str] = {}
        self._began = time.monotonic()
        self._moving_since = 0.0
        self._last = 0.0
        self._folders: dict[Path, Listed] = {}
        # (moment, images done): some, seconds apart, so that the rate is that of the last minute.
        self._samples: deque[tuple[float, int]] = deque(maxlen=30)

    def listed(self, results_folder: Path, images: Listed) -> None:
        """The listing of one results folder is there."""
        self._folders[results_folder] = images
        if not self._moving_since:
            self._moving_since = self._last = time.monotonic()
            self._samples.append((self._moving_since, 0))

    def add(self, marker: Path, status: str, size: int = 0) -> None:
        """One image is uploaded, existing or failed; the last word counts. In: its bytes, if they were uploaded."""
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
        """Since the run began, in whole seconds."""
        return timedelta(seconds=round(time.monotonic() - self._began))

    @property
    def position(self) -> str:
        return f"{self.done:,} of {how_many(self.to_move)}"

    @property
    def statuses(self) -> str:
        """What became of the images, as the summary says it, too."""
        return in_words(self.counts + Counter(skipped=self.skipped))

    @property
    def amount(self) -> str:
        """What was uploaded, as 12.3 MB (of 1,000,000 bytes)."""
        return decimal(self.bytes)

    @property
    def rate(self) -> str:
        """The rate of the last minute, "" while there is none."""
        speed = self._speed()
        return f"{speed:.1f} images/s" if speed else ""

    @property
    def left(self) -> str:
        """The time until all are done at that rate, "" while nobody knows."""
        speed = self._speed()
        return f"{timedelta(seconds=round((self.to_move - self.done) / speed))} left" if speed else ""

    @property
    def whole_rate(self) -> str:
        """How long the moving took from the listing to the last image, and at what rate; "" if nothing was moved."""
        seconds = self._last - self._moving_since
        if not self.done or not seconds:
            return ""
        return f"{timedelta(seconds=round(seconds))} of it moving, {self.done / seconds:.1f} images/s"

    def _speed(self) -> float:
        moment, done = self._samples[0] if self._samples else (time.monotonic(), 0)
        seconds = time.monotonic() - moment
        # The first moments tell little.
        return (self.done - done) / seconds if seconds > 3 else 0.0


def how_many(number: int) -> str:
    """As in `1 image` and `1,200 images`."""
    return f"{number:,} image{'' if number == 1 else 's'}"


def in_words(counted: Counter[str]) -> str:
    """Counts of each status, as in `3 uploaded, 0 existing, 1 failed, 0 skipped`; pending only if there are any."""
    shown = ("uploaded", "existing", "failed", *(["pending"] if counted["pending"] else []), "skipped")
    return ", ".join(f"{counted[status]:,} {status}" for status in shown)
