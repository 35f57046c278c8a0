"""Read the URL of an original image: which asset it is, and whether it is one of the user's own cloud.

Facts: https://cloudinary.com/documentation/advanced_url_delivery_options. An original's URL is
`https://HOST/CLOUD/image/upload/vVERSION/PUBLIC_ID.FORMAT`; version and format may be missing, and a cloud with a host
of its own may not be named.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import cloudinary
from cloudinary.utils import build_distribution_domain

from drive2cloudinary.checks import is_public_id
from drive2cloudinary.cloudinary import names
from drive2cloudinary.cloudinary.account import check_credentials
from drive2cloudinary.urls import is_url

_SHARD = re.compile(r"^((?:[\w-]+-)?res)-[1-5](?=\.cloudinary\.com$)")
_NORMAL = {"jpeg": "jpg", "jpe": "jpg", "tif": "tiff"}
"""Formats as Cloudinary's answers name them."""


@dataclass(frozen=True)
class Address:
    """What a URL says of its asset. version and format are None if it has none."""

    public_id: str
    version: int | None
    format: str | None


class OwnCloud:
    """The places from which the user's cloud delivers, as Cloudinary's client builds them from the credentials."""

    def __init__(self) -> None:
        """Read the credentials. Raises StopRun if there are none."""
        check_credentials()
        cloudinary.reset_config()
        unsharded = {"cdn_subdomain": False, "secure_cdn_subdomain": False}
        urls = (build_distribution_domain({"secure": secure, **unsharded}) for secure in (True, False))
        self._places = {url.partition("//")[2] for url in urls}

    def read(self, url: str, public_id: str = "") -> Address | None:
        """What the URL of an original image of this cloud says; None for any other text.

        In: the asset's public_id; "" if it is unknown. Then the URL must have a version, because what stands before it
        could be a transformation.
        """
        if not is_url(url):
            return None
        parts = urlsplit(url)
        path = _path_in(_SHARD.sub(r"\1", parts.netloc.lower()) + parts.path, self._places)
        found = re.fullmatch(r"/image/upload/(?:v(\d{1,18})/)?(.+)", unquote(path, errors="surrogateescape"))
        if not found or parts.fragment:
            return None
        version, name = found[1], found[2]
        stem, dot, ending = name.rpartition(".")
        choices = [name, stem] if dot and re.fullmatch(r"[A-Za-z0-9]{1,5}", ending) else [name]
        if public_id:
            # The URL has the name as Cloudinary wrote it, which may have replaced special characters.
            key = names.asset_key(public_id)
            choices = [each for each in choices if names.asset_key(each) == key]
        elif not version:
            return None
        if not choices or not _is_safe(choices[-1]):
            return None
        ending = "" if choices[-1] == name else ending.lower()
        return Address(choices[-1], int(version) if version else None, _NORMAL.get(ending, ending) or None)


def _path_in(text: str, places: set[str]) -> str:
    """The rest of a host and path that begin with one of the places; "" if they do not."""
    place = next((each for each in places if text.startswith(f"{each}/")), "")
    return text[len(place) :] if place else ""


def _is_safe(public_id: str) -> bool:
    """Whether Cloudinary can have given this name. With `..` in it, the URL would lead to another cloud."""
    return (
        is_public_id(public_id)
        and len(public_id) <= names.LONGEST
        and not any(map(names.hidden, public_id))
        and not {"", ".", ".."} & set(public_id.split("/"))
    )
