"""The record of all calls: counts by operation, a compact log, connections, token refreshes, uploads at once."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any, NamedTuple

LOG_LENGTH = 300_000


class Entry(NamedTuple):
    """One finished call. `status` is 0 if it was not answered; `fault` names the injected fault, or ''."""

    op: str
    key: str
    status: int
    at: float
    seconds: float
    bytes: int
    fault: str
    method: str


class Record:
    """One for the whole program; `reset` empties it without touching gauges of what is under way."""

    def __init__(self) -> None:
        self.uploads_now = 0
        self.reset()

    def reset(self) -> None:
        """Clears the record of finished calls."""
        self.counts: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.connections: Counter[str] = Counter()
        self.refreshes = 0
        self.uploads_peak = self.uploads_now
        self._log: deque[Entry] = deque(maxlen=LOG_LENGTH)

    def add(self, entry: Entry) -> None:
        """Records one finished call."""
        self.counts[entry.op] += 1
        self.statuses[f"{entry.op} {entry.status}"] += 1
        self._log.append(entry)

    def upload_begins(self) -> None:
        """One more upload is under way."""
        self.uploads_now += 1
        self.uploads_peak = max(self.uploads_peak, self.uploads_now)

    def upload_ends(self) -> None:
        """One upload less is under way."""
        self.uploads_now -= 1

    def log(self) -> list[dict[str, Any]]:
        """The log, oldest first, as one dict for each call."""
        return [entry._asdict() for entry in self._log]

    def stats(self) -> dict[str, Any]:
        """The counters, as the control endpoint answers them."""
        return {
            "counts": self.counts,
            "statuses": self.statuses,
            "connections": self.connections,
            "refreshes": self.refreshes,
            "max_uploads_at_once": self.uploads_peak,
        }
