"""An asset in Cloudinary: what to store, what Cloudinary's answer says is stored, and whether it is our own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from drive2cloudinary.causes import Cause
from drive2cloudinary.cloudinary import asset_urls, names
from drive2cloudinary.errors import ImageError, TransientError, one_line
from drive2cloudinary.urls import encoded, is_url

ASSET_FIELDS = {
    "public_id": str,
    "asset_id": str,
    "version": int,
    "secure_url": str,
    "format": str,
    "bytes": int,
    "etag": str,
    "width": int,
    "height": int,
}
LONGEST_TEXT = 5000
"""The most characters of a field in an answer: a public_id of 255 emoji makes a URL of more than 3,000."""


@dataclass(frozen=True)
class NewAsset:
    """An image to store: its valid public_id, the folder and name that the media library shows, and its context.

    filename: the name to send with the bytes, with its extension. The other fields are parameters of the Upload API;
    all texts are valid for it. An asset of another `type` is another asset, even with the same public_id.
    The context is stored with the asset. A stored asset with the same context is this migration's own.
    """

    public_id: str
    asset_folder: str
    display_name: str
    filename: str
    context: Mapping[str, str]
    tags: Sequence[str]
    metadata: Mapping[str, str | list[str]]
    upload_preset: str
    type: str
    moderation: str


@dataclass(frozen=True)
class Stored:
    """The asset as in Cloudinary's answer (the keys of ASSET_FIELDS), and whether it had existed before."""

    asset: dict[str, Any]
    existing: bool


def with_etag(found: Stored, etag: str) -> Stored:
    """The same asset with this etag."""
    return replace(found, asset={**found.asset, "etag": etag})


def stored(answer: Mapping[str, Any], new: NewAsset) -> Stored:
    """Read the answer to an upload.

    Raises TransientError if it is not what the API promises, ImageError if it names another public_id.
    """
    existing = answer.get("existing", False) is True
    needed = {"public_id", "secure_url"} if existing else {"public_id", "secure_url", "etag"}
    asset: dict[str, Any] = {"context": answer.get("context")}
    for name in ASSET_FIELDS:
        value = plain_etag(answer.get(name)) if name == "etag" else answer.get(name)
        if name in needed if value in (None, "") else not _is_promised(name, value):
            raise TransientError(f"Cloudinary's answer is not what its API promises: {name} is {one_line(value, 60)!r}")
        asset[name] = value
    # Answers were recorded with spaces and letters of other languages in it.
    asset["secure_url"] = asset_urls.signed(encoded(asset["secure_url"]))
    if answer.get("type", new.type) != new.type:
        raise TransientError(
            f"Cloudinary's answer is not what its API promises: type is {one_line(answer['type'], 60)!r}"
        )
    if names.asset_key(asset["public_id"]) != names.asset_key(new.public_id):
        raise ImageError(
            f"Cloudinary answered about {one_line(asset['public_id'])}, not {new.public_id}", Cause.RENAMED
        )
    if not existing and drive_id_of(asset) not in (None, new.context["drive_id"]):
        raise TransientError("Cloudinary's answer is not what its API promises: it is about another image")
    return Stored(asset, existing)


def _is_promised(name: str, value: object) -> bool:
    if ASSET_FIELDS[name] is int:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or any(map(names.hidden, value)):
        return False
    return name != "secure_url" or is_url(encoded(value))


def plain_etag(etag: object) -> object:
    """An etag in HTTP's form, such as W/"ABC", in the API's form: abc."""
    if not isinstance(etag, str):
        return etag
    return etag.strip(" ").lower().removeprefix("w/").strip('"')


def drive_id_of(asset: Mapping[str, Any]) -> Any:
    """The Drive file that an asset's context names; None if it names none."""
    context = asset["context"]
    custom = context.get("custom") if isinstance(context, dict) else None
    return custom.get("drive_id") if isinstance(custom, dict) else None


def is_own(found: Stored, new: NewAsset, replaces: Mapping[str, Any] | None) -> bool:
    """Whether this migration stored an existing asset for this image.

    Its context decides. If that names no Drive file, the version or etag of the older marker decides.
    """
    drive_id = drive_id_of(found.asset)
    if drive_id is not None:
        return bool(drive_id == new.context["drive_id"])
    known = {key: value for key, value in (replaces or {}).items() if key in ("etag", "version") and value}
    return any(found.asset[key] == value for key, value in known.items())
