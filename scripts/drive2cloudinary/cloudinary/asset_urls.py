"""The URLs of an asset: signed if its type is not public.

An asset of type `authenticated` is delivered only to signed URLs, one of type `private` only its conversions to others.
The signature is made of the URL's path and the API secret, which it does not reveal. Facts:
https://cloudinary.com/documentation/control_access_to_media#signed_urls
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cloudinary.utils import cloudinary_url

_SIGNATURE = r"s--[A-Za-z0-9_-]+--"
_NOT_PUBLIC = re.compile(rf"(.+/image/(?:private|authenticated)/)(?:({_SIGNATURE})/)?((?:v\d+/)?)(.+)")
"""In four parts: up to the type, the signature, the version, and what is signed: the quoted public_id and extension."""

_ANY = re.compile(
    rf"((https?://[A-Za-z0-9.-]+(?::\d+)?)/[^?#]*?/(?:upload|(?:private|authenticated)/{_SIGNATURE})/)(.+)", re.DOTALL
)
"""The prefix with the origin in it, and the path that follows: the version and what is signed."""


@dataclass(frozen=True)
class Parts:
    """The URL of an asset and that of its JPG: both end with `path`; what comes before it, and the host of both."""

    origin: str
    original: str
    jpg: str
    path: str


def split(secure_url: str, jpg_url: str) -> Parts | None:
    """The parts of an asset's two URLs; None if they do not have the form that Cloudinary gives them."""
    found = _ANY.fullmatch(secure_url)
    # Of a signed URL, the JPG's has another signature.
    if not found or not jpg_url.startswith(f"{found[2]}/") or not jpg_url.endswith(found[3]):
        return None
    return Parts(found[2], found[1], jpg_url.removesuffix(found[3]), found[3])


def signed(secure_url: str) -> str:
    """The URL of an asset as Cloudinary answers it; signed if it has to be, and is not."""
    found = _NOT_PUBLIC.fullmatch(secure_url)
    return secure_url if not found or found[2] else f"{found[1]}{_signature(found[4])}/{found[3]}{found[4]}"


def jpg_url(secure_url: str, asset_format: str | None) -> str:
    """The URL that delivers the asset as a JPG: its own if it is one; else Cloudinary converts it for `f_jpg`.

    Each conversion counts as a transformation. In: its own URL, and its format as Cloudinary's answer names it, None if
    it does not.
    """
    if asset_format == "jpg":
        return secure_url
    if found := _NOT_PUBLIC.fullmatch(secure_url):
        return f"{found[1]}{_signature(found[4], 'f_jpg')}/f_jpg/{found[3]}{found[4]}"
    return secure_url.replace("/image/upload/", "/image/upload/f_jpg/", 1)


def _signature(path: str, transformation: str = "") -> str:
    """The signature by the API secret of Cloudinary's client. In: as in the URL, without the version."""
    # Only the signature is taken: the host and the version are those of Cloudinary's answer.
    url, _ = cloudinary_url(path, raw_transformation=transformation, sign_url=True, auth_token=False)
    found = re.search(f"/({_SIGNATURE})/", url)
    if not found:
        raise ValueError("the client does not sign URLs")
    return found[1]
