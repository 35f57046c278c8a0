"""A results folder as a run leaves it, of any size, without a run: for the report of many images, or of odd ones."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from drive2cloudinary.cloudinary import names
from drive2cloudinary.errors import ImageError, NoAnswer
from drive2cloudinary.paths import split
from drive2cloudinary.report.merging import merge_markers
from drive2cloudinary.results import marker
from drive2cloudinary.results.failure import Failure
from drive2cloudinary.results.listing import Image, Listing
from drive2cloudinary.results.marker import Marker
from drive2cloudinary.settings import Settings
from tests.recorded import from_cloudinary, from_drive

BEGAN = datetime(2026, 3, 14, 9, 26, tzinfo=UTC)
PLACES = ("Lisbon", "Kyoto 京都", "Oslo", "Family/Garden", "Family/Holiday 2024", "Work/Posters", "")
THINGS = ("IMG_{:04}.jpg", "DSC{:05}.JPG", "Scan {:03}.tiff", "Screenshot {}.png", "PXL_{}.heic")
FAILURES = (
    from_cloudinary(400, "File size too large. Got 14680064. Maximum is 10485760."),
    from_cloudinary(400, "Invalid image file"),
    from_drive(403, "cannotDownloadFile", "This file cannot be downloaded by the user."),
    from_drive(403, "downloadQuotaExceeded", ""),
    NoAnswer("no answer from Drive: not finished after 300 s"),
)


def some_names(count: int) -> list[tuple[str, str]]:
    """So many (folder_path, name), as cameras and people give them."""
    dice = random.Random(count)
    return [(PLACES[number * len(PLACES) // count], dice.choice(THINGS).format(number)) for number in range(count)]


def results(folder: Path, files: Sequence[tuple[str, str]], base: str = "https://res.cloudinary.com/demo") -> Path:
    """All files of a run on these (folder_path, name), of which every 40th failed and every 50th was skipped.

    Out: the listing's path.
    """
    dice = random.Random(1)
    images = [_image(number, path, name, dice) for number, (path, name) in enumerate(files)]
    (folder / "markers").mkdir(parents=True)
    for number, image in enumerate(images):
        if number % 50 == 49:
            images[number] = replace(image, skipped="exclude has *Screenshot*")
        elif number % 40 == 39:
            error = FAILURES[number // 40 % len(FAILURES)]
            assert isinstance(error, ImageError)
            Failure.of(error).write(folder, image.id)
        else:
            path = marker.path_of(folder, image.id, image.fingerprint)
            path.write_text(_marker(number, image, base, dice).to_json())
    listed = Listing(
        "1AbCdEf", "Holiday pictures", "Holiday pictures", BEGAN.isoformat(), Settings().of_listing, images
    )
    listed.write(folder / "listing.json")
    merge_markers(folder)
    return folder / "listing.json"


def _image(number: int, path: str, name: str, dice: random.Random) -> Image:
    size = int(dice.lognormvariate(14.3, 0.9))
    md5 = hashlib.md5(str(number).encode()).hexdigest()
    public_id = f"{names.public_id('Holiday pictures', split(path), name)}_{number}"
    return Image(f"1{md5[:27]}-{number}", name, split(path), "image/jpeg", size, md5, "2026-01-01T00:00:00Z", public_id)


def _marker(number: int, image: Image, base: str, dice: random.Random) -> Marker:
    width, height = dice.choice([(4032, 3024), (3024, 4032), (1920, 1080)])
    url = f"{base}/image/upload/v1773480000/{quote(image.public_id)}.jpg"
    asset = {
        "public_id": image.public_id,
        "asset_id": image.md5,
        "version": 1773480000,
        "secure_url": url,
        "format": "jpg",
        "bytes": image.size,
        "etag": image.md5,
        "width": width,
        "height": height,
    }
    return Marker(
        drive=image.to_dict(),
        cloudinary=asset,
        jpg_url=url.replace("/upload/", "/upload/f_jpg/"),
        status="existing" if number % 25 == 7 else "uploaded",
        uploaded_at=(BEGAN + timedelta(seconds=number / 20 + dice.random())).isoformat(timespec="milliseconds"),
        seconds={"download": round(dice.lognormvariate(-2, 0.5), 3), "upload": round(dice.lognormvariate(-1, 0.5), 3)},
    )
