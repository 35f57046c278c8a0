"""Cloudinary's Upload API as this project uses it: storing one image under its public_id, never over someone else's.

Facts: https://cloudinary.com/documentation/image_upload_api_reference. Only the Upload API is used: of the Admin API an
account may make some hundred calls an hour.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from typing import Any

import certifi
import cloudinary
import cloudinary.exceptions
import cloudinary.uploader
import tenacity
import urllib3

from . import names
from .account import SET_CREDENTIALS, check_credentials
from .causes import Cause
from .content import Content
from .errors import ImageError, MigrationError, NoAnswer, StopRun, TransientError, one_line
from .pacing import Places
from .retrying import cloudinary_error, deadline, network_error
from .urls import is_url

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
"""Characters of a field of an answer: a public_id of 255 emoji makes a URL of more than 3,000."""


@dataclass(frozen=True)
class NewAsset:
    """An image to store: its valid public_id, the folder and name that the media library shows, and its context.

    context is written to the asset, so that it can be traced back; the same context on a stored asset means that it is
    this migration's own.
    """

    public_id: str
    asset_folder: str
    display_name: str
    context: Mapping[str, str]


@dataclass(frozen=True)
class Stored:
    """The asset as Cloudinary answered it (the keys of ASSET_FIELDS), and whether it was there before."""

    asset: dict[str, Any]
    existing: bool


class Cloudinary:
    """The connection to one Cloudinary account; for one process."""

    def __init__(self, timeout: float, patiently: tenacity.Retrying, places: Places) -> None:
        """Read the credentials from the environment or .env. Raises StopRun if they are not there.

        In: the seconds of silence after which a call is given up; who tries again after a passing error; who lets so
        many calls at once pass.
        """
        check_credentials()
        cloudinary.reset_config()
        self._timeout = timeout
        self._patiently = patiently
        self._places = places

    def store(
        self,
        content: Content,
        new: NewAsset,
        members: Container[str],
        replaces: Mapping[str, Any] | None = None,
        overwrite: bool = False,
    ) -> Stored:
        """Put an image under its public_id, with the proof that just these bytes are there.

        In: the bytes; `members`, the Drive files whose assets no other image may take; `replaces`, what an older marker
        says of our own asset that these bytes are to replace; `overwrite`, to replace a foreign asset, too. The first
        try never overwrites, so it also finds what a lost answer has left. Raises ImageError (another asset holds the
        name, not an image, too large …), StopRun, or TransientError.
        """
        unanswered = False

        def first() -> Stored:
            nonlocal unanswered
            try:
                return self._upload(content, new, overwrite=False)
            except NoAnswer:
                unanswered = True
                raise

        stored = self._patiently(first)
        if not stored.existing:
            return self._proved(stored, content, new)
        drive_id = _drive_id(stored.asset)
        if drive_id != new.context["drive_id"] and drive_id in members:
            raise ImageError(
                f"{new.public_id} in Cloudinary is the asset of another image, Drive file {one_line(drive_id, 60)}",
                Cause.SHARED,
            )
        etag = stored.asset["etag"]
        if not etag or not re.fullmatch("[0-9a-f]{32}", etag):
            etag = self._delivered_md5(stored, content)
        if etag == content.md5:
            return Stored({**stored.asset, "etag": etag}, existing=not unanswered)
        if overwrite or _is_own(stored, new, replaces):
            return self._proved(self._patiently(self._upload, content, new, True), content, new)
        raise ImageError(
            f"{new.public_id} is another asset in Cloudinary already: rename it there, or set overwrite=true",
            Cause.NAME_TAKEN,
        )

    def _proved(self, stored: Stored, content: Content, new: NewAsset) -> Stored:
        """`stored`, if it holds what was sent; else it is sent once more, and then taken down."""
        if self._holds(stored, content):
            return _with_etag(stored, content.md5)
        stored = self._patiently(self._upload, content, new, True)
        if self._holds(stored, content):
            return _with_etag(stored, content.md5)
        gone = self._patiently(self._take_down, stored.asset["public_id"])
        raise ImageError(
            "Cloudinary stored other bytes than were sent (does an upload preset of the account change images?); "
            + ("the asset was taken down again" if gone else f"delete {stored.asset['public_id']} there"),
            Cause.ALTERED,
        )

    def _holds(self, stored: Stored, content: Content) -> bool:
        return stored.asset["etag"] == content.md5 or self._delivered_md5(stored, content) == content.md5

    def _delivered_md5(self, stored: Stored, content: Content) -> str:
        return self._patiently(self._stored_md5, stored.asset["secure_url"], content.size)

    def _upload(self, content: Content, new: NewAsset, overwrite: bool) -> Stored:
        options = dict(
            resource_type="image",
            public_id=new.public_id,
            asset_folder=new.asset_folder,
            display_name=new.display_name,
            context=dict(new.context),
            unique_filename=False,
            overwrite=overwrite,
            invalidate=overwrite or None,
        )
        if content.whole is not None:
            answer = self._call(
                cloudinary.uploader.upload, content.whole, content.size, filename=new.display_name, **options
            )
        else:
            answer = self._upload_in_pieces(content, new.display_name, options)
        return _stored(answer, new)

    def _upload_in_pieces(self, content: Content, filename: str, options: dict[str, Any]) -> dict[str, Any]:
        """The answer to the last piece. A piece that gets none ends the upload: the next try is a new one."""
        upload_id = uuid.uuid4().hex
        answer: dict[str, Any] = {}
        for start, piece in content.pieces():
            headers = {
                "X-Unique-Upload-Id": upload_id,
                "Content-Range": f"bytes {start}-{start + len(piece) - 1}/{content.size}",
            }
            part = (filename, piece)
            answer = self._call(
                cloudinary.uploader.upload_large_part, part, len(piece), http_headers=headers, **options
            )
        return answer

    def _take_down(self, public_id: str) -> bool:
        answer = self._call(cloudinary.uploader.destroy, public_id, resource_type="image", invalidate=True)
        return answer.get("result") == "ok"

    def _stored_md5(self, url: str, size: int) -> str:
        """The md5 of the about `size` bytes that Cloudinary delivers, for an answer without an etag."""
        if not url.startswith(("https://", "http://")):
            raise ImageError("Cloudinary's answer has neither an etag nor a URL to look at", Cause.SERVICE)
        http = urllib3.PoolManager(cert_reqs="CERT_REQUIRED", ca_certs=certifi.where())
        digest = hashlib.md5(usedforsecurity=False)
        try:
            with deadline(self._timeout, size):
                answer = http.request("GET", url, preload_content=False, timeout=self._timeout, retries=False)
                if answer.status != 200:
                    raise cloudinary_error(answer.status, f"no {url}")
                for part in answer.stream(1 << 16):
                    digest.update(part)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise network_error("Cloudinary", error) from error
        finally:
            http.clear()
        return digest.hexdigest()

    def close(self) -> None:
        """Give up the connections, whatever state they are in."""
        cloudinary.uploader._http.clear()

    def _call(self, function: Callable[..., Any], argument: Any, size: int = 0, **options: Any) -> dict[str, Any]:
        """One call of the client that sends `size` bytes. Out: its JSON object; raises what retrying.py says."""
        with self._places.place():
            try:
                with deadline(self._timeout, size):
                    answer = function(argument, timeout=self._timeout, return_error=True, **options)
            except OSError as error:
                self.close()
                raise network_error("Cloudinary", error) from error
            except (TypeError, AttributeError) as error:
                raise TransientError("Cloudinary's answer is not what its API promises") from error
            except cloudinary.exceptions.Error as error:
                raise self._unreadable(error) from error
            except ValueError as error:
                raise StopRun(
                    f"Cloudinary's client refuses its settings ({one_line(error, 100)}): {SET_CREDENTIALS}"
                ) from error
            if not isinstance(answer, dict):
                raise TransientError("Cloudinary's answer is not a JSON object")
            if "error" in answer:
                said = answer["error"] if isinstance(answer["error"], dict) else {}
                raise cloudinary_error(int(said.get("http_code") or 0), str(said.get("message", "")))
            return answer

    def _unreadable(self, error: Exception) -> MigrationError:
        """What the client's untyped Error means: it names the status only in the text of an answer that is no JSON."""
        self.close()
        found = re.match(r"Error parsing server response \((\d+)\)", str(error))
        if not found or found[1] == "200":
            return network_error("Cloudinary", error)
        return cloudinary_error(int(found[1]), "not JSON")


