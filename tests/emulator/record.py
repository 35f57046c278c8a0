"""The record of all calls: counts by operation, a compact log, connections, token refreshes, uploads at once."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

LOG_LENGTH = 300_000
FIELDS = ("op", "key", "status", "at", "seconds", "bytes", "connection", "fault", "method")


class Record:
    """One for the whole program; `reset` empties it without touching gauges of what is under way."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.connections: Counter[str] = Counter()
        self.refreshes = 0
        self.uploads_now = 0
        self.uploads_peak = 0
        self._log: deque[tuple[object, ...]] = deque(maxlen=LOG_LENGTH)

    def add(
        self, op: str, key: str, status: int, at: float, seconds: float, size: int, conn: int, fault: str, method: str
    ) -> None:
        """Records one finished call. `status` is 0 if it was not answered; `fault` names the injected fault, or ''."""
        self.counts[op] += 1
        self.statuses[f"{op} {status}"] += 1
        self._log.append((op, key, status, at, seconds, size, conn, fault, method))

    def upload_begins(self) -> None:
        """One more upload is under way."""
        self.uploads_now += 1
        self.uploads_peak = max(self.uploads_peak, self.uploads_now)

    def upload_ends(self) -> None:
        """One upload less is under way."""
        self.uploads_now -= 1

    def reset(self) -> None:
        """Clears the record of finished calls."""
        self.counts.clear()
        self.statuses.clear()
        self.connections.clear()
        self._log.clear()
        self.refreshes = 0
        self.uploads_peak = self.uploads_now

    def log(self) -> list[dict[str, object]]:
        """The log, oldest first, as one dict for each call."""
        return [dict(zip(FIELDS, entry, strict=True)) for entry in self._log]

    def stats(self) -> dict[str, Any]:
        """The counters, as the control endpoint answers them."""
        return {
            "counts": dict(self.counts),
            "statuses": dict(self.statuses),
            "connections": dict(self.connections),
            "refreshes": self.refreshes,
            "max_uploads_at_once": self.uploads_peak,
        }
