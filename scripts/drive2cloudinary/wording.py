"""Numbers in messages: each noun and each verb has the number that the count has."""

from __future__ import annotations


def counted(number: int, singular: str, plural: str = "") -> str:
    """As in `1 image`, `1,200 images`, `0 images`, `1 entry`. In: the plural, unless it is the singular and an s."""
    return f"{number:,} {agreeing(number, singular, plural or f'{singular}s')}"


def agreeing(number: int, singular: str, plural: str) -> str:
    """The one of two words or phrases that goes with a number: `is` or `are`."""
    return singular if number == 1 else plural
