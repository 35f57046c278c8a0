"""The emulated Cloudinary, seen by the real cloudinary client and over plain HTTP: as strict as the service."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import urllib3
from cloudinary import uploader, utils
from cloudinary.exceptions import AuthorizationRequired, BadRequest, Error, RateLimited
from PIL import Image

from tests.emulator import signing
from tests.emulator.client import Emulator
from tests.emulator.pictures import flat_jpeg, noise_jpeg, picture
from tests.emulator.real_clients import cloudinary_options

# One emulator serves the whole module, so its tests stay in one process.
pytestmark = pytest.mark.xdist_group("emulator_cloudinary")
JPEG = picture("jpg", (60, 40), 1)
PNG = picture("png", (60, 40), 2, clear=True)
MB = 1024 * 1024
FILLED = "c_fill,w_320,h_240/"
# A value that must survive signing, escaping and JSON.
HARD = 'a&b=c|d\\e"f\u00e9東京'
AS_IT_WAS: dict[str, Any] = {
    **{"fixed_folders": False, "existing_without_etag": False, "existing_as_in_2019": False, "raw_urls": False},
    **{"at_once": 0, "clock": 0, "default_preset": "", "verdicts": {}, "rewrites": "off"},
}
Upload = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    photos = tmp_path_factory.mktemp("photos")
    with Emulator(photos, tmp_path_factory.mktemp("store"), max_image_bytes=14 * MB) as running:
        yield running


@pytest.fixture
def upload(emulator: Emulator, account: dict[str, str]) -> Upload:
    """The client's upload of bytes, with this emulator's credentials."""
    emulator.reset()
    emulator.settings(**AS_IT_WAS)

    def call(data: bytes, **options: Any) -> dict[str, Any]:
        answer: dict[str, Any] = uploader.upload(io.BytesIO(data), **{"filename": "a.jpg", **account, **options})
        return answer

    return call


@pytest.fixture
def account(emulator: Emulator) -> dict[str, str]:
    """What every call of the client takes."""
    return cloudinary_options(emulator.cloudinary_url)


@pytest.fixture
def http() -> urllib3.PoolManager:
    return urllib3.PoolManager(retries=False)


# Who may


def test_signature_vector_of_the_documentation() -> None:
    fields = {"public_id": "sample_image", "timestamp": "1315060510", "file": "x", "api_key": "1", "tags": ""}
    assert signing.sign(fields, "abcd") == "b4ad47fb4e25c7bf5f92a20089f9db59bc302313"
    both = [utils.api_sign_request({"context": HARD}, "s", signature_version=version) for version in (1, 2)]
    assert both == [signing.sign({"context": HARD}, "s", escape=escape) for escape in (False, True)]
    assert all(signing.is_signed({"context": HARD, "signature": signature}, "s") for signature in both)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
@pytest.mark.parametrize("version", [1, 2])
def test_signatures_of_all_kinds_are_taken(upload: Upload, algorithm: str, version: int) -> None:
    context = {"k": HARD}
    answer = upload(JPEG, context=context, tags=["x", "y"], signature_algorithm=algorithm, signature_version=version)
    assert answer["context"] == {"custom": context} and answer["tags"] == ["x", "y"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"api_secret": "wrong"}, r"Invalid Signature [0-9a-f]{40}\. String to sign - 'public_id=s&timestamp=\d+'\."),
        ({"api_key": "1234"}, "unknown api_key"),
        ({"cloud_name": "elsewhere"}, "Invalid cloud_name elsewhere"),
    ],
)
def test_wrong_credentials_are_refused(upload: Upload, options: dict[str, str], message: str) -> None:
    with pytest.raises(AuthorizationRequired, match=message):
        upload(JPEG, public_id="s", **options)


def test_a_request_is_good_for_an_hour(upload: Upload, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utils, "now", lambda: str(int(time.time()) - 3500))
    upload(JPEG)
    monkeypatch.setattr(utils, "now", lambda: str(int(time.time()) - 3700))
    with pytest.raises(BadRequest, match=r"Stale request - .* \+0000 which is more than 1 hour ago"):
        upload(JPEG)


@pytest.mark.parametrize("path", ["resources/image", "ping", "usage", "folders", "image/upload"])
def test_the_admin_api_is_refused_and_counted(
    emulator: Emulator, account: dict[str, str], http: Any, path: str
) -> None:
    emulator.reset()
    answer = http.request("GET", f"{account['upload_prefix']}/v1_1/{account['cloud_name']}/{path}")
    assert answer.status == 401 and emulator.stats()["counts"] == {"cloudinary.admin": 1}


# What may be uploaded


@pytest.mark.parametrize(
    "public_id",
    [*(f"a{char}b" for char in "?&#\\%<>+\n"), " a", "a ", "/a", "a/", "a//b", "v12/a", "a/v1/b", "x" * 256],
)
def test_an_invalid_public_id_is_refused(upload: Upload, public_id: str) -> None:
    with pytest.raises(BadRequest, match="is invalid"):
        upload(JPEG, public_id=public_id)


@pytest.mark.parametrize("public_id", ["a/b c/東京 é'(1)=~", "v1", "a/v12", "va/v1b/x", "x.jpg", "x" * 255, "🌋/*"])
def test_a_valid_public_id_is_delivered(upload: Upload, http: Any, public_id: str) -> None:
    answer = upload(JPEG, public_id=public_id)
    assert answer["public_id"] == public_id
    delivered = http.request("GET", answer["secure_url"])
    assert (delivered.status, delivered.data) == (200, JPEG)
    assert delivered.headers["ETag"] == f'"{answer["etag"]}"' and delivered.headers["Content-Type"] == "image/jpeg"


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (b"not an image", {}, "Invalid image file"),
        (b"<html>" * 100, {}, "Invalid image file"),
        (b"", {}, "Empty file"),
        pytest.param(
            noise_jpeg(14 * MB + 1, 0),
            {},
            r"File size too large\. Got 14680065\. Maximum is 14680064\. Upgrade",
            id="large",
        ),
        (JPEG, {"display_name": "a/b"}, "is invalid"),
        (JPEG, {"upload_preset": "none"}, "Upload preset not found"),
        (JPEG, {"type": "public"}, "Invalid type public"),
        (JPEG, {"tags": ["x" * 256]}, "tags are invalid"),
        pytest.param(JPEG, {"tags": [str(number) for number in range(1001)]}, "tags are invalid", id="tags"),
        (JPEG, {"context": "no pair"}, "context is invalid"),
        (JPEG, {"context": {"caption": ""}}, "context is invalid"),
        (JPEG, {"context": {"caption": "x" * 1025}}, "context is invalid"),
        (JPEG, {"context": {"caption": "a\tb"}}, "context is invalid"),
        (JPEG, {"metadata": {"unknown": "x"}}, "Invalid value  for parameter kind"),
        (JPEG, {"moderation": "unknown"}, "Moderation kind not supported"),
        (JPEG, {"unsigned": True}, "Upload preset must be specified"),
        (JPEG, {"resource_type": "video"}, "Unsupported video format"),
    ],
)
def test_a_wrong_upload_is_refused(
    emulator: Emulator, upload: Upload, data: bytes, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadRequest, match=message):
        upload(data, public_id="refused", **options)
    assert "refused" not in emulator.assets()


def test_a_url_is_not_fetched(account: dict[str, str]) -> None:
    with pytest.raises(BadRequest, match="not emulated"):
        uploader.upload("https://example.com/a.jpg", **account)


def test_more_than_100_mb_in_one_piece_is_a_413_page(upload: Upload) -> None:
    with pytest.raises(Error, match=r"Error parsing server response.*413"):
        upload(bytes(101 * MB))


@pytest.mark.parametrize("extension", ["jpeg", "tif", "png", "webp", "gif", "bmp", "avif"])
def test_a_format_is_told_by_its_usual_name(upload: Upload, extension: str) -> None:
    answer = upload(picture(extension, (20, 10), 3), filename=f"x.{extension}", resource_type="auto")
    assert answer["format"] == {"jpeg": "jpg", "tif": "tiff"}.get(extension, extension)
    assert (answer["width"], answer["height"], answer["resource_type"]) == (20, 10, "image")
    assert answer["secure_url"].endswith("." + answer["format"])


HEIC = b"\0\0\0\x18ftypheic" + bytes(8) + b"ispe" + bytes(4) + b"\0\0\0\x07\0\0\0\x05" + bytes(9)
SVG = b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>"


@pytest.mark.parametrize(("data", "format_"), [(SVG, "svg"), (b"%PDF-1.7\n", "pdf"), (HEIC, "heic")])
def test_a_format_that_pillow_does_not_open_is_known(upload: Upload, data: bytes, format_: str) -> None:
    assert upload(data)["format"] == format_


def test_presets_metadata_and_moderation_are_kept(emulator: Emulator, upload: Upload) -> None:
    emulator.settings(presets={"mine": {"tags": "of,preset", "moderation": "manual"}}, metadata_fields=["sku", "kinds"])
    metadata = {"sku": HARD, "kinds": ["a", "b"]}
    answer = upload(JPEG, public_id="kept", upload_preset="mine", metadata=metadata, tags=["of call"])
    assert answer["tags"] == ["of call"] and answer["metadata"] == {"sku": HARD, "kinds": '["a","b"]'}
    assert emulator.assets()["kept"]["moderation"] == "manual"
    again = upload(JPEG, public_id="kept")
    assert again["tags"] == [] and "metadata" not in again, "overwriting clears them"


def test_answers_have_the_other_forms_that_were_recorded(emulator: Emulator, upload: Upload) -> None:
    emulator.settings(existing_as_in_2019=True, raw_urls=True, clock=600)
    emulator.settings(presets={"later": {"async": "true"}}, verdicts={"webpurify": "rejected"})
    answer = upload(JPEG, public_id="other, form", context={"a": "b"}, moderation="manual|webpurify")
    assert answer["secure_url"].endswith("/other, form.jpg") and abs(answer["version"] - time.time() - 600) < 60
    statuses = [{"kind": "manual", "status": "pending"}, {"kind": "webpurify", "status": "rejected"}]
    assert sorted(answer["moderation"], key=lambda each: str(each["kind"])) == statuses
    again = upload(JPEG, public_id="other, form", overwrite=False)
    absent = {"etag", "asset_id", "version_id", "original_filename", "context"}
    assert again["existing"] and answer.keys() - again.keys() == absent
    emulator.settings(default_preset="later")
    later = upload(JPEG, public_id="later")
    assert later.keys() == {"status", "batch_id"} and later["status"] == "pending"
    assert "later" in emulator.assets()


@pytest.mark.parametrize("public_id", ["p/a b", "p/é:~(1)", "p/x"])
@pytest.mark.parametrize(("kind", "derived_is_open"), [("private", True), ("authenticated", False)])
def test_what_is_not_public_is_delivered_to_signed_urls_only(
    upload: Upload, account: dict[str, str], http: Any, kind: str, derived_is_open: bool, public_id: str
) -> None:
    answer = upload(PNG, public_id=public_id, type=kind)
    signature = answer["secure_url"].split("/")[6]

    def status(url: str) -> int:
        return int(http.request("GET", url).status)

    assert status(answer["secure_url"]) == 200
    assert status(answer["secure_url"].replace(f"/{signature}", "")) == 401
    assert status(answer["secure_url"].replace(signature, "s--AAAAAAAA--")) == 401
    assert status(answer["secure_url"].replace(f"/{kind}/", "/upload/")) == 404, "nor as another type"
    options = {"type": kind, "format": "png", "sign_url": True, "raw_transformation": "f_jpg", **account}
    signed, _ = utils.cloudinary_url(public_id, version=answer["version"], **options)
    ours = answer["secure_url"].replace(signature, f"{signed.split('/')[6]}/f_jpg")
    assert status(ours) == 200
    assert status(answer["secure_url"].replace(signature, "f_jpg")) == (200 if derived_is_open else 401)


# What comes of it


def test_the_answer_says_what_was_stored(emulator: Emulator, upload: Upload, account: dict[str, str]) -> None:
    answer = upload(JPEG, public_id="f/a", asset_folder="F ü", display_name="A: 東京", filename="/home/me/p.x.jpg")
    assert answer["etag"] == hashlib.md5(JPEG).hexdigest() and answer["bytes"] == len(JPEG)
    signed = {"public_id": "f/a", "version": answer["version"]}
    assert answer["signature"] == utils.api_sign_request(signed, account["api_secret"])
    assert (answer["asset_folder"], answer["display_name"], answer["original_filename"]) == ("F ü", "A: 東京", "p.x")
    assert len(answer["asset_id"]) == 32 and "existing" not in answer and "folder" not in answer
    assert emulator.assets()["f/a"]["sent_filename"] == "/home/me/p.x.jpg"
    assert len(upload(JPEG)["public_id"]) == 20


def test_an_account_with_fixed_folders_answers_a_folder(emulator: Emulator, upload: Upload) -> None:
    emulator.settings(fixed_folders=True)
    answer = upload(JPEG, public_id="g/h/a", asset_folder="ignored")
    assert answer["folder"] == "g/h" and "asset_folder" not in answer and "display_name" not in answer


def test_overwriting_is_silent_and_drops_context_and_tags(emulator: Emulator, upload: Upload) -> None:
    first = upload(JPEG, public_id="o", context={"a": "1"}, tags=["t"], asset_folder="x")
    second = upload(PNG, public_id="o", invalidate=True)
    assert second["asset_id"] == first["asset_id"] and second["version"] > first["version"]
    assert (second["format"], second["tags"], second["asset_folder"]) == ("png", [], "x") and "context" not in second
    third = upload(JPEG, public_id="o", overwrite=False, context={"b": "2"})
    assert third == {**second, "existing": True}
    emulator.settings(existing_without_etag=True)
    bare = upload(JPEG, public_id="o", overwrite=False)
    assert set(second) - set(bare) == {"etag", "original_filename"}
    assert emulator.assets()["o"]["stores"] == 2


@pytest.mark.parametrize(
    ("asked", "stored"),
    [
        ("a/b c/東京 é'(1)=~", "a/b_c/東京_é__1"),
        ("_w1/(a,b).c-d*", "w1/a_b_.c-d"),
        ("😀/x/कि", "_/x/क"),
        ("½ ²/Ⅷ_9", "½_²/Ⅷ_9"),
        ("plain/a.b-c_d", "plain/a.b-c_d"),
    ],
)
def test_special_characters_of_a_public_id_are_replaced_and_cut(
    emulator: Emulator, upload: Upload, account: dict[str, str], http: Any, asked: str, stored: str
) -> None:
    emulator.settings(rewrites="specials")
    first = upload(JPEG, public_id=asked, overwrite=False)
    assert first["public_id"] == stored and http.request("GET", first["secure_url"]).data == JPEG
    for public_id in (asked, stored):
        assert upload(PNG, public_id=public_id, overwrite=False) == {**first, "existing": True}
    assert emulator.plant(asked, PNG)["public_id"] == stored and emulator.assets()[stored]["stores"] == 0
    assert uploader.destroy(asked, **account) == {"result": "ok"} and stored not in emulator.assets()


def test_a_raw_asset_is_another_one(emulator: Emulator, upload: Upload) -> None:
    image = upload(JPEG, public_id="r")
    raw = upload(JPEG, public_id="r", resource_type="raw")
    assert raw["asset_id"] != image["asset_id"] and raw["resource_type"] == "raw" and "width" not in raw


def test_what_was_destroyed_is_gone(upload: Upload, account: dict[str, str], http: Any) -> None:
    answer = upload(JPEG, public_id="d/x")
    assert uploader.destroy("d/x", invalidate=True, **account) == {"result": "ok"}
    assert uploader.destroy("d/x", **account) == {"result": "not found"}
    assert http.request("GET", answer["secure_url"]).status == 404
    with pytest.raises(AuthorizationRequired):
        uploader.destroy("d/x", **{**account, "api_secret": "wrong"})
    assert upload(JPEG, public_id="d/x")["asset_id"] != answer["asset_id"]


# In chunks


def test_a_large_file_comes_in_chunks(emulator: Emulator, account: dict[str, str]) -> None:
    emulator.reset()
    data = noise_jpeg(13 * MB, 5)
    options = {"chunk_size": 5 * MB, "filename": "big.jpg", **account}
    answer = uploader.upload_large(io.BytesIO(data), resource_type="image", public_id="big", **options)
    assert (answer["etag"], answer["bytes"]) == (hashlib.md5(data).hexdigest(), len(data))
    assert emulator.stats()["counts"] == {"cloudinary.upload": 3}
    # The client's default is raw, and a public_id is made up with the first chunk.
    raw = uploader.upload_large(io.BytesIO(data), **options)
    assert raw["resource_type"] == "raw" and len(raw["public_id"]) == 20


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        (["bytes 0-99/200"], "must be larger"),
        ([f"bytes 0-{5 * MB - 1}/{6 * MB}", f"bytes {5 * MB + 1}-{6 * MB - 1}/{6 * MB}"], "Chunk begins at"),
        ([f"bytes 0-{5 * MB - 1}/{6 * MB}"] * 2, "Chunk begins at"),
        (["bytes 0-9/5"], "past the total"),
        ([f"bytes 0-{5 * MB - 1}/{26 * MB}"], "File size too large"),
        (["0-9/10"], "Invalid Content-Range"),
    ],
)
def test_a_chunk_that_does_not_fit_is_refused(upload: Upload, ranges: list[str], message: str) -> None:
    headers = {"X-Unique-Upload-Id": repr(ranges)}
    with pytest.raises(BadRequest, match=message):
        for span in ranges:
            first, _, last = span.removeprefix("bytes ").partition("/")[0].partition("-")
            upload(bytes(int(last) - int(first) + 1), extra_headers={**headers, "Content-Range": span})


def test_more_uploads_at_once_than_allowed_are_refused(emulator: Emulator, upload: Upload) -> None:
    def outcome(number: int) -> str:
        try:
            return str(upload(JPEG, public_id=f"at once {number}")["format"])
        except RateLimited as error:
            return str(error).partition(".")[0]

    emulator.settings(at_once=2)
    emulator.faults([{"on": "cloudinary.upload", "do": {"hold": 4}, "times": 4}])
    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(outcome, range(4))) == ["Rate Limit Exceeded"] * 2 + ["jpg"] * 2
    assert emulator.stats()["max_uploads_at_once"] == 4


# Delivery


@pytest.mark.parametrize(
    ("stored", "transformation", "extension", "kind", "size"),
    [
        ("png", "f_jpg/", "png", "JPEG", (60, 40)),
        ("png", "", "jpg", "JPEG", (60, 40)),
        ("jpg", "f_png/", "jpg", "PNG", (60, 40)),
        ("jpg", "c_fill,h_20,w_20/", "jpg", "JPEG", (20, 20)),
        ("jpg", "c_fill,w_30,h_10/q_auto,f_webp/", "jpg", "WEBP", (30, 10)),
        ("jpg", "q_auto,f_auto/", "jpg", "JPEG", (60, 40)),
        ("gif", "f_jpg/c_fill,w_6,h_4/", "gif", "JPEG", (6, 4)),
    ],
)
def test_a_transformation_is_carried_out(
    upload: Upload, http: Any, stored: str, transformation: str, extension: str, kind: str, size: tuple[int, int]
) -> None:
    answer = upload(picture(stored, (60, 40), 1), public_id="t/p q")
    url = answer["secure_url"].replace("/upload/", "/upload/" + transformation).rpartition(".")[0] + "." + extension
    for _ in range(2):
        delivered = http.request("GET", url)
        assert delivered.status == 200
        with Image.open(io.BytesIO(delivered.data)) as image:
            assert (image.format, image.size) == (kind, size)
    head = http.request("HEAD", url)
    assert head.status == 200 and head.headers["Content-Length"] == str(len(delivered.data)) and not head.data


def test_a_part_is_delivered_on_demand(upload: Upload, http: Any) -> None:
    url = upload(JPEG, public_id="part")["secure_url"]
    first = http.request("GET", url, headers={"Range": "bytes=0-0"})
    assert (first.status, first.data) == (206, JPEG[:1])
    assert first.headers["Content-Range"] == f"bytes 0-0/{len(JPEG)}"
    head = http.request("HEAD", url, headers={"Range": "bytes=0-0"})
    assert (head.status, head.headers["Content-Length"]) == (200, str(len(JPEG)))
    assert http.request("GET", url, headers={"Range": f"bytes={len(JPEG)}-"}).status == 416


def test_orientation_is_heeded_and_a_jpg_has_a_white_ground(upload: Upload, http: Any) -> None:
    turned = upload(picture("jpg", (60, 40), 4, orientation=6), public_id="turned")
    assert (turned["width"], turned["height"]) == (40, 60)
    clear = upload(PNG, public_id="clear")
    with Image.open(io.BytesIO(http.request("GET", clear["url"].replace("/upload/", "/upload/f_jpg/")).data)) as image:
        corner = image.convert("RGB").getpixel((0, 0))
    assert isinstance(corner, tuple) and min(corner) > 240


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("image/upload/v1/nowhere/x.jpg", 404, "Resource not found - nowhere/x.jpg"),
        ("image/upload/e_sepia/v1/there.jpg", 400, "Invalid transformation component - e_sepia"),
        ("image/upload/nonsense/v1/there.jpg", 400, "Invalid transformation component - nonsense"),
        ("image/upload/c_limit,w_9,h_9/v1/there.jpg", 400, "Invalid transformation component - c_limit,w_9,h_9"),
        ("image/upload/w_10,h_9,c_fill,f_jpg/there.png", 200, None),
        ("image/upload/v1/there", 200, None),
        ("raw/upload/v1/there", 404, "Resource not found - there"),
        ("image/fetch/v1/there", 404, "Resource not found - emulated/image/fetch/v1/there"),
    ],
)
def test_what_cannot_be_delivered_is_refused(
    upload: Upload, account: dict[str, str], http: Any, path: str, status: int, error: str | None
) -> None:
    upload(JPEG, public_id="there")
    answer = http.request("GET", f"{account['upload_prefix']}/{account['cloud_name']}/{path}")
    assert (answer.status, answer.headers.get("X-Cld-Error")) == (status, error)


def test_what_a_free_account_does_not_deliver(upload: Upload, http: Any) -> None:
    def status(url: str, transformation: str = "") -> tuple[int, str | None]:
        answer = http.request("GET", url.replace("/upload/", f"/upload/{transformation}"))
        return answer.status, answer.headers.get("X-Cld-Error")

    large = upload(flat_jpeg(6000, 4300), public_id="large")["secure_url"]
    assert status(large) == (200, None), "the original is"
    for transformation in ("f_png/", FILLED):
        message = "Maximum image size is 25 Megapixels. Requested 25.8 Megapixels"
        assert status(large, transformation) == (400, message)
    assert status(upload(flat_jpeg(5000, 5000), public_id="just")["secure_url"], FILLED) == (200, None)
    assert status(upload(b"%PDF-1.7\n", public_id="paper")["secure_url"], FILLED)[0] == 401
    stored = upload(b"AT&TFORM", public_id="stored")["secure_url"]
    assert status(stored) == (200, None) and status(stored, FILLED)[0] == 400
