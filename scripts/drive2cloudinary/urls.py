"""Which texts are addresses of the web that may be asked for, and shown."""

from __future__ import annotations

import re

_URL = re.compile(r"https?://(?:[^/?#@\\]*@)?(?:\[[0-9A-Fa-f:.]+\]|[^/?#@:\[\]\\]+)(?::\d{1,5})?(?:[/?#].*)?")


def is_url(text: object) -> bool:
    """Whether this is an http or https URL with a host, without a space or anything that does not print."""
    return isinstance(text, str) and text.isprintable() and " " not in text and _URL.fullmatch(text) is not None
