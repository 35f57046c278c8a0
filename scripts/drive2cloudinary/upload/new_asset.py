"""What an image becomes in Cloudinary: its name and place, and what goes along with it."""

from __future__ import annotations

from collections.abc import Iterator

from drive2cloudinary.cloudinary import names, texts
from drive2cloudinary.cloudinary.asset import NewAsset
from drive2cloudinary.results.listing import Image, Listing
from drive2cloudinary.settings import Settings


def new_asset(image: Image, listed: Listing, settings: Settings) -> NewAsset:
    """The asset to store for an image. In: its entry in the listing, the listing's head, the settings."""
    upload = settings.upload
    return NewAsset(
        public_id=image.public_id,
        asset_folder=names.asset_folder(listed.cloudinary_folder, image.folders),
        display_name=names.display_name(image.name, image.extension),
        filename=names.sent_filename(image.name),
        context={"drive_id": image.id, **_context(image, settings)},
        # Twice the same tag is one tag.
        tags=tuple(dict.fromkeys(filter(None, map(texts.tag, _tags(image, listed.folder, settings))))),
        metadata={key: _value(each) for key, each in upload.metadata.items()},
        upload_preset=upload.upload_preset,
        type=image.type or "upload",
        moderation=upload.moderation,
    )


def _tags(image: Image, drive_folder: str, settings: Settings) -> Iterator[str]:
    """The tags of all images, those of the image's folders, and its own. In: the name of the migrated Drive folder."""
    folder = image.folders[-1] if image.folders else drive_folder
    path = image.folder_path if image.folders else drive_folder
    for tag in settings.upload.tags:
        # In this order, because a folder may be named {path}.
        parts = tag.split("{path}")
        yield path.join(part.replace("{folder}", folder) for part in parts)
    if settings.tags_from_folders:
        yield from image.folders
    yield from image.tags


def _context(image: Image, settings: Settings) -> dict[str, str]:
    """The context of all images; an image's own values override it."""
    own = {"caption": image.caption, "alt": image.alt}
    given = {**settings.upload.context, **{key: each for key, each in own.items() if each}}
    return {key: valid for key, each in given.items() if (valid := texts.value(each))}


def _value(value: str | list[str]) -> str | list[str]:
    return texts.value(value) if isinstance(value, str) else [texts.value(each) for each in value]
