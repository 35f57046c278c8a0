"""Images that are too large for the account, checksums that are not to be trusted, and orphans."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import struct
import urllib.request
from typing import Any

import pytest
from PIL import ExifTags, Image, ImageCms, ImageOps

from drive2cloudinary.causes import Cause
from drive2cloudinary.errors import ImageError
from drive2cloudinary.upload.fit import fit
from tests.harness import Workspace, jpeg

LIMIT = 60_000


def noisy(size: tuple[int, int] = (640, 480), mode: str = "RGB") -> Image.Image:
    """A picture that does not compress well."""
    channels = [Image.effect_noise(size, 90) for _ in mode]
    return Image.merge(mode, channels) if len(channels) > 1 else channels[0]


def as_bytes(picture: Image.Image, format_: str, **more: object) -> bytes:
    """A picture as a file."""
    buffer = io.BytesIO()
    picture.save(buffer, format_, **more)
    return buffer.getvalue()


def photo() -> bytes:
    """A JPEG that lies on its side, with a colour profile."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "A maker"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return as_bytes(noisy(), "JPEG", quality=97, exif=exif, icc_profile=profile)


def animated() -> bytes:
    frames = [noisy((200, 200), "L") for _ in range(4)]
    return as_bytes(frames[0], "GIF", save_all=True, append_images=frames[1:])


def test_less_quality_comes_first_and_orientation_and_colour_profile_are_kept() -> None:
    original = photo()
    fitted = fit(io.BytesIO(original), len(original) * 2 // 3)
    with Image.open(io.BytesIO(original)) as before, Image.open(io.BytesIO(fitted.content)) as after:
        assert len(fitted.content) <= len(original) * 2 // 3
        assert after.size == before.size
        assert fit(io.BytesIO(original), len(fitted.content)) == fitted
        assert after.getexif()[0x0112] == 6 and after.getexif()[0x010F] == "A maker"
        assert after.info["icc_profile"] == before.info["icc_profile"]
    smaller = fit(io.BytesIO(original), 20_000)
    with Image.open(io.BytesIO(smaller.content)) as after:
        assert len(smaller.content) <= 20_000 and after.width < 640 and "pixels" in smaller.what


def test_what_would_lose_more_is_left_alone() -> None:
    transparent = as_bytes(noisy(mode="RGBA"), "PNG")
    for content, why in ((animated(), "animated"), (transparent, "transparent"), (b"no image", "cannot be re-encoded")):
        with pytest.raises(ImageError, match=why):
            fit(io.BytesIO(content), 1000)
    for mode in ("I", "F"):
        with pytest.raises(ImageError, match="range of its values") as caught:
            fit(io.BytesIO(as_bytes(grey("I;16").convert("I").convert(mode), "TIFF")), 50_000)
        assert caught.value.cause is Cause.CANNOT_FIT


def grey(mode: str) -> Image.Image:
    """A gradient from black to white in 16 bits: column x has the value x * 257, which is x in 8 bits."""
    order = ">" if mode.endswith("B") else "<"
    row = struct.pack(f"{order}256H", *(x * 257 for x in range(256)))
    return Image.frombytes(mode, (256, 16), row * 16)


def grey_tiff(bits: int, white_is_zero: bool) -> bytes:
    """The same gradient as a TIFF of 12 or 16 bits, as scanners and microscopes write it. Pillow writes neither."""
    highest = 2**bits - 1
    values = [x * highest // 255 for x in range(256)]
    values = [highest - value for value in values] if white_is_zero else values
    if bits == 16:
        row = struct.pack("<256H", *values)
    else:
        row = int("".join(f"{value:012b}" for value in values), 2).to_bytes(256 * 12 // 8, "big")
    tags = [(256, 256), (257, 16), (258, bits), (259, 1), (262, 0 if white_is_zero else 1), (273, 200), (277, 1)]
    tags += [(278, 16), (279, 16 * len(row))]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    return head.ljust(200, b"\0") + row * 16


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(as_bytes(grey("I;16"), "PNG"), id="PNG"),
        pytest.param(as_bytes(grey("I;16B"), "TIFF"), id="TIFF, big-endian"),
        pytest.param(grey_tiff(16, white_is_zero=True), id="TIFF, white is zero"),
        pytest.param(grey_tiff(12, white_is_zero=False), id="TIFF, 12 bits"),
    ],
)
def test_grey_of_more_than_eight_bits_keeps_its_tones(content: bytes) -> None:
    with Image.open(io.BytesIO(fit(io.BytesIO(content), 50_000).content)) as after:
        tones = after.convert("L").tobytes()[8 * 256 :]
        assert [x for x in range(256) if abs(tones[x] - x) > 2] == []
        assert after.mode == "L", "a grey profile fits grey pixels only"


def test_a_tiff_keeps_of_its_tags_what_a_jpeg_can_have_and_is_turned_once() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Make] = 6, "A maker"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2020:02:02 20:20:20"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    profile = b"longer than a segment" * 5000
    content = as_bytes(noisy((400, 200)), "TIFF", exif=exif.tobytes(), icc_profile=profile)
    fitted = fit(io.BytesIO(content), 150_000)
    with Image.open(io.BytesIO(fitted.content)) as after:
        found = after.getexif()
        assert found[ExifTags.Base.Make] == "A maker"
        assert found.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] == "2020:02:02 20:20:20"
        assert found.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"
        assert ExifTags.Base.StripOffsets not in found and ExifTags.Base.InterColorProfile not in found
        assert after.info["icc_profile"] == profile
        assert ImageOps.exif_transpose(after).size == (200, 400)
    assert "EXIF" not in fitted.what


