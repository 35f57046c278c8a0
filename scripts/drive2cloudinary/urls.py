"""Check that a text is a web address that is safe to request and to show."""

from __future__ import annotations

import re

_URL = re.compile(r"https?://(?:[^/?#@\\]*@)?(?:\[[0-9A-Fa-f:.]+\]|[^/?#@:\[\]\\]+)(?::\d{1,5})?(?:[/?#].*)?")


def is_url(text: object) -> bool:
    """Whether this is an http or https URL with a host, and without spaces or unprintable characters."""
    return isinstance(text, str) and text.isprintable() and " " not in text and _URL.fullmatch(text) is not None
