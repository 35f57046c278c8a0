"""The transfer of one image: download, upload, and the marker that proves it."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import tenacity

from drive2cloudinary.causes import Cause
from drive2cloudinary.cloudinary.asset import ASSET_FIELDS
from drive2cloudinary.cloudinary.asset_urls import jpg_url
from drive2cloudinary.cloudinary.cloudinary_api import Cloudinary
from drive2cloudinary.content import IN_MEMORY, Content
from drive2cloudinary.drive.drive_api import Drive
from drive2cloudinary.errors import ImageError, TransientError
from drive2cloudinary.network.services import Services
from drive2cloudinary.plan.ownership import Members
from drive2cloudinary.results.listing import Image, Listing
from drive2cloudinary.results.marker import Marker
from drive2cloudinary.retrying import patiently
from drive2cloudinary.settings import Settings
from drive2cloudinary.upload.new_asset import new_asset
from drive2cloudinary.waiting import turn
from drive2cloudinary.wording import counted


class Transfer:
    """The connections of one process. Two threads use it: one downloads an image while the other uploads one."""

    def __init__(self, settings: Settings, services: Services) -> None:
        """Sign in to both services. Raises StopRun. In: the settings, and the limits that all processes share."""
        self._settings = settings
        self._patiently = patiently(settings.retries, say_retry=services.retries.say_retry)
        self._drive = Drive(settings, services)
        self._downloading, self._uploading = threading.Lock(), threading.Lock()
        self._cloudinary = Cloudinary(settings, services)
        self._members = Members(Path(settings.results))

    def run(self, image: Image, listed: Listing, markers: Path) -> Marker:
        """Transfer one image to Cloudinary.

        In: its entry in the listing, the listing's head, and the folder of the markers. Out: its marker,
        which the caller writes. Its `seconds` are the times for the download and for the upload, checksums included, as
        the image experienced them: with waiting for limits, pauses and retries. Raises ImageError, TransientError or
        StopRun; then no marker claims that the image is in Cloudinary.
        """
        if image.no_download:
            raise ImageError("its owner does not allow the file to be downloaded by this account", Cause.NOT_ALLOWED)
        limit = self._settings.largest
        too_large = limit is not None and (image.size or 0) > limit
        if too_large and not self._settings.fit:
            raise ImageError(
                f"{image.size:,} bytes are more than max_bytes allows ({limit:,}); fit=true would shrink it",
                Cause.TOO_LARGE,
            )
        began = time.monotonic()
        with turn(self._downloading):
            content = self._download(image)
        downloaded = time.monotonic()
        remark = ""
        if image.md5 and content.md5 != image.md5:
            remark = f"its checksum in Drive was not trusted: the bytes have md5 {content.md5}"
        if too_large and limit:
            content, remark = self._fitted(content, limit)
        if image.replaces:
            # The upload will replace the asset, so the old marker would no longer be true.
            (markers / image.replaces["marker"]).unlink(missing_ok=True)
        new = new_asset(image, listed, self._settings)
        to_upload = time.monotonic()
        try:
            with turn(self._uploading):
                stored = self._cloudinary.store(content, new, self._members, image.replaces, self._settings.overwrite)
        finally:
            content.close()
        uploaded = time.monotonic()
        moderation = {"moderation": found} if (found := stored.asset["moderation"]) else {}
        return Marker(
            drive=image.to_dict(),
            cloudinary={name: stored.asset[name] for name in ASSET_FIELDS} | moderation,
            jpg_url=jpg_url(stored.asset["secure_url"], stored.asset["format"]),
            status="existing" if stored.existing else "uploaded",
            uploaded_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            remark=remark,
            seconds={"download": round(downloaded - began, 3), "upload": round(uploaded - to_upload, 3)},
        )

    def _download(self, image: Image) -> Content:
        """Download an image, and check its size and md5 against Drive's."""
        wrong: set[str] = set()

        def once() -> Content:
            if image.size == 0:
                raise ImageError("the file is empty", Cause.EMPTY)
            content = self._fetch(image)
            if not content.size or (image.size is not None and content.size != image.size):
                what = f"Drive sent {counted(content.size, 'byte')} of an image that was listed with {image.size}"
                raise TransientError(what, cause=Cause.CHANGED)
            if image.md5 and content.md5 != image.md5 and self._settings.trusts_checksum(image.id, image.photos):
                if content.md5 in wrong:
                    advice = f"trust_checksum: {{{image.id}: false}}"
                    if image.photos:
                        advice = f"trust_checksum: {{photos: false}} for all files from Google Photos, or {advice}"
                    raise ImageError(
                        f"Drive sends bytes of md5 {content.md5} on every try, but states the md5 {image.md5}: "
                        f"if the file has just changed, run again; to upload it all the same, set {advice}",
                        Cause.WRONG_BYTES,
                    )
                wrong.add(content.md5)
                raise TransientError("Drive sent bytes that do not match its md5", cause=Cause.WRONG_BYTES)
            return content

        # The pieces of a large image are retried one by one, so the whole download is retried only once.
        again = self._patiently.copy(stop=tenacity.stop_after_attempt(2)) if _is_large(image) else self._patiently
        return again(once)

    def _fitted(self, content: Content, limit: int) -> tuple[Content, str]:
        """The content re-encoded to at most `limit` bytes, and a remark for the mapping."""
        # Imported here, because Pillow takes long and is seldom needed.
        from drive2cloudinary.upload.fit import fit

        try:
            fitted = fit(content.stream(), limit)
        finally:
            content.close()
        new = Content(fitted.content)
        return (
            new,
            f"re-encoded to fit {counted(limit, 'byte')}: {fitted.what}; md5 {content.md5} in Drive, {new.md5} here",
        )

    def _fetch(self, image: Image) -> Content:
        if not _is_large(image):
            return Content(self._drive.download(image.id, image.resource_key, image.size or IN_MEMORY))
        content = Content.in_file()
        self._drive.download_in_pieces(image.id, image.resource_key, image.size or 0, content)
        return content


def _is_large(image: Image) -> bool:
    return (image.size or 0) > IN_MEMORY
