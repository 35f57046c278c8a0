"""Cloudinary's signatures: of requests, and of delivery URLs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping

UNSIGNED = frozenset(["file", "cloud_name", "resource_type", "api_key", "signature"])


def string_to_sign(fields: Mapping[str, str], escape: bool = True) -> str:
    """The text that is signed; with `escape`, as newer clients do, `&` inside a value is written as %26."""
    pairs = [f"{name}={value}" for name, value in fields.items() if value and name not in UNSIGNED]
    return "&".join(sorted(pair.replace("&", "%26") if escape else pair for pair in pairs))


def sign(fields: Mapping[str, str], secret: str, algorithm: str = "sha1", escape: bool = True) -> str:
    """The hex signature of these fields."""
    return hashlib.new(algorithm, (string_to_sign(fields, escape) + secret).encode()).hexdigest()


def is_signed(fields: Mapping[str, str], secret: str) -> bool:
    """True if the field `signature` is good: SHA-1, or SHA-256 by its length, of the one form or of the other."""
    given = fields.get("signature", "")
    algorithm = "sha256" if len(given) == 64 else "sha1"
    return any(hmac.compare_digest(sign(fields, secret, algorithm, escape), given) for escape in (True, False))


def sign_url(path: str, secret: str) -> str:
    """The part `s--…--` of a delivery URL. In: what it signs, `[TRANSFORMATION/]PUBLIC_ID[.EXTENSION]`, not quoted.

    As all clients do: SHA-1 of the path as it stands in a URL, in which `:` and `/` are not quoted.
    """
    quoted = re.sub(rb"[^a-zA-Z0-9_.\-/:]", lambda found: b"%%%02X" % found[0][0], path.encode())
    digest = hashlib.sha1(quoted + secret.encode()).digest()
    return f"s--{base64.urlsafe_b64encode(digest).decode()[:8]}--"
