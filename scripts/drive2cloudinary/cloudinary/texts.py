"""Tags and context values, made valid.

The rules of the parameters "tags" and "context": a comma separates tags; a tag has at most 255 characters, a value
1,024; of the control characters only a newline is allowed, and nothing may be empty. Facts:
https://cloudinary.com/documentation/image_upload_api_reference#upload_optional_parameters
"""

from __future__ import annotations

import re

from drive2cloudinary.cloudinary.names import hidden

LONGEST_TAG = 255
LONGEST_VALUE = 1024


def tag(text: str) -> str:
    """Any text as one tag, "" if nothing is left of it: a comma becomes a space."""
    return " ".join(_printable(text).replace(",", " ").split())[:LONGEST_TAG].strip()


def value(text: str) -> str:
    """Any text as a value of the context, "" if nothing is left of it; if it is too long, it ends with `…`.

    Backslashes before `=`, `|` and the end are left out: Cloudinary's client does not escape them, so they would
    change where the value ends.
    """
    lines = [_printable(line).rstrip() for line in text.splitlines()]
    clean = re.sub(r"\\+(?=[=|]|$)", "", "\n".join(lines).strip(), flags=re.MULTILINE)
    return clean if len(clean) <= LONGEST_VALUE else clean[: LONGEST_VALUE - 1].rstrip("\\ \n") + "…"


def _printable(text: str) -> str:
    return "".join(" " if hidden(character) else character for character in text)
