"""Cloudinary's Upload API as this project uses it: storing one image under its public_id, never over someone else's.

Facts: https://cloudinary.com/documentation/image_upload_api_reference. Only the Upload API is used: of the Admin API an
account may make some hundred calls an hour.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cloudinary
import cloudinary.exceptions
import cloudinary.uploader
import tenacity
import urllib3

from .account import SET_CREDENTIALS, check_credentials
from .causes import Cause
from .content import Content
from .errors import ImageError, NoAnswer, StopRun, TooLarge, TransientError, one_line
from .network import Network
from .pacing import Places
from .retrying import calling, cloudinary_error, deadline

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
        self._network = Network("Cloudinary", timeout)
        # The client has no other way to be given connections.
        cloudinary.uploader._http = _Connector(self._network)
        self._timeout = timeout
        self._patiently = patiently
        self._places = places

    def store(
        self, content: Content, new: NewAsset, replaces: Mapping[str, Any] | None = None, overwrite: bool = False
    ) -> Stored:
        """Put an image under its public_id, with the proof that just these bytes are there.

        In: the bytes; `replaces`, what an older marker says of our own asset that these bytes are to replace;
        `overwrite`, to replace a foreign asset, too. The first try never overwrites, so it also finds what a lost
        answer has left. Raises ImageError (another asset holds the name, not an image, too large …), StopRun, or
        TransientError.
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
        own = self._is_own(stored, new, replaces)
        etag = stored.asset["etag"] or self._patiently(self._stored_md5, stored.asset["secure_url"], content.size)
        if etag == content.md5:
            return Stored({**stored.asset, "etag": etag}, existing=not unanswered)
        if own or overwrite:
            return self._proved(self._patiently(self._upload, content, new, True), content, new)
        raise ImageError(
            f"{new.public_id} is another asset in Cloudinary already: rename it there, or set overwrite=true",
            Cause.NAME_TAKEN,
        )

    def _proved(self, stored: Stored, content: Content, new: NewAsset) -> Stored:
        """`stored`, if its etag is the md5 of what was sent; else it is sent once more, and then taken down."""
        if stored.asset["etag"] == content.md5:
            return stored
        stored = self._patiently(self._upload, content, new, True)
        if stored.asset["etag"] == content.md5:
            return stored
        gone = self._patiently(self._take_down, stored.asset["public_id"])
        raise ImageError(
            "Cloudinary stored other bytes than were sent (does an upload preset of the account change images?); "
            + ("the asset was taken down again" if gone else f"delete {stored.asset['public_id']} there"),
            Cause.ALTERED,
        )

    def _is_own(self, stored: Stored, new: NewAsset, replaces: Mapping[str, Any] | None) -> bool:
        context = stored.asset.get("context")
        custom = context.get("custom") if isinstance(context, dict) else None
        if isinstance(custom, dict) and custom.get("drive_id") == new.context["drive_id"]:
            return True
        held = {key: value for key, value in (replaces or {}).items() if key in ("etag", "version") and value}
        return any(stored.asset.get(key) == value for key, value in held.items())

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
        existing = answer.get("existing", False) is True
        needed = {"public_id", "secure_url"} if existing else {"public_id", "secure_url", "etag"}
        asset: dict[str, Any] = {"context": answer.get("context")}
        for name, kind in ASSET_FIELDS.items():
            value = answer.get(name)
            if not isinstance(value, kind) and (value is not None or name in needed):
                raise TransientError(
                    f"Cloudinary's answer is not what its API promises: {name} is {one_line(value, 60)!r}"
                )
            asset[name] = value
        return Stored(asset, existing)

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
        digest = hashlib.md5(usedforsecurity=False)
        try:
            with calling("Cloudinary"), deadline(self._timeout, size):
                answer = self._network.call("GET", url, at_most=size, sink=digest.update)
        except TooLarge:
            # More bytes are other bytes.
            return ""
        if answer.status != 200:
            raise cloudinary_error(answer.status, f"no {url}")
        return digest.hexdigest()

    def close(self) -> None:
        """Give up the connections, whatever state they are in."""
        self._network.close()

    def _call(self, function: Callable[..., Any], argument: Any, size: int = 0, **options: Any) -> dict[str, Any]:
        """One call of the client that sends `size` bytes. Out: its JSON object; raises what retrying.py says."""
        with self._places.place(), calling("Cloudinary"), deadline(self._timeout, size):
            try:
                answer = function(argument, return_error=True, **options)
            except cloudinary.exceptions.Error as error:
                # Of an answer with status 200, which it cannot read.
                raise NoAnswer("Cloudinary's answer is not what its API promises") from error
            except ValueError as error:
                raise StopRun(
                    f"Cloudinary's client refuses its settings ({one_line(error, 100)}): {SET_CREDENTIALS}"
                ) from error
        if not isinstance(answer, dict) or "error" in answer:
            raise TransientError("Cloudinary's answer is not what its API promises")
        return answer


class _Connector:
    """What Cloudinary's client takes for a urllib3.PoolManager; raises what an error of Cloudinary means."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def request(
        self, method: str, url: str, fields: Sequence[tuple[str, Any]], headers: Mapping[str, str]
    ) -> urllib3.HTTPResponse:
        """One call of the API, which answers every success with 200."""
        body, content_type = urllib3.encode_multipart_formdata(fields)
        answer = self._network.call(method, url, headers={**headers, "Content-Type": content_type}, body=body)
        if answer.is_redirect:
            raise self._network.redirected(answer)
        if answer.status != 200:
            raise cloudinary_error(answer.status, _message(answer.body))
        return urllib3.HTTPResponse(answer.body, answer.headers, answer.status)


def _message(body: bytes) -> str:
    """What an error answer says, which may be HTML."""
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return "not JSON"
