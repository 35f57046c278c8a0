"""The emulated Drive, seen by the real googleapiclient: as strict as Google's."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import urllib.error
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
RATE_LIMIT = (403, "rateLimitExceeded")
NOT_FOUND = (404, "notFound")


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
def as_it_was(emulator: Emulator) -> Iterator[None]:
    """Each test begins with a fresh record, and leaves Drive and the token endpoint as they were."""
    emulator.reset()
    before = {node["id"] for node in emulator.nodes()}
    yield
    emulator.settings(drive_units_per_minute=325_000, drive_calls_a_day=None)
    emulator.oauth(refuse="", revoke=False)
    for node in emulator.nodes():
        if node["id"] not in before and node["id"] in {each["id"] for each in emulator.nodes()}:
            emulator.drive("delete", id=node["id"])


def failure(request: Any) -> tuple[int, str]:
    """Status and reason of what executing `request` fails with."""
    with pytest.raises(HttpError) as caught:
        request.execute()
    return caught.value.status_code, json.loads(caught.value.content)["error"]["errors"][0]["reason"]


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
    token = drive.files().list(q="trashed = false", pageSize=1).execute()["nextPageToken"]
    assert failure(drive.files().list(q="trashed=false", pageToken=token)) == (400, "invalid"), "of another query"


def test_only_the_fields_that_are_asked_for_are_told(emulator: Emulator, drive: Any) -> None:
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
    twice = drive.files().list(q="name = 'notes.txt'", fields="files(id),files/size").execute()["files"][0]
    assert twice.keys() == {"id", "size"}
    assert drive.files().list(fields="*").execute()["files"][0]["spaces"] == ["drive"]


def test_the_size_of_a_picture_is_told_where_drive_can_know_it(emulator: Emulator, drive: Any) -> None:
    described = emulator.drive("add", name="described.jpg", description="A line\nand another", **PICTURE)
    emulator.drive("add", name="sheet.pdf", content_base64=base64.b64encode(b"%PDF-1.7").decode())
    asked = "files(name,description,imageMediaMetadata(width,height))"
    query = "name = 'described.jpg' or name = 'sheet.pdf'"
    assert drive.files().list(q=query, fields=asked).execute()["files"] == [
        {
            "name": "described.jpg",
            "description": "A line\nand another",
            "imageMediaMetadata": {"width": 32, "height": 24},
        },
        {"name": "sheet.pdf"},
    ]
    emulator.drive("set", id=described, imageMediaMetadata=None)
    alone = drive.files().get(fileId=described, fields="id,imageMediaMetadata").execute()
    assert alone == {"id": described}, "Drive need not have looked at it yet"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name = 'a.jpg'", ["a.jpg"]),
        ("name='a.jpg'and trashed=false", ["a.jpg"]),
        ("(name = 'a.jpg' or name = 'a.png') and mimeType != 'image/png'", ["a.jpg"]),
        ("not mimeType contains 'image/' and not mimeType contains 'application/vnd.google-apps'", ["notes.txt"]),
        ("mimeType contains 'age/'", []),
        (r"name = 'it\'s \"quoted\"" + "\nand goes on.jpg'", ['it\'s "quoted"\nand goes on.jpg']),
        ("name = '東京.jpg' and 'me' in owners", ["東京.jpg"]),
        ("sharedWithMe", []),
        ("'root' in parents", ["Photos"]),
        ("mimeType contains 'image/' and 'root' in parents or name = 'a.png'", ["a.png"]),
        ("name = '=cmd|\\' /C calc\\'!A0.png' or name = '../../x.png'", ["../../x.png", "=cmd|' /C calc'!A0.png"]),
    ],
)
def test_a_query_finds_what_it_says(drive: Any, query: str, found: list[str]) -> None:
    assert names(drive, query) == found


MALFORMED = """
    name = 'a|name = a|name = "a"|nme = 'a'|(name = 'a'|name = 'a' name = 'b'|name = 'it's'|trashed = 'no'
    |'x' in folders|and|mimeType > 'a'|modifiedTime > 'yesterday'
