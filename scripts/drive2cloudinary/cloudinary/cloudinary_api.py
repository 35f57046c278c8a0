"""Cloudinary's Upload API as this project uses it: store one image, and never replace a foreign asset unasked.

Facts: https://cloudinary.com/documentation/image_upload_api_reference. Only the Upload API is used, because an account
may call the Admin API only some hundred times an hour.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Container, Mapping
from contextlib import suppress
from typing import Any

import cloudinary
import cloudinary.exceptions
import cloudinary.uploader

from drive2cloudinary.causes import Cause
from drive2cloudinary.cloudinary.account import SET_CREDENTIALS, api_proxy, check_credentials
from drive2cloudinary.cloudinary.asset import (
    NewAsset,
    Renamed,
    Stored,
    drive_id_of,
    is_of_lost_upload,
    is_of_this_upload,
    is_own,
    preset_in_words,
    stored,
    with_etag,
)
from drive2cloudinary.cloudinary.cloudinary_answers import delivery_error
from drive2cloudinary.cloudinary.cloudinary_http import connect
from drive2cloudinary.content import Content
from drive2cloudinary.errors import ImageError, NoAnswer, StopRun, TooLarge, TransientError, one_line
from drive2cloudinary.network.http import Network
from drive2cloudinary.network.services import Services
from drive2cloudinary.retrying import calling, patiently
from drive2cloudinary.settings import Settings

_MAY_BE_STORED = (Cause.NO_ANSWER, Cause.SERVICE)
"""The causes of a passing error after which the upload may have been carried out all the same."""


class Cloudinary:
    """The connection of one process to a Cloudinary account."""

    def __init__(self, settings: Settings, services: Services) -> None:
        """Read the credentials from the environment or .env. Raises StopRun if there are none.

        In: the settings, and the limits and contacts that all processes share.
        """
        check_credentials()
        cloudinary.reset_config()
        proxy = api_proxy()
        self._network = Network(services.cloudinary, settings.timeout, proxy=proxy)
        self._cdn = Network(services.cdn, settings.timeout, waits=False, proxy=proxy)
        self._connector = connect(self._network)
        self._patiently = patiently(settings.retries, say_retry=services.retries.say_retry)
        self._uploads = services.uploads

    def store(
        self,
        content: Content,
        new: NewAsset,
        members: Container[str],
        replaces: Mapping[str, Any] | None,
        overwrite: bool,
    ) -> Stored:
        """Store an image under its public_id, and check that exactly these bytes are stored.

        In: the bytes; `members`, the Drive files whose assets no other image may replace; `replaces`, what an older
        marker says about our own asset that these bytes replace; `overwrite`, to replace a foreign asset, too. The
        first try never overwrites. So it also finds an upload whose answer was lost. Raises ImageError (the name is
        taken, not an image, too large …), StopRun, or TransientError.
        """
        lost_since: float | None = None

        def first() -> Stored:
            nonlocal lost_since
            try:
                return self._upload(content, new, overwrite=False)
            except TransientError as error:
                if lost_since is None and error.cause in _MAY_BE_STORED:
                    lost_since = self._connector.called_at
                raise

        try:
            found = self._patiently(first)
        except Renamed as error:
            raise ImageError(f"{error}; {self._without(error.found, content, new)}", Cause.RENAMED) from error
        if not found.existing:
            return self._proved(found, content, new)
        drive_id = drive_id_of(found.asset)
        if drive_id != new.context["drive_id"] and drive_id in members:
            raise ImageError(
                f"{new.public_id} in Cloudinary is the asset of another image, Drive file {one_line(drive_id, 60)}",
                Cause.SHARED,
            )
        tried_at = None if lost_since is None else self._connector.service_time(lost_since)
        etag = found.asset["etag"]
        if not etag or not re.fullmatch("[0-9a-f]{32}", etag):
            etag = self._delivered_md5(found, content)
        if etag == content.md5:
            was_uploaded = lost_since is not None and is_of_lost_upload(found, new, tried_at)
            return Stored({**found.asset, "etag": etag}, existing=not was_uploaded)
        if overwrite or is_own(found, new, replaces):
            return self._proved(self._patiently(self._upload, content, new, True), content, new)
        raise ImageError(
            f"{new.public_id} is another asset in Cloudinary already: rename it there, or set overwrite=true",
            Cause.NAME_TAKEN,
        )

    def _proved(self, found: Stored, content: Content, new: NewAsset) -> Stored:
        """`found` if it holds the bytes that were sent. If not, they are sent once more; then the asset is deleted."""
        if self._holds(found, content):
            return with_etag(found, content.md5)
        found = self._patiently(self._upload, content, new, True)
        if self._holds(found, content):
            return with_etag(found, content.md5)
        gone = self._patiently(self._take_down, found.asset["public_id"], new.type)
        raise ImageError(
            f"Cloudinary stored other bytes than were sent (does {preset_in_words(new.upload_preset)} change images?); "
            + ("the asset was taken down again" if gone else f"delete {found.asset['public_id']} there"),
            Cause.ALTERED,
        )

    def _without(self, found: Stored, content: Content, new: NewAsset) -> str:
        """Take down what this upload has stored under another name, if that is sure; say in words what is there now."""
        public_id = one_line(found.asset["public_id"])
        with suppress(ImageError):
            if is_of_this_upload(found, new, content.md5):
                if self._patiently(self._take_down, found.asset["public_id"], new.type):
                    return "it was taken down again"
                return f"delete {public_id} there"
        return f"look at what is stored as {public_id}"

    def _holds(self, found: Stored, content: Content) -> bool:
        # If the asset cannot be downloaded, the error is raised: it may be right, so it is not replaced or deleted.
        return found.asset["etag"] == content.md5 or self._delivered_md5(found, content) == content.md5

    def _delivered_md5(self, found: Stored, content: Content) -> str:
        return self._patiently(self._stored_md5, found.asset["secure_url"], content.size)

    def _upload(self, content: Content, new: NewAsset, overwrite: bool) -> Stored:
        options = dict(
            resource_type="image",
            public_id=new.public_id,
            asset_folder=new.asset_folder,
            display_name=new.display_name,
            context=dict(new.context),
            # An overwritten asset can lose these, so they are sent each time. The client leaves out empty ones.
            tags=list(new.tags),
            metadata=dict(new.metadata),
            upload_preset=new.upload_preset or None,
            type=new.type,
            moderation=new.moderation or None,
            unique_filename=False,
            overwrite=overwrite,
            invalidate=overwrite or None,
        )
        if content.whole is not None:
            answer = self._call(cloudinary.uploader.upload, content.whole, filename=new.filename, **options)
        else:
            answer = self._upload_in_pieces(content, new.filename, options)
        return stored(answer, new)

    def _upload_in_pieces(self, content: Content, filename: str, options: dict[str, Any]) -> dict[str, Any]:
        """Upload in pieces; returns the answer to the last. If one gets no answer, the retry starts a new upload."""
        upload_id = uuid.uuid4().hex
        answer: dict[str, Any] = {}
        for start, piece in content.pieces():
            headers = {
                "X-Unique-Upload-Id": upload_id,
                "Content-Range": f"bytes {start}-{start + len(piece) - 1}/{content.size}",
            }
            part = (filename, piece)
            answer = self._call(cloudinary.uploader.upload_large_part, part, http_headers=headers, **options)
        return answer

    def _take_down(self, public_id: str, type: str) -> bool:
        answer = self._call(cloudinary.uploader.destroy, public_id, resource_type="image", type=type, invalidate=True)
        return answer.get("result") == "ok"

    def _stored_md5(self, url: str, size: int) -> str:
        """The md5 of the bytes that Cloudinary delivers, if the answer has no usable etag; "" if more than `size`."""
        digest = hashlib.md5(usedforsecurity=False)
        try:
            answer = self._cdn.call("GET", url, at_most=size, size=size, sink=digest.update)
        except TooLarge:
            return ""
        if answer.status != 200:
            raise delivery_error(answer.status, answer.headers.get("X-Cld-Error", ""), answer.headers)
        return digest.hexdigest()

    def _call(self, function: Callable[..., Any], argument: Any, **options: Any) -> dict[str, Any]:
        """One call of the client. Out: the JSON object of the answer. Raises the errors that retrying.py handles."""
        with self._uploads.slot(), calling("Cloudinary"):
            try:
                answer = function(argument, return_error=True, **options)
            except cloudinary.exceptions.Error as error:
                # The client raises this for an answer with status 200 that it cannot parse.
                raise NoAnswer("Cloudinary's answer is not what its API promises") from error
            except ValueError as error:
                raise StopRun(
                    f"Cloudinary's client refuses its settings ({one_line(error, 100)}): {SET_CREDENTIALS}"
                ) from error
        if not isinstance(answer, dict) or "error" in answer:
            raise TransientError("Cloudinary's answer is not what its API promises")
        return answer
