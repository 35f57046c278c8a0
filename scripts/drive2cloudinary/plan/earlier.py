"""What earlier runs know of the images in a results folder: the last listing, and the markers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from drive2cloudinary.paths import Folders
from drive2cloudinary.plan.held_names import held
from drive2cloudinary.results import failure, layout, listing, marker
from drive2cloudinary.results.listing import Image, Listing, NoListing, image_of
from drive2cloudinary.results.marker import Marker
from drive2cloudinary.settings import Settings


def last_listing(results_folder: Path) -> Listing | None:
    """The listing at hand; None if there is none. Raises NewerFormat."""
    try:
        return listing.read(layout.listing(results_folder))
    except NoListing:
        return None


class Earlier:
    """The images that earlier runs have listed or uploaded."""

    def __init__(self, settings: Settings, last: Listing | None) -> None:
        """In: the last listing. It does not count if it was made for another folder_name and nothing was uploaded."""
        self._results_folder, self._type = settings.results_folder, wanted_type(settings)
        self._markers = marker.by_file(self._results_folder)
        counts = last and (self._markers or last.settings["folder_name"] == settings.folder_name)
        self._last = {image.id: image for image in last.images} if last and counts else {}

    def names(self, present: Collection[str]) -> dict[str, str]:
        """Drive file ID → the public_id that it holds. In: the IDs of the files that are in Drive now."""
        return held(self._results_folder, set(present), self._last, self._markers)

    def may_be_stored(self, file_id: str) -> bool:
        """Whether an image may be in Cloudinary under the public_id that it holds."""
        replaces = file_id in self._last and self._last[file_id].replaces
        return bool(self._markers.get(file_id) or replaces) or failure.may_be_stored(self._results_folder, file_id)

    def type_of(self, file_id: str) -> str:
        """The `type` of an image's asset: that of the settings, unless the asset exists already."""
        last, names = self._last.get(file_id), self._markers.get(file_id, [])
        if last and (names or last.replaces):
            return last.type
        newest = self._newest(names)
        return str(newest[0].drive.get("type", "")) if newest else self._type

    def replaced_by(self, image: Image) -> dict[str, Any] | None:
        """What is known of the asset in Cloudinary that holds an older content of this image; None if nothing.

        The upload job removes the old marker before it uploads. After that, only the last listing knows the asset.
        """
        last, names = self._last.get(image.id), self._markers.get(image.id, [])
        if marker.name_of(image.id, image.fingerprint) in names:
            return None
        known = self._newest(names)
        if not known:
            return last.replaces if last else None
        newest, name = known
        # An asset with status `existing` was there before this migration, so it is not our own.
        own = ("version", "etag") if newest.status == "uploaded" else ()
        return {key: newest.cloudinary.get(key) for key in own} | {"marker": name}

    def in_closed_folders(self, closed: Sequence[Folders], found: Collection[str]) -> list[Image]:
        """The images that were uploaded from folders which the account may not open any more, as last known.

        They were not found, but nothing says that they are gone. The last listing knows best where an image was;
        without one, its marker does. In: the closed folders; the IDs of the files that were found.
        """
        images = []
        for file_id in sorted(self._markers.keys() - set(found)) if closed else []:
            image = self._last.get(file_id)
            if not image and (newest := self._newest(self._markers[file_id])):
                image = image_of(newest[0].drive)
            if image and any(image.folders[: len(each)] == each for each in closed):
                images.append(image)
        return images

    def _newest(self, names: Iterable[str]) -> tuple[Marker, str] | None:
        """The newest valid marker of an image, and its file name; None if none is valid. In: its markers' names."""
        known = [(each, name) for name in names if (each := marker.read(marker.named(self._results_folder, name)))]
        # The version is a time by Cloudinary's clock, which is more reliable than ours.
        return max(known, key=lambda each: (each[0].cloudinary.get("version") or 0, each[0].uploaded_at), default=None)


def wanted_type(settings: Settings) -> str:
    """The `type` of a new asset as the listing has it."""
    return "" if settings.upload.type == "upload" else settings.upload.type
