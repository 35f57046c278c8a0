"""An asset in Cloudinary: what to store, what Cloudinary's answer says is stored, and whether it is our own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from drive2cloudinary.causes import Cause
from drive2cloudinary.checks import in_utc, is_time
from drive2cloudinary.cloudinary import asset_urls, names
from drive2cloudinary.errors import ImageError, StopRun, TransientError, one_line
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
_WHOLE_SECONDS = 1.0
"""Seconds by which a time can be too early: both created_at and the header Date leave out the fraction."""
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
    """The asset as in Cloudinary's answer, and whether it had existed before.

    The keys are those of ASSET_FIELDS; moderation, as in a marker; and, unchecked, context and created_at.
    """

    asset: dict[str, Any]
    existing: bool


def with_etag(found: Stored, etag: str) -> Stored:
    """The same asset with this etag."""
    return replace(found, asset={**found.asset, "etag": etag})


class Renamed(ImageError):
    """Cloudinary's answer is about an asset of another name than was asked for, namely `found`."""

    def __init__(self, found: Stored, new: NewAsset) -> None:
        super().__init__(
            f"Cloudinary answered about {one_line(found.asset['public_id'])}, not {new.public_id}", Cause.RENAMED
        )
        self.found = found


def preset_in_words(name: str) -> str:
    """The upload preset that takes effect. In: the setting upload.upload_preset."""
    return f"the preset {name} (upload.upload_preset)" if name else "the account's default preset for signed uploads"


def stored(answer: Mapping[str, Any], new: NewAsset) -> Stored:
    """Read the answer to an upload.

    Raises TransientError if it is not what the API promises, Renamed if it names another public_id, StopRun if it
    promises no more than an upload later on: {"status": "pending", "batch_id": …}.
    """
    if answer.get("status") == "pending" and "secure_url" not in answer:
        raise StopRun(
            "Cloudinary puts uploads off instead of storing them, so that nothing can be proved: take async out of "
            f"{preset_in_words(new.upload_preset)}, then run the same command again"
        )
    existing = answer.get("existing", False) is True
    needed = {"public_id", "secure_url"} if existing else {"public_id", "secure_url", "etag"}
    asset: dict[str, Any] = {"context": answer.get("context"), "created_at": answer.get("created_at")}
    for name in ASSET_FIELDS:
        value = plain_etag(answer.get(name)) if name == "etag" else answer.get(name)
        if name in needed if value in (None, "") else not _is_promised(name, value):
            raise TransientError(f"Cloudinary's answer is not what its API promises: {name} is {one_line(value, 60)!r}")
        asset[name] = value
    asset["moderation"] = _moderation(answer.get("moderation"))
    # Answers were recorded with spaces and letters of other languages in it.
    asset["secure_url"] = asset_urls.signed(encoded(asset["secure_url"]))
    if answer.get("type", new.type) != new.type:
        raise TransientError(
            f"Cloudinary's answer is not what its API promises: type is {one_line(answer['type'], 60)!r}"
        )
    if names.asset_key(asset["public_id"]) != names.asset_key(new.public_id):
        raise Renamed(Stored(asset, existing), new)
    if not existing and drive_id_of(asset) not in (None, new.context["drive_id"]):
        raise TransientError("Cloudinary's answer is not what its API promises: it is about another image")
    return Stored(asset, existing)


def _moderation(value: object) -> dict[str, str]:
    """Kind of moderation → its status, from [{"kind": "aws_rek", "status": "rejected", …}]."""
    found = [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
    return {one_line(each.get("kind"), 50): one_line(each.get("status"), 50) for each in found}


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


def is_of_this_upload(found: Stored, new: NewAsset, md5: str) -> bool:
    """Whether an answer, whatever name it has, proves that this upload made the asset. In: the md5 of what was sent."""
    return not found.existing and (drive_id_of(found.asset) == new.context["drive_id"] or found.asset["etag"] == md5)


def is_of_lost_upload(found: Stored, new: NewAsset, tried_at: float | None) -> bool:
    """Whether an upload whose answer was lost made an existing asset that has the bytes that were sent.

    In: when the first such upload began, in seconds by the service's clock; None if that is unknown. The context
    decides. Answers without one were recorded, too. Then only an asset that was created after we had begun is ours,
    because our uploads create one only where there is none: created_at stays when an asset is overwritten. Somebody
    else would have to store the same bytes under the same name within these seconds to be taken for us. In doubt it is
    not ours.
    """
    if found.asset["context"] is not None:
        return bool(drive_id_of(found.asset) == new.context["drive_id"])
    created_at = found.asset["created_at"]
    if tried_at is None or not is_time(created_at):
        return False
    return in_utc(created_at).timestamp() >= tried_at - _WHOLE_SECONDS