def _with_etag(stored: Stored, etag: str) -> Stored:
    return replace(stored, asset={**stored.asset, "etag": etag})


def _stored(answer: Mapping[str, Any], new: NewAsset) -> Stored:
    """What the answer to an upload says, after a look that it is what the API promises, and about this asset.

    Raises TransientError, or ImageError if it names another public_id.
    """
    existing = answer.get("existing", False) is True
    needed = {"public_id", "secure_url"} if existing else {"public_id", "secure_url", "etag"}
    asset: dict[str, Any] = {"context": answer.get("context")}
    for name in ASSET_FIELDS:
        value = _plain_etag(answer.get(name)) if name == "etag" else answer.get(name)
        if name in needed if value in (None, "") else not _is_promised(name, value):
            raise TransientError(f"Cloudinary's answer is not what its API promises: {name} is {one_line(value, 60)!r}")
        asset[name] = value
    if names.asset_key(asset["public_id"]) != names.asset_key(new.public_id):
        raise ImageError(
            f"Cloudinary answered about {one_line(asset['public_id'])}, not {new.public_id}", Cause.RENAMED
        )
    if not existing and _drive_id(asset) not in (None, new.context["drive_id"]):
        raise TransientError("Cloudinary's answer is not what its API promises: it is about another image")
    return Stored(asset, existing)


def _is_promised(name: str, value: object) -> bool:
    if ASSET_FIELDS[name] is int:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or any(map(names.hidden, value)):
        return False
    return name != "secure_url" or is_url(value)


def _plain_etag(etag: object) -> object:
    """An etag as HTTP may write it, W/"ABC", as it is in the API: abc."""
    if not isinstance(etag, str):
        return etag
    return etag.strip(" ").lower().removeprefix("w/").strip('"')


def _drive_id(asset: Mapping[str, Any]) -> Any:
    """The Drive file that an asset's context names; None if it names none."""
    context = asset["context"]
    custom = context.get("custom") if isinstance(context, dict) else None
    return custom.get("drive_id") if isinstance(custom, dict) else None


def _is_own(stored: Stored, new: NewAsset, replaces: Mapping[str, Any] | None) -> bool:
    """Whether this migration put an existing asset there for this image.

    Its context decides. Where that names no Drive file, the version or the etag that we know does.
    """
    drive_id = _drive_id(stored.asset)
    if drive_id is not None:
        return bool(drive_id == new.context["drive_id"])
    held = {key: value for key, value in (replaces or {}).items() if key in ("etag", "version") and value}
    return any(stored.asset[key] == value for key, value in held.items())
