"""Cloudinary's rules for public_ids, how they are chosen, and the syntax of `context`."""

from __future__ import annotations

import re
import secrets
import string
import unicodedata

from .form import Form

FORBIDDEN = re.compile(r"[?&#\\%<>+\x00-\x1f\x7f]")
VERSION_FOLDER = re.compile(r"v\d+")
CONTEXT = re.compile(r"((?:\\[=|]|[^=|])+)=((?:\\[=|]|[^|])*)(?:\||$)", re.S)
ALPHABET = string.ascii_lowercase + string.digits
TRUE = ("true", "1")
FALSE = ("false", "0")


def is_valid(public_id: str) -> bool:
    """True if Cloudinary accepts it unchanged."""
    return not (
        not 1 <= len(public_id) <= 255
        or FORBIDDEN.search(public_id)
        or public_id.strip(" /") != public_id
        or "//" in public_id
        or any(VERSION_FOLDER.fullmatch(folder) for folder in public_id.split("/")[:-1])
    )


def as_stored(public_id: str, rewrites: str) -> str:
    """The public_id under which the service stores a valid one, by the account's mode.

    "off": it stays. "specials": in each part of the path, all but letters and digits of any language, `.` and `-`
    becomes `_`, and is cut off at both ends; a part of nothing else is one `_`.
    """
    if rewrites == "off":
        return public_id
    return "/".join("".join(map(_plain, part)).strip("_") or "_" for part in public_id.split("/"))


def _plain(character: str) -> str:
    return character if character in ".-" or unicodedata.category(character)[0] in "LN" else "_"


def public_id_of(form: Form) -> str:
    """What an upload is to be called: the given public_id with its prefix, else one that is made up."""
    prefix = form.fields.get("public_id_prefix") or form.fields.get("folder") or ""
    name = form.fields.get("public_id") or "".join(secrets.choice(ALPHABET) for _ in range(20))
    return f"{prefix}/{name}" if prefix else name


def stem_of(form: Form) -> str:
    """The name of the file, without its folders and its extension."""
    name = re.split(r"[/\\]", form.filename)[-1]
    return name.rpartition(".")[0] or name


def parse_context(text: str) -> dict[str, str]:
    """`k=v|k=v`, in which a backslash stands before an = or | that is part of a key or value, as a dict.

    Raises ValueError if it is not that, or breaks the documented rules: at most 1,000 pairs, keys and values of 1 to
    1,024 characters, no control character but a newline.
    """
    if CONTEXT.sub("", text):
        raise ValueError("malformed")
    pairs = parse_pairs(text)
    texts = [part for pair in pairs.items() for part in pair]
    if len(pairs) > 1000 or any(not 1 <= len(part) <= 1024 for part in texts):
        raise ValueError("too long, or empty")
    if any(unicodedata.category(character) == "Cc" and character != "\n" for part in texts for character in part):
        raise ValueError("control characters")
    return pairs


def parse_pairs(text: str) -> dict[str, str]:
    """The keys and values of `k=v|k=v`, unescaped."""
    unescaped = [[re.sub(r"\\([=|])", r"\1", part) for part in pair] for pair in CONTEXT.findall(text)]
    return {key: value for key, value in unescaped}