def with_exif(long: bool) -> bytes:
    """A picture that lies on its side, whose EXIF data no JPEG can have: too long, or with a text as width."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Make] = 6, "A maker"
    if long:
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = bytes(70_000)
        return as_bytes(noisy(), "PNG", exif=exif)
    maker, width = (struct.pack(">HH", tag, 2) for tag in (ExifTags.Base.Make, ExifTags.Base.ImageWidth))
    assert maker in exif.tobytes()
    return as_bytes(noisy(), "JPEG", quality=97, exif=exif.tobytes().replace(maker, width))


@pytest.mark.parametrize("long", [True, False])
def test_exif_data_that_a_jpeg_cannot_have_is_left_out_but_for_the_orientation(long: bool) -> None:
    fitted = fit(io.BytesIO(with_exif(long)), 600_000)
    with Image.open(io.BytesIO(fitted.content)) as after:
        assert dict(after.getexif()) == {ExifTags.Base.Orientation: 6}
    assert fitted.what == "JPEG of quality 95, without its EXIF data (too long or damaged)"


def test_a_damaged_image_is_no_image() -> None:
    first, second, rest = as_bytes(noisy(), "PNG").split(b"IDAT", 2)
    with pytest.raises(ImageError, match="broken PNG file") as caught:
        fit(io.BytesIO(b"IDAT".join((first, second)) + b"\xff\xff\xff\xff" + rest), 200_000)
    assert caught.value.cause is Cause.NOT_AN_IMAGE


@pytest.mark.parametrize("size", [(640, 480), (3, 4000)])
def test_what_cannot_get_smaller_fails(size: tuple[int, int]) -> None:
    """Neither the profile nor a side of three pixels shrinks any more."""
    with pytest.raises(ImageError, match="cannot be made to fit") as caught:
        fit(io.BytesIO(as_bytes(noisy(size), "JPEG", icc_profile=b"profile" * 1000)), 5000)
    assert caught.value.cause is Cause.CANNOT_FIT


def test_too_large_images_are_said_before_they_fail_or_are_fitted_and_the_mapping_says_so(workspace: Workspace) -> None:
    large = photo()
    for name, content in (("photo.jpg", large), ("loop.gif", animated())):
        workspace.cloud.drive("add", name=name, content_base64=base64.b64encode(content).decode())
    workspace.add("just.jpg", content_base64=jpeg("just", LIMIT))
    workspace.dry_run(max_bytes=LIMIT).line("warning", "2 images of more than 60,000 bytes", "will fail")
    workspace.run(max_bytes=LIMIT).failed()
    assert workspace.statuses() == {"photo.jpg": "failed", "loop.gif": "failed", "just.jpg": "uploaded"}
    assert workspace.calls("drive.media") == 1, "what is too large is not downloaded"

    workspace.run(max_bytes=LIMIT, fit="true").failed()
    rows = {row["filename"]: row for row in workspace.mapping()}
    assert rows["loop.gif"]["status"] == "failed" and "animated" in rows["loop.gif"]["error"]
    assert rows["photo.jpg"]["status"] == "uploaded"
    with urllib.request.urlopen(rows["photo.jpg"]["cloudinary_url"]) as answer:
        stored = answer.read()
    assert len(stored) <= LIMIT
    for fact in ("re-encoded", hashlib.md5(large).hexdigest(), hashlib.md5(stored).hexdigest()):
        assert fact in rows["photo.jpg"]["error"]


def test_without_max_bytes_an_image_is_fitted_to_what_the_free_plan_takes(workspace: Workspace) -> None:
    large = as_bytes(Image.new("RGB", (1900, 1900)), "BMP")
    workspace.cloud.drive("add", name="scan.bmp", content_base64=base64.b64encode(large).decode())
    workspace.dry_run(fit=True).line("warning", "1 image of more than 10,485,760 bytes, which will be re-encoded")
    workspace.run(fit=True).succeeded()
    (row,) = workspace.mapping()
    assert "re-encoded to fit 10,485,760 bytes" in row["error"]
    assert workspace.cloud.assets()[row["public_id"]]["format"] == "jpg"


def test_a_wrong_size_advises_what_helps_and_not_to_distrust_the_checksum(workspace: Workspace) -> None:
    for name, size in (("larger.jpg", 999), ("smaller.jpg", 1001)):
        workspace.add(name, size=str(size))
    done = workspace.run(retries=0).failed()
    assert {failure["cause"] for failure in workspace.failures().values()} == {"changed"}
    assert Cause.CHANGED.advice in workspace.agreed(done).to_do[0] and "trust_checksum" not in done.said


def test_files_from_google_photos_can_be_distrusted_together_and_single_ones_trusted(workspace: Workspace) -> None:
    """A wrong md5 in Drive fails, until it is said not to be trusted; then the row says what was found instead."""
    wrong: dict[str, Any] = {"md5Checksum": hashlib.md5(b"something else").hexdigest()}
    photos: dict[str, Any] = {"spaces": ["drive", "photos"]}
    (first, second) = workspace.add("first.jpg", "second.jpg", **photos, **wrong)
    (plain,) = workspace.add("plain.jpg", **wrong)
    done = workspace.run(retries=1, trust_checksum=f"{{{second}: true}}").failed()
    done.line("failed: first.jpg", "Google Photos", "trust_checksum: {photos: false}", f"{{{first}: false}}")
    done.line("failed: second.jpg", "trust_checksum")
    assert "photos" not in done.line("failed: plain.jpg", f"trust_checksum: {{{plain}: false}}")
    done.line("set trust_checksum", "{photos: false}", "FILE_ID")
    assert workspace.calls("drive.media", plain) == 2

    workspace.run(retries=0, trust_checksum=f"{{photos: false, {second}: true}}").failed()
    assert workspace.statuses() == {"first.jpg": "uploaded", "second.jpg": "failed", "plain.jpg": "failed"}
    row = next(row for row in workspace.mapping() if row["file_id"] == first)
    actual = hashlib.md5(base64.b64decode(jpeg("first.jpg"))).hexdigest()
    assert row["md5"] == wrong["md5Checksum"] and actual in row["error"] and "not trusted" in row["error"]
    assert workspace.cloud.assets()[row["public_id"]]["etag"] == actual


def test_the_marker_of_a_deleted_file_stays_and_is_named_in_orphans(workspace: Workspace) -> None:
    """With a new file at its path beside it, so that people see why the old URL shows the old picture."""
    # A Mac writes é as two characters.
    inner = workspace.cloud.drive("folder", name='e\u0301 <b>"')
    old = workspace.add("=again.jpg", "moved.jpg", "excluded.jpg", parent=inner)
    workspace.run().succeeded()
    assert orphans(workspace) == []
    urls = {row["filename"]: row["cloudinary_url"] for row in workspace.mapping()}
    workspace.cloud.drive_all([{"op": "delete", "id": each} for each in (*old, inner)])
    inner = workspace.cloud.drive("folder", name='\u00e9 <b>"')
    workspace.add("=again.jpg", "excluded.jpg", parent=inner, content_base64=jpeg("new"))
    workspace.add("moved.jpg")
    done = workspace.run(exclude="excluded.jpg").succeeded()
    done.line(
        "no longer in the Drive folder: 3 images, still in Cloudinary; a new file is at the path of 2 of them: see"
    )
    (new,) = [row["cloudinary_url"] for row in workspace.mapping() if row["filename"] == "=again.jpg"]
    assert new not in urls.values() and len(workspace.cloud.assets()) == 3 + 2
    assert {row["marker"] for row in orphans(workspace)} < set(workspace.markers())
    assert {row["file_id"] for row in orphans(workspace)} == set(old)
    notes = {
        row["filename"]: (row["note"], row["cloudinary_url"], row["new_cloudinary_url"]) for row in orphans(workspace)
    }
    assert notes == {
        "'=again.jpg": ("a new file is at this path", urls["=again.jpg"], new),
        "excluded.jpg": ("a new file is at this path", urls["excluded.jpg"], ""),
        "moved.jpg": ("", urls["moved.jpg"], ""),
    }
    section = (workspace.results / "report.html").read_text().partition('id="orphans"')[2]
    assert section.count("a new file is at this path") == 2 and section.count(f'href="{new}"') == 1
    assert section.count(f'href="{urls["=again.jpg"]}"') == 1


def orphans(workspace: Workspace) -> list[dict[str, str]]:
    """The rows of orphans.csv."""
    with (workspace.results / "orphans.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))
