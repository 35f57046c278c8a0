"""Checks of values read from a results folder: its files may be damaged, or come from another machine or person.

Each function takes any JSON value and returns whether it is valid.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from drive2cloudinary.settings import ID

LONGEST_ID = 200
"""Characters: an ID is part of a file name, which may have 255 bytes."""
LARGEST_NUMBER = 2**63 - 1
# Compiled once: these are checked a million times in a run of 100,000 images.
_ID = re.compile(ID)
_MD5 = re.compile(r"[0-9a-f]{32}")
_SURROGATE = re.compile("[\ud800-\udfff]")


def is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_text, value))


def is_id(value: Any) -> bool:
    """A file or folder ID of Drive, which becomes a file name."""
    return isinstance(value, str) and len(value) <= LONGEST_ID and _ID.fullmatch(value) is not None


def is_md5(value: Any) -> bool:
    return isinstance(value, str) and _MD5.fullmatch(value) is not None


def is_public_id(value: Any) -> bool:
    """Any text that can be sent; a lone surrogate cannot."""
    return isinstance(value, str) and value != "" and not _SURROGATE.search(value)


def is_line(value: Any) -> bool:
    """Text that is safe to print on a terminal unchanged."""
    return isinstance(value, str) and value.isprintable()


def is_whole_number(value: Any) -> bool:
    """A size or a version: not negative, at most 63 bits."""
    return type(value) is int and 0 <= value <= LARGEST_NUMBER


def is_number(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= LARGEST_NUMBER


def is_time(value: Any) -> bool:
    """An ISO time with a time zone."""
    try:
        return isinstance(value, str) and bool(in_utc(value))
    except ValueError:
        return False


def in_utc(text: str) -> datetime:
    """The moment that an ISO time with a time zone names. Raises ValueError for any other text."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no time zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("out of the range of years") from error
