"""The emulated Drive, seen by the real googleapiclient: as strict as Google's."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.auth.exceptions import RefreshError
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaIoBaseDownload
from PIL import Image

from tests.emulator.client import Emulator
from tests.emulator.oauth import REFUSALS
from tests.emulator.pictures import Noise, demo_folder
from tests.emulator.real_clients import drive_client, service_credentials, user_credentials

# One emulator serves the whole module, so its tests stay in one process.
pytestmark = pytest.mark.xdist_group("emulator_drive")
PICTURE = {"picture": {"format": "jpg", "width": 32, "height": 24}}
ALL_DRIVES = {"supportsAllDrives": True, "includeItemsFromAllDrives": True}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos") / "Photos"
    demo_folder(folder)
    return folder


@pytest.fixture(scope="module")
def emulator(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(photos, tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(scope="module")
def drive(emulator: Emulator) -> Any:
    return drive_client(emulator)


@pytest.fixture(autouse=True)
def fresh_record(emulator: Emulator) -> None:
    emulator.reset()


def reason(error: HttpError) -> tuple[int, str]:
    """Status and reason of an error."""
    return error.status_code, json.loads(error.content)["error"]["errors"][0]["reason"]


def failure(request: Any) -> tuple[int, str]:
    """Status and reason of what executing `request` fails with."""
    with pytest.raises(HttpError) as caught:
        request.execute()
    return reason(caught.value)


def names(drive: Any, query: str, **more: Any) -> list[str]:
    """The names that a query finds, sorted, by as many pages as it takes."""
    found: list[str] = []
    request = drive.files().list(q=query, fields="nextPageToken, files(name)", **more)
    while request is not None:
        answer = request.execute()
        found += [file["name"] for file in answer["files"]]
        request = drive.files().list_next(request, answer)
    return sorted(found)


# Listing


def test_pages_hold_every_file_once(emulator: Emulator, drive: Any) -> None:
    paged = names(drive, "trashed = false", pageSize=7)
    assert len(paged) == 6 + 25 + 1 + 3 and paged == names(drive, "trashed = false", pageSize=1000)
    assert emulator.stats()["counts"]["drive.list"] == 6


def test_fields_default_and_mask(emulator: Emulator, drive: Any) -> None:
    listing = drive.files().list(q=f"'{emulator.folder_id}' in parents").execute()
    assert set(listing) == {"kind", "incompleteSearch", "files"}
    assert set(listing["files"][0]) == {"kind", "id", "name", "mimeType"}
    mask = "files(name,md5Checksum,size,shortcutDetails/targetId,capabilities(canDownload),owners/emailAddress)"
    query = "name = 'birthday.jpg' or name = 'Favourite'"
    by_name = {file["name"]: file for file in drive.files().list(q=query, fields=mask).execute()["files"]}
    assert set(by_name["Favourite"]) == {"name", "shortcutDetails", "capabilities", "owners"}
    assert set(by_name["Favourite"]["shortcutDetails"]) == {"targetId"}
    assert by_name["birthday.jpg"]["capabilities"] == {"canDownload": True}
    assert isinstance(by_name["birthday.jpg"]["size"], str) and len(by_name["birthday.jpg"]["md5Checksum"]) == 32
    everything = drive.files().list(q="name = 'notes.txt'", fields="*").execute()["files"][0]
    assert everything["sha256Checksum"] == hashlib.sha256(b"Not a picture, and so not to be moved.\n").hexdigest()


def test_the_size_of_a_picture_and_its_description_are_told_to_those_who_ask(emulator: Emulator, drive: Any) -> None:
    """Both in a search; the size where Drive can know it."""
    made: Any = {"op": "add", "name": "described.jpg", "description": "A line\nand another", **PICTURE}
    ids = {"described.jpg": emulator.drive_all([made])[0]}
    ids["sheet.pdf"] = emulator.drive("add", name="sheet.pdf", content_base64=base64.b64encode(b"%PDF-1.7").decode())
    query = "name = 'described.jpg' or name = 'sheet.pdf' or name = 'birthday.jpg'"
    asked = "files(name,description,imageMediaMetadata(width,height))"
    files = {file["name"]: file for file in drive.files().list(q=query, fields=asked).execute()["files"]}
    assert files["described.jpg"] == {
        "name": "described.jpg",
        "description": "A line\nand another",
        "imageMediaMetadata": {"width": 32, "height": 24},
    }
    assert files["sheet.pdf"] == {"name": "sheet.pdf"}
    assert set(files["birthday.jpg"]) == {"name", "imageMediaMetadata"}
    for file in drive.files().list(q=query, fields="files(name)").execute()["files"]:
        assert set(file) == {"name"}
    emulator.drive("set", id=ids["described.jpg"], imageMediaMetadata=None)
    alone = drive.files().get(fileId=ids["described.jpg"], fields="id,imageMediaMetadata").execute()
    assert alone == {"id": ids["described.jpg"]}, "Drive need not have looked at it yet"
    for file in ids.values():
        emulator.drive("delete", id=file)


@pytest.mark.parametrize("fields", ["files(nme)", "files(id", "files/id/x", "file", "files(id)),", "capabilities/x"])
def test_an_unknown_field_is_refused(drive: Any, fields: str) -> None:
    assert failure(drive.files().list(fields=fields)) == (400, "invalidParameter")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name = 'a.jpg'", ["a.jpg"]),
        ("name='a.jpg'and trashed=false", ["a.jpg"]),
        ("(name = 'a.jpg' or name = 'a.png') and mimeType != 'image/png'", ["a.jpg"]),
        ("not mimeType contains 'image/' and not mimeType contains 'application/vnd.google-apps'", ["notes.txt"]),
        ("mimeType contains 'age/'", []),
        (r"name = 'it\'s \"quoted\"" + "\nand goes on.jpg'", ['it\'s "quoted"\nand goes on.jpg']),
        ("name contains 'Icebergs' and 'me' in owners", ["Icebergs at Jökulsárlón.jpg"]),
        ("name contains 'bergs'", []),
        ("name = '東京.jpg' and starred = false", ["東京.jpg"]),
        ("mimeType = 'image/gif' and modifiedTime > '2020-01-01T00:00:00'", ["Swing.gif", "still.gif"]),
        ("sharedWithMe", []),
        ("'root' in parents", ["Photos"]),
    ],
)
def test_queries(drive: Any, query: str, found: list[str]) -> None:
    assert names(drive, query) == found


@pytest.mark.parametrize(
    "query",
    [
        "name = 'a",
        "name = a",
        'name = "a"',
        "nme = 'a'",
        "(name = 'a'",
        "name = 'a' name = 'b'",
        "name contains 'it's'",
        "trashed = 'no'",
        "'x' in folders",
        "and",
        "mimeType > 'a'",
        "modifiedTime > 'yesterday'",
    ],
)
def test_a_query_that_does_not_parse_is_refused(drive: Any, query: str) -> None:
    with pytest.raises(HttpError) as caught:
        drive.files().list(q=query).execute()
    error = json.loads(caught.value.content)["error"]
    assert (error["code"], error["message"]) == (400, "Invalid Value")
    detail = {"message": "Invalid Value", "domain": "global", "reason": "invalid", "location": "q"}
    assert error["errors"] == [{**detail, "locationType": "parameter"}]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"pageSize": 0}, (400, "invalidParameter")),
        ({"pageSize": 1001}, (400, "invalidParameter")),
        ({"pageToken": "stale"}, (400, "invalid")),
        ({"corpora": "drive", **ALL_DRIVES}, (400, "invalid")),
        ({"driveId": "0A", **ALL_DRIVES}, (400, "invalid")),
        ({"corpora": "allDrives"}, (400, "invalid")),
        ({"corpora": "drive", "driveId": "0A", **ALL_DRIVES}, (404, "notFound")),
        ({"corpora": "everything"}, (400, "invalid")),
        ({"q": "'1nowhere' in parents"}, (404, "notFound")),
        ({"orderBy": "beauty"}, (400, "invalid")),
    ],
)
def test_bad_parameters_of_a_listing(drive: Any, parameters: dict[str, Any], expected: tuple[int, str]) -> None:
    assert failure(drive.files().list(**parameters)) == expected


def test_a_page_token_belongs_to_its_query(drive: Any) -> None:
    token = drive.files().list(q="trashed = false", pageSize=1).execute()["nextPageToken"]
    assert failure(drive.files().list(q="trashed=false", pageToken=token)) == (400, "invalid")


def test_a_query_too_long_for_a_get_comes_as_a_post(emulator: Emulator, drive: Any) -> None:
    parents = " or ".join(f"'{emulator.folder_id}' in parents" for _ in range(50))
    assert names(drive, f"({parents}) and trashed = false") == ["Family", "Iceland 2024", "Odd names"]


def test_demo_names_that_no_file_system_holds(drive: Any) -> None:
    found = names(drive, "mimeType contains 'image/'")
    assert found.count("birthday.jpg") == 2
    assert {"../../x.png", "=cmd|' /C calc'!A0.png", "🌋 eruption 🔥.jpg", "no extension"} <= set(found)
    assert max(map(len, found)) == 255


# Files


def test_download_and_ranges(emulator: Emulator, drive: Any, photos: Path) -> None:
    node = next(node for node in emulator.nodes() if node["path"] == "Iceland 2024/Ring road.jpg")
    data = (photos / node["path"]).read_bytes()
    buffer = io.BytesIO()
    chunks = MediaIoBaseDownload(buffer, drive.files().get_media(fileId=node["id"]), chunksize=10_000)
    while not chunks.next_chunk()[1]:
        pass
    assert buffer.getvalue() == data and node["md5"] == hashlib.md5(data).hexdigest()
    for header, status, expected in (
        ("bytes=0-9", 206, data[:10]),
        ("bytes=-5", 206, data[-5:]),
        (f"bytes=20-{len(data) * 2}", 206, data[20:]),
        (f"bytes={len(data)}-", 416, None),
        ("", 200, data),
    ):
        request = drive.files().get_media(fileId=node["id"])
        response, content = request.http.request(request.uri, headers={"Range": header})
        assert int(response["status"]) == response.status == status
        assert expected is None or content == expected
        assert int(response["content-length"]) == len(content)


def test_files_that_may_not_be_downloaded(emulator: Emulator, drive: Any) -> None:
    document = emulator.drive("document", name="Plan")
    locked = emulator.drive("add", name="l.jpg", capabilities={"canDownload": False}, **PICTURE)
    abusive = emulator.drive("add", name="m.jpg", abusive=True, **PICTURE)
    files = drive.files()
    assert failure(files.get_media(fileId=document)) == (403, "fileNotDownloadable")
    assert failure(files.get_media(fileId=locked)) == (403, "cannotDownloadFile")
    assert failure(files.get_media(fileId=abusive)) == (403, "cannotDownloadAbusiveFile")
    assert files.get_media(fileId=abusive, acknowledgeAbuse=True).execute()[:2] == b"\xff\xd8"
    assert failure(files.get_media(fileId="1nowhere")) == (404, "notFound")
    fine = emulator.drive("add", name="f.jpg", **PICTURE)
    assert failure(files.get_media(fileId=fine, acknowledgeAbuse=True)) == (403, "invalidAbuseAcknowledgment")
    emulator.drive_all([{"op": "delete", "id": gone} for gone in (document, locked, abusive, fine)])


def test_what_the_account_may_not_see_is_not_found(emulator: Emulator, drive: Any) -> None:
    folder = emulator.drive("folder", name="Keyed")
    key = {"resourceKey": "0-secret", "resource_key_required": True}
    keyed = emulator.drive("add", name="k.jpg", parent=folder, **key, **PICTURE)
    hidden = emulator.drive("add", name="h.jpg", parent=folder, shared=False, **PICTURE)
    for request in (
        drive.files().get(fileId=keyed),
        drive.files().get_media(fileId=keyed),
        drive.files().get(fileId=hidden),
    ):
        assert failure(request) == (404, "notFound")
    request = drive.files().get_media(fileId=keyed)
    request.headers["X-Goog-Drive-Resource-Keys"] = f"1other/1,{keyed}/0-secret"
    assert request.execute()[:2] == b"\xff\xd8"
    listed = drive.files().list(q=f"'{folder}' in parents", fields="files(name,resourceKey)").execute()["files"]
    assert listed == [{"name": "k.jpg", "resourceKey": "0-secret"}]
    emulator.drive("set", id=keyed, resource_key_told=False)
    request = drive.files().get(fileId=keyed, fields="name,resourceKey")
    request.headers["X-Goog-Drive-Resource-Keys"] = f"{keyed}/0-secret"
    assert request.execute() == {"name": "k.jpg"}
    emulator.drive("delete", id=folder)


def test_shared_drives_need_both_flags(emulator: Emulator, drive: Any) -> None:
    shared = emulator.drive("shared_drive", name="Team")
    folder = emulator.drive("folder", name="Team folder", parent=shared)
    file = emulator.drive("add", name="t.jpg", parent=folder, **PICTURE)
    assert drive.drives().list().execute()["drives"][0]["id"] == shared
    assert names(drive, "name = 't.jpg'") == names(drive, "name = 't.jpg'", supportsAllDrives=True) == []
    assert failure(drive.files().list(q=f"'{folder}' in parents")) == (404, "notFound")
    assert names(drive, f"'{folder}' in parents", **ALL_DRIVES) == ["t.jpg"]
    in_it = {"corpora": "drive", "driveId": shared, **ALL_DRIVES}
    assert names(drive, "trashed = false", **in_it) == ["Team folder", "t.jpg"]
    assert failure(drive.files().get(fileId=file)) == (404, "notFound")
    seen = drive.files().get(fileId=file, fields="driveId,owners", supportsAllDrives=True).execute()
    assert seen == {"driveId": shared}
    emulator.drive("delete", id=folder)


def test_shared_drives_are_listed_in_pages(emulator: Emulator, drive: Any) -> None:
    before = {each["id"] for each in drive.drives().list(pageSize=100).execute()["drives"]}
    made = emulator.drive_all([{"op": "shared_drive", "name": f"Team {number}"} for number in range(11)])
    first = drive.drives().list().execute()
    assert len(first["drives"]) == 10 and set(first["drives"][0]) == {"kind", "id", "name"}
    rest = drive.drives().list_next(drive.drives().list(), first).execute()
    assert {each["id"] for each in first["drives"] + rest["drives"]} == before | set(made)
    assert "nextPageToken" not in rest
    assert failure(drive.drives().list(pageSize=101)) == (400, "invalidParameter")
    assert failure(drive.drives().list(pageToken="stale")) == (400, "invalid")  # noqa: S106
    emulator.drive_all([{"op": "delete", "id": each} for each in made])


def test_what_others_own_is_found_where_they_shared_it(emulator: Emulator, drive: Any) -> None:
    theirs = emulator.drive("folder", name="theirs", parent="root", shared=False, ownedByMe=False)
    given = {"ownedByMe": False, "sharedWithMeTime": "2024-05-06T07:08:09.000Z"}
    shared = emulator.drive("folder", name="given", parent=theirs, **given)
    below = emulator.drive("folder", name="given below", parent=shared, ownedByMe=False)
    guest = emulator.drive("folder", name="given by a guest", ownedByMe=False)
    assert names(drive, "name contains 'given' and sharedWithMe") == ["given"]
    assert names(drive, "name contains 'given' and 'me' in owners") == []
    assert names(drive, "name contains 'given' and not 'owner@example.com' in owners") == ["given", "given by a guest"]
    assert names(drive, f"'{shared}' in parents") == ["given below"]
    seen = drive.files().get(fileId=shared, fields="parents,ownedByMe,owners(me)").execute()
    assert seen == {"ownedByMe": False, "owners": [{"me": False}]}
    emulator.drive_all([{"op": "delete", "id": each} for each in (below, shared, theirs, guest)])


def test_changes_of_the_drive(emulator: Emulator, drive: Any) -> None:
    def state(file: str, fields: str = "name,md5Checksum,version,trashed,parents") -> dict[str, Any]:
        answer: dict[str, Any] = drive.files().get(fileId=file, fields=fields).execute()
        return answer

    def position() -> int:
        return int(drive.changes().getStartPageToken().execute()["startPageToken"])

    start = position()
    folder = emulator.drive("folder", name="Changing")
    file = emulator.drive("add", name="one.jpg", parent=folder, content_base64=base64.b64encode(b"old").decode())
    before = state(file)
    emulator.drive("replace", id=file, content_base64=base64.b64encode(b"new").decode())
    emulator.drive("rename", id=file, name="two.jpg")
    after = state(file)
    assert before["md5Checksum"] == hashlib.md5(b"old").hexdigest() != after["md5Checksum"]
    assert after["name"] == "two.jpg" and int(after["version"]) > int(before["version"])
    emulator.drive("trash", id=folder)
    assert state(file)["trashed"] and names(drive, f"'{folder}' in parents and trashed = false") == []
    emulator.drive("move", id=file, parent=emulator.folder_id)
    assert state(file)["parents"] == [emulator.folder_id] and not state(file)["trashed"]
    emulator.drive(
        "set", id=file, md5Checksum="0" * 32, modifiedTime="2001-02-03T04:05:06.000Z", parents=[folder, "root"]
    )
    assert state(file)["md5Checksum"] == "0" * 32 and len(state(file)["parents"]) == 2
    emulator.drive("set", id=file, md5Checksum=None)
    assert "md5Checksum" not in state(file)
    emulator.drive("delete", id=folder)
    assert failure(drive.files().get(fileId=file)) == (404, "notFound")
    assert position() > start


def test_about_wants_fields(drive: Any) -> None:
    assert drive.about().get(fields="user(emailAddress)").execute() == {"user": {"emailAddress": "owner@example.com"}}
    assert failure(drive.about().get()) == (400, "required")


# Tokens


def test_an_expired_token_is_refreshed_by_the_client(emulator: Emulator, drive: Any) -> None:
    drive.files().list().execute()
    emulator.oauth(expire=True)
    drive.files().list().execute()
    stats = emulator.stats()
    assert stats["refreshes"] == 1 and stats["statuses"]["drive.list 401"] == 1


def test_a_revoked_consent_is_an_invalid_grant(emulator: Emulator, drive: Any) -> None:
    emulator.oauth(revoke=True)
    with pytest.raises(RefreshError, match=r"invalid_grant.*expired or revoked"):
        drive.files().list().execute()
    emulator.oauth(revoke=False)
    drive.files().list().execute()


def test_a_wrong_client_is_refused(emulator: Emulator) -> None:
    credentials = user_credentials(emulator.token)
    credentials._client_secret = "wrong"
    with pytest.raises(RefreshError, match="invalid_client"):
        drive_client(emulator, credentials).files().list().execute()


def test_service_account(emulator: Emulator, drive: Any) -> None:
    credentials = service_credentials(emulator.service_account)
    assert drive_client(emulator, credentials).files().list().execute()["files"]
    mail = service_credentials(emulator.service_account, "https://www.googleapis.com/auth/gmail.readonly")
    assert failure(drive_client(emulator, mail).files().list()) == (403, "insufficientPermissions")
    forged = service_credentials(emulator.service_account)
    forged._service_account_email = "somebody@else.example"
    with pytest.raises(RefreshError, match="invalid_grant"):
        drive_client(emulator, forged).files().list().execute()


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer ya29.unknown"}, {"Authorization": "Basic eDp5"}])
def test_without_a_good_token_nothing_is_answered(emulator: Emulator, header: dict[str, str]) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(emulator.drive_endpoint + "/drive/v3/files", headers=header))
    error = json.load(caught.value)["error"]
    assert (error["code"], error["status"], error["errors"][0]["reason"]) == (401, "UNAUTHENTICATED", "authError")


def test_credential_files_are_private(emulator: Emulator) -> None:
    for path in (emulator.token, emulator.service_account, emulator.credentials):
        assert Path(path).stat().st_mode & 0o777 == 0o600
    assert "token" not in json.loads(Path(emulator.token).read_text())


# The program


def test_rate_limit_and_generated_pictures(tmp_path: Path) -> None:
    with Emulator(tmp_path / "photos", tmp_path / "store", generate=450, generate_bytes=2000, drive_qps=6) as emulator:
        drive = drive_client(emulator)
        listing = drive.files().list(q="mimeType = 'image/jpeg'", pageSize=1000, fields="files(id,md5Checksum,size)")
        files = listing.execute()["files"]
        assert len(files) == 450 == len({file["md5Checksum"] for file in files})
        data = drive.files().get_media(fileId=files[7]["id"]).execute()
        assert (len(data), hashlib.md5(data).hexdigest()) == (2000, files[7]["md5Checksum"])
        with pytest.raises(HttpError) as caught:
            for _ in range(10):
                drive.files().list().execute()
        assert reason(caught.value) == (403, "rateLimitExceeded")


def test_a_minute_has_so_many_units_and_each_kind_of_call_costs_its_own(tmp_path: Path) -> None:
    with Emulator(tmp_path / "photos", tmp_path / "store", generate=1, drive_units_per_minute=710) as emulator:
        drive = drive_client(emulator)
        image = drive.files().list(q="mimeType = 'image/jpeg'").execute()["files"][0]["id"]
        for _ in range(3):
            drive.files().get_media(fileId=image).execute()
        drive.files().get(fileId=image).execute()
        for call in (drive.files().list(), drive.files().get_media(fileId=image)):
            with pytest.raises(HttpError, match="Quota exceeded for quota metric 'Queries'") as caught:
                call.execute()
            assert reason(caught.value) == (403, "rateLimitExceeded")
        drive.files().get(fileId=image).execute()
        with pytest.raises(HttpError):
            drive.files().get(fileId=image).execute()
        emulator.settings(drive_units_per_minute=0)
        drive.files().get_media(fileId=image).execute()


@pytest.mark.parametrize(
    ("setting", "limit", "unit"),
    [({"drive_units_per_minute": 1}, "minute", "1/min/"), ({"drive_calls_a_day": 0}, "day", "1/d/")],
)
def test_a_spent_quota_is_told_as_it_was_recorded(
    emulator: Emulator, drive: Any, setting: dict[str, int], limit: str, unit: str
) -> None:
    emulator.settings(**setting)
    try:
        with pytest.raises(HttpError) as caught:
            drive.files().list().execute()
    finally:
        emulator.settings(drive_units_per_minute=325_000, drive_calls_a_day=None)
    error = json.loads(caught.value.content)["error"]
    assert reason(caught.value) == (403, "rateLimitExceeded") and f"limit 'Queries per {limit}" in error["message"]
    assert (error["status"], error["details"][0]["reason"]) == ("PERMISSION_DENIED", "RATE_LIMIT_EXCEEDED")
    assert error["details"][0]["metadata"]["quota_unit"].startswith(unit)
    assert "retry-after" not in caught.value.resp


def test_json_is_compressed_and_states_no_length_for_a_client_that_takes_that(emulator: Emulator, drive: Any) -> None:
    heads: list[dict[str, str]] = []
    request = drive.files().list()
    request.add_response_callback(heads.append)
    assert request.execute()["files"]
    assert (heads[0]["transfer-encoding"], heads[0]["-content-encoding"]) == ("chunked", "gzip")


@pytest.mark.parametrize("kind", REFUSALS)
def test_the_token_endpoint_refuses_on_demand(emulator: Emulator, kind: str) -> None:
    emulator.oauth(refuse=kind)
    try:
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(
                json.loads(Path(emulator.token).read_text())["token_uri"], data=b"grant_type=refresh_token"
            )
    finally:
        emulator.oauth(refuse="")
    assert (caught.value.code, json.load(caught.value)) == REFUSALS[kind]


@pytest.mark.parametrize("size", [300, 301, 302, 303, 304, 65_900, 131_500, 1_000_000])
def test_noise_is_a_jpeg_of_exact_size(size: int) -> None:
    noise = Noise(size)
    for seed in (0, 12345):
        data = noise.picture(seed)
        assert len(data) == size and noise.digest(seed, "md5") == hashlib.md5(data).hexdigest()
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    assert noise.digest(0, "md5") != noise.digest(1, "md5")


def test_demo_folder_is_made_once(photos: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in photos.rglob("*")}
    assert demo_folder(photos) == 0 and len(before) == 32
    assert before == {path: path.stat().st_mtime_ns for path in photos.rglob("*")}
