"""Fault rules: which call fails, how, and how often. `wire` and the services carry them out."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

KINDS = """
    delay hold hang refuse lose cut chunked corrupt empty html echo error answer body status headers redirect
    raw drip endless gzip_bomb stuck without
    empty_batches leave_out keep_shared incomplete page endless_pages
"""


@dataclass(slots=True)
class Rule:
    """One rule, in the control endpoint's format; `seen` counts the calls that matched, `used` those that failed."""

    on: str
    do: Json
    match: str | None = None
    times: int | None = 1
    skip: int = 0
    probability: float = 1.0
    seen: int = 0
    used: int = 0

    def applies_to(self, op: str, keys: Sequence[str]) -> bool:
        """True if the rule is about this operation (`drive` covers `drive.list`) and this file, asset or path."""
        if self.on != "*" and op != self.on and not op.startswith(self.on + "."):
            return False
        return self.match is None or any(self.match in key for key in keys)


@dataclass(slots=True)
class Held:
    """A call that is held: what lets it go on, and whether its client still waits for the answer."""

    go: asyncio.Future[None]
    is_awaited: Callable[[], bool]


class Faults:
    """The active rules. `pick` returns the fault of a call."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self._random = random.Random(0)
        self._held: dict[str, list[Held]] = {}

    def replace(self, rules: Iterable[Json], seed: int = 0) -> None:
        """Replaces all rules and lets all held calls go on; a malformed rule raises ValueError and changes nothing."""
        parsed = [_parse(rule) for rule in rules]
        self.rules = parsed
        self._random = random.Random(seed)
        for op in list(self._held):
            self._release(op)

    @property
    def held(self) -> Json:
        """How many calls are held now, by operation. A call whose client has given up does not count."""
        counts = {op: sum(call.is_awaited() for call in calls) for op, calls in self._held.items()}
        return {op: count for op, count in counts.items() if count}

    async def hold(self, op: str, count: int, is_awaited: Callable[[], bool]) -> None:
        """Waits until `count` calls of this operation are held at once, or the rules are replaced (0: only that)."""
        call = Held(asyncio.get_running_loop().create_future(), is_awaited)
        self._held.setdefault(op, []).append(call)
        if count and self.held.get(op, 0) >= count:
            self._release(op)
        await call.go

    def _release(self, op: str) -> None:
        for call in self._held.pop(op):
            if not call.go.done():
                call.go.set_result(None)

    def pick(self, op: str, keys: Sequence[str]) -> Json:
        """The `do` of the first rule that applies to this call, or {}. Counts down `skip` and `times`."""
        for rule in self.rules:
            if not rule.applies_to(op, keys):
                continue
            rule.seen += 1
            if rule.seen <= rule.skip or (rule.times is not None and rule.used >= rule.times):
                continue
            if rule.probability < 1 and self._random.random() >= rule.probability:
                continue
            rule.used += 1
            return rule.do
        return {}


def _parse(rule: Json) -> Rule:
    do = rule.get("do")
    if not isinstance(do, dict) or not do or set(do) - set(KINDS.split()):
        raise ValueError(f"not something to be done: {do!r}")
    if not isinstance(rule.get("on"), str) or set(rule) - {"on", "do", "match", "times", "skip", "probability"}:
        raise ValueError(f"not a fault rule: {rule!r}")
    return Rule(**rule)


def flip(data: bytes) -> bytes:
    """`data` with a few bytes changed, near the end so that an image's header still reads, and of the same length."""
    changed = bytearray(data)
    for index in {len(data) * 3 // 4, max(len(data) - 3, 0)} if data else ():
        changed[index] ^= 0x5A
    return bytes(changed)
