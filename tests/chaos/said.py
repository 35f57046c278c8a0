"""The messages of the trials."""

from __future__ import annotations

import sys
from collections import Counter


def wrong(problems: list[str], what: str) -> None:
    """Add an error and print it at once."""
    problems.append(what)
    print(f"WRONG: {what}", file=sys.stderr, flush=True)


def counted(counts: Counter[str]) -> str:
    """A count with its noun, in words."""
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "none"