"""


@pytest.mark.parametrize("query", [query.strip() for query in MALFORMED.split("|")])
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
        *(
            ({"fields": mask}, (400, "invalidParameter"))
            for mask in ("files(nme)", "files(id", "files/id/x", "file", "files(id)),", "capabilities/x")
        ),
        ({"pageSize": 0}, (400, "invalidParameter")),
        ({"pageSize": 1001}, (400, "invalidParameter")),
        ({"pageToken": "stale"}, (400, "invalid")),
        ({"corpora": "drive", **ALL_DRIVES}, (400, "invalid")),
        ({"driveId": "0A", **ALL_DRIVES}, (400, "invalid")),
        ({"corpora": "allDrives"}, (400, "invalid")),
        ({"corpora": "drive", "driveId": "0A", **ALL_DRIVES}, NOT_FOUND),
        ({"corpora": "everything"}, (400, "invalid")),
        ({"q": "'1nowhere' in parents"}, NOT_FOUND),
        ({"orderBy": "beauty"}, (400, "invalid")),
    ],
)
def test_a_wrong_parameter_is_refused(drive: Any, parameters: dict[str, Any], expected: tuple[int, str]) -> None:
    assert failure(drive.files().list(**parameters)) == expected


def test_a_query_too_long_for_a_get_comes_as_a_post(emulator: Emulator, drive: Any) -> None:
    parents = " or ".join(f"'{emulator.folder_id}' in parents" for _ in range(50))
    assert names(drive, f"({parents}) and trashed = false") == ["Family", "Iceland 2024", "Odd names"]


# Files


def test_a_file_is_downloaded_whole_and_in_ranges(emulator: Emulator, drive: Any, photos: Path) -> None:
    node = next(node for node in emulator.nodes() if node["path"] == "Iceland 2024/Ring road.jpg")
    data = (photos / node["path"]).read_bytes()
    buffer = io.BytesIO()
    chunks = MediaIoBaseDownload(buffer, drive.files().get_media(fileId=node["id"]), chunksize=100_000)
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


@pytest.mark.parametrize(
    ("op", "what", "more", "reason"),
    [
        ("document", {}, {}, "fileNotDownloadable"),
        ("add", {"capabilities": {"canDownload": False}, **PICTURE}, {}, "cannotDownloadFile"),
        ("add", {"abusive": True, **PICTURE}, {}, "cannotDownloadAbusiveFile"),
        ("add", {"abusive": True, **PICTURE}, {"acknowledgeAbuse": True}, None),
        ("add", PICTURE, {"acknowledgeAbuse": True}, "invalidAbuseAcknowledgment"),
        ("add", PICTURE, {}, None),
    ],
)
def test_what_may_not_be_downloaded_is_refused(
    emulator: Emulator, drive: Any, op: str, what: dict[str, Any], more: dict[str, Any], reason: str | None
) -> None:
    request = drive.files().get_media(fileId=emulator.drive(op, name="x.jpg", **what), **more)
    if reason:
        assert failure(request) == (403, reason)
    else:
        assert request.execute()[:2] == b"\xff\xd8"


def test_what_the_account_may_not_see_is_not_found(emulator: Emulator, drive: Any) -> None:
    folder = emulator.drive("folder", name="Keyed")
    key = {"resourceKey": "0-secret", "resource_key_required": True}
    keyed = emulator.drive("add", name="k.jpg", parent=folder, **key, **PICTURE)
    hidden = emulator.drive("add", name="h.jpg", parent=folder, shared=False, **PICTURE)
    files = drive.files()
    for request in (files.get(fileId=keyed), files.get_media(fileId=keyed), files.get(fileId=hidden)):
        assert failure(request) == NOT_FOUND
    request = files.get_media(fileId=keyed)
    request.headers["X-Goog-Drive-Resource-Keys"] = f"1other/1,{keyed}/0-secret"
    assert request.execute()[:2] == b"\xff\xd8"
    listed = files.list(q=f"'{folder}' in parents", fields="files(name,resourceKey)").execute()["files"]
    assert listed == [{"name": "k.jpg", "resourceKey": "0-secret"}]
    emulator.drive("set", id=keyed, resource_key_told=False)
    request = files.get(fileId=keyed, fields="name,resourceKey")
    request.headers["X-Goog-Drive-Resource-Keys"] = f"{keyed}/0-secret"
    assert request.execute() == {"name": "k.jpg"}


def test_a_shared_drive_is_seen_with_both_flags_only(emulator: Emulator, drive: Any) -> None:
    shared = emulator.drive("shared_drive", name="Team")
    folder = emulator.drive("folder", name="Team folder", parent=shared)
    file = emulator.drive("add", name="t.jpg", parent=folder, **PICTURE)
    assert names(drive, "name = 't.jpg'") == names(drive, "name = 't.jpg'", supportsAllDrives=True) == []
    assert failure(drive.files().list(q=f"'{folder}' in parents")) == NOT_FOUND
    assert names(drive, f"'{folder}' in parents", **ALL_DRIVES) == ["t.jpg"]
    in_it = {"corpora": "drive", "driveId": shared, **ALL_DRIVES}
    assert names(drive, "trashed = false", **in_it) == ["Team folder", "t.jpg"]
    assert failure(drive.files().get(fileId=file)) == NOT_FOUND
    seen = drive.files().get(fileId=file, fields="driveId,owners", supportsAllDrives=True).execute()
    assert seen == {"driveId": shared}


def test_shared_drives_are_listed_in_pages(emulator: Emulator, drive: Any) -> None:
    made = emulator.drive_all([{"op": "shared_drive", "name": f"Team {number}"} for number in range(11)])
    first = drive.drives().list().execute()
    assert len(first["drives"]) == 10 and set(first["drives"][0]) == {"kind", "id", "name"}
    rest = drive.drives().list_next(drive.drives().list(), first).execute()
    assert [each["id"] for each in first["drives"] + rest["drives"]] == made and "nextPageToken" not in rest
    assert failure(drive.drives().list(pageSize=101)) == (400, "invalidParameter")
    assert failure(drive.drives().list(pageToken="stale")) == (400, "invalid")  # noqa: S106


def test_what_others_own_is_found_where_they_shared_it(emulator: Emulator, drive: Any) -> None:
    theirs = emulator.drive("folder", name="theirs", parent="root", shared=False, ownedByMe=False)
    given = {"ownedByMe": False, "sharedWithMeTime": "2024-05-06T07:08:09.000Z"}
    shared = emulator.drive("folder", name="given", parent=theirs, **given)
    emulator.drive("folder", name="given below", parent=shared, ownedByMe=False)
    emulator.drive("folder", name="given by a guest", ownedByMe=False)
    any_of_these = "(name = 'given' or name = 'given below' or name = 'given by a guest')"
    assert names(drive, f"{any_of_these} and sharedWithMe") == ["given"]
    assert names(drive, f"{any_of_these} and 'me' in owners") == []
    assert names(drive, f"{any_of_these} and not 'owner@example.com' in owners") == ["given", "given by a guest"]
    assert names(drive, f"'{shared}' in parents") == ["given below"]
    seen = drive.files().get(fileId=shared, fields="parents,ownedByMe,owners(me)").execute()
    assert seen == {"ownedByMe": False, "owners": [{"me": False}]}


def test_drive_changes_as_it_is_told(emulator: Emulator, drive: Any) -> None:
    def state(file: str) -> dict[str, Any]:
        answer = drive.files().get(fileId=file, fields="name,md5Checksum,version,trashed,parents").execute()
        return dict(answer)

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
    emulator.drive("set", id=file, md5Checksum="0" * 32, parents=[folder, "root"])
    assert state(file)["md5Checksum"] == "0" * 32 and len(state(file)["parents"]) == 2
    emulator.drive("set", id=file, md5Checksum=None)
    assert "md5Checksum" not in state(file)
    emulator.drive("delete", id=folder)
    assert failure(drive.files().get(fileId=file)) == NOT_FOUND
    assert position() > start


def test_about_wants_fields(drive: Any) -> None:
    assert drive.about().get(fields="user(emailAddress)").execute() == {"user": {"emailAddress": "owner@example.com"}}
    assert failure(drive.about().get()) == (400, "required")


def test_json_is_compressed_for_a_client_that_takes_that(drive: Any) -> None:
    heads: list[dict[str, str]] = []
    request = drive.files().list()
    request.add_response_callback(heads.append)
    assert request.execute()["files"]
    assert (heads[0]["transfer-encoding"], heads[0]["-content-encoding"]) == ("chunked", "gzip")


# Tokens


def test_an_expired_token_is_refreshed_and_a_revoked_one_is_not(emulator: Emulator, drive: Any) -> None:
    drive.files().list().execute()
    emulator.oauth(expire=True)
    drive.files().list().execute()
    stats = emulator.stats()
    assert stats["refreshes"] == 1 and stats["statuses"]["drive.list 401"] == 1
    emulator.oauth(revoke=True)
    with pytest.raises(RefreshError, match=r"invalid_grant.*expired or revoked"):
        drive.files().list().execute()


def test_who_is_not_known_gets_no_token(emulator: Emulator) -> None:
    wrong = user_credentials(emulator.token)
    wrong._client_secret = "wrong"
    with pytest.raises(RefreshError, match="invalid_client"):
        drive_client(emulator, wrong).files().list().execute()
    forged = service_credentials(emulator.service_account)
    assert drive_client(emulator, forged).files().list().execute()["files"]
    forged = service_credentials(emulator.service_account)
    forged._service_account_email = "somebody@else.example"
    with pytest.raises(RefreshError, match="invalid_grant"):
        drive_client(emulator, forged).files().list().execute()
    mail = service_credentials(emulator.service_account, "https://www.googleapis.com/auth/gmail.readonly")
    assert failure(drive_client(emulator, mail).files().list()) == (403, "insufficientPermissions")


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer ya29.unknown"}, {"Authorization": "Basic eDp5"}])
def test_without_a_good_token_nothing_is_answered(emulator: Emulator, header: dict[str, str]) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(emulator.drive_endpoint + "/drive/v3/files", headers=header))
    error = json.load(caught.value)["error"]
    assert (error["code"], error["status"], error["errors"][0]["reason"]) == (401, "UNAUTHENTICATED", "authError")


@pytest.mark.parametrize("kind", REFUSALS)
def test_the_token_endpoint_refuses_on_demand(emulator: Emulator, kind: str) -> None:
    emulator.oauth(refuse=kind)
    token_uri = json.loads(Path(emulator.token).read_text())["token_uri"]
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(token_uri, data=b"grant_type=refresh_token")
    assert (caught.value.code, json.load(caught.value)) == REFUSALS[kind]


def test_credential_files_are_private(emulator: Emulator) -> None:
    for path in (emulator.token, emulator.service_account, emulator.credentials):
        assert Path(path).stat().st_mode & 0o777 == 0o600
    assert "token" not in json.loads(Path(emulator.token).read_text())


# Quotas


def test_more_calls_a_second_than_allowed_are_refused(tmp_path: Path) -> None:
    with Emulator(tmp_path / "photos", tmp_path / "store", generate=450, generate_bytes=2000, drive_qps=6) as emulator:
        drive = drive_client(emulator)
        listing = drive.files().list(q="mimeType = 'image/jpeg'", pageSize=1000, fields="files(id,md5Checksum,size)")
        files = listing.execute()["files"]
        assert len(files) == 450 == len({file["md5Checksum"] for file in files})
        data = drive.files().get_media(fileId=files[7]["id"]).execute()
        assert (len(data), hashlib.md5(data).hexdigest()) == (2000, files[7]["md5Checksum"])
        for _ in range(4):
            drive.files().list().execute()
        assert failure(drive.files().list()) == RATE_LIMIT


def test_a_minute_has_so_many_units_and_each_kind_of_call_costs_its_own(tmp_path: Path) -> None:
    with Emulator(tmp_path / "photos", tmp_path / "store", generate=1, drive_units_per_minute=710) as emulator:
        drive = drive_client(emulator)
        image = drive.files().list(q="mimeType = 'image/jpeg'").execute()["files"][0]["id"]
        get, download = drive.files().get(fileId=image), drive.files().get_media(fileId=image)
        for call in (download, download, download, get):
            call.execute()
        assert failure(drive.files().list()) == failure(download) == RATE_LIMIT
        get.execute()
        assert failure(get) == RATE_LIMIT
        emulator.settings(drive_units_per_minute=0)
        download.execute()


@pytest.mark.parametrize(
    ("setting", "limit", "unit"),
    [({"drive_units_per_minute": 1}, "minute", "1/min/"), ({"drive_calls_a_day": 0}, "day", "1/d/")],
)
def test_a_spent_quota_is_told_as_it_was_recorded(
    emulator: Emulator, drive: Any, setting: dict[str, int], limit: str, unit: str
) -> None:
    emulator.settings(**setting)
    with pytest.raises(HttpError, match=f"limit 'Queries per {limit}") as caught:
        drive.files().list().execute()
    error = json.loads(caught.value.content)["error"]
    assert (error["errors"][0]["reason"], error["errors"][0]["domain"]) == ("rateLimitExceeded", "usageLimits")
    assert (error["status"], error["details"][0]["reason"]) == ("PERMISSION_DENIED", "RATE_LIMIT_EXCEEDED")
    assert error["details"][0]["metadata"]["quota_unit"].startswith(unit)
    assert "retry-after" not in caught.value.resp


# Pictures


@pytest.mark.parametrize("size", [300, 65_900, 131_500, 1_000_000])
def test_noise_is_a_jpeg_of_exact_size(size: int) -> None:
    noise = Noise(size)
    for seed in (0, 12345):
        data = noise.picture(seed)
        assert len(data) == size and noise.md5(seed) == hashlib.md5(data).hexdigest()
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    assert noise.md5(0) != noise.md5(1)
