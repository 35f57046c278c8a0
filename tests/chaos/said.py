"""What the trials say to people."""

from __future__ import annotations

import sys
from collections import Counter


def wrong(problems: list[str], what: str) -> None:
    """Add to what is wrong, and say it at once."""
    problems.append(what)
    print(f"WRONG: {what}", file=sys.stderr, flush=True)


def counted(counts: Counter[str]) -> str:
    """How many of what, in words."""
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "none"
