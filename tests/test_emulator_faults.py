"""Faults on demand, the record, and the program's manners."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

import psutil
import pytest
import urllib3
from cloudinary import uploader
from cloudinary.exceptions import Error, RateLimited
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request

from tests.emulator.client import ROOT, Emulator
from tests.emulator.faults import Faults, flip
from tests.emulator.images import look
from tests.emulator.oauth import SCOPE
from tests.emulator.pictures import noise_jpeg
from tests.emulator.real_clients import cloudinary_options, drive_client, user_credentials
from tests.harness import wait_for

# One emulator serves the whole module, so its tests stay in one process.
pytestmark = pytest.mark.xdist_group("emulator_faults")
DATA = noise_jpeg(400_000, 1)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    photos = tmp_path_factory.mktemp("photos")
    (photos / "first.jpg").write_bytes(DATA)
    (photos / "second.jpg").write_bytes(noise_jpeg(900, 2))
    with Emulator(photos, tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture
def account(emulator: Emulator) -> dict[str, str]:
    return cloudinary_options(emulator.cloudinary_url)


class Caller:
    """Plain HTTP without retries, so that a test sees what is on the wire."""

    def __init__(self, emulator: Emulator) -> None:
        self.ids = {node["name"]: node["id"] for node in emulator.nodes()}
        self._pool = urllib3.PoolManager(retries=False, timeout=5)
        self._root = emulator.drive_endpoint + "/drive/v3/files"
        credentials = user_credentials(emulator.token)
        credentials.refresh(Request())
        self.headers = {"Authorization": f"Bearer {credentials.token}"}

    def get(self, path: str = "", **options: Any) -> urllib3.BaseHTTPResponse:
        """GET under files/, of a path or of a file's name."""
        path = "/" + self.ids[path] + "?alt=media" if path in self.ids else path
        return self._pool.request("GET", self._root + path, headers=self.headers, **options)


@pytest.fixture
def caller(emulator: Emulator) -> Caller:
    made = Caller(emulator)
    emulator.reset()
    return made


def strike(emulator: Emulator, on: str, do: dict[str, Any], **more: Any) -> None:
    """Puts one rule in force."""
    emulator.faults([{"on": on, "do": do, **more}])


# Rules


def test_rules_skip_run_out_and_match() -> None:
    faults = Faults()
    faults.replace([{"on": "drive", "do": {"empty": True}, "match": "cat", "skip": 1, "times": 2}])
    assert not faults.pick("drive.get", ["dog"]) and not faults.pick("drive.get", ["a cat"])
    assert [bool(faults.pick("drive.get", ["a cat"])) for _ in range(3)] == [True, True, False]
    struck = []
    for _ in range(2):
        faults.replace([{"on": "*", "do": {"empty": True}, "times": None, "probability": 0.5}], seed=7)
        struck.append([bool(faults.pick("x", [])) for _ in range(200)])
    assert struck[0] == struck[1] and 70 < sum(struck[0]) < 130
    faults.replace([{"on": "drive.get", "do": {"empty": True}}])
    assert not faults.pick("drive.get2", []) and not faults.pick("drive", [])


@pytest.mark.parametrize(
    "rule", [{"on": "drive"}, {"on": "drive", "do": {"explode": 1}}, {"do": {"lose": True}}, {"x": 1}]
)
def test_a_malformed_rule_is_refused(emulator: Emulator, rule: dict[str, Any]) -> None:
    with pytest.raises(HTTPError, match="400"):
        emulator.faults([rule])


# Kinds


@pytest.mark.parametrize(
    ("status", "reason"),
    [(403, "downloadQuotaExceeded"), (403, "userRateLimitExceeded"), (429, "rateLimitExceeded"), (500, "backendError")],
)
def test_an_error_comes_in_the_envelope_of_drive(emulator: Emulator, caller: Caller, status: int, reason: str) -> None:
    error = {"status": status, "reason": reason, "message": "No.", "headers": {"Retry-After": "1"}}
    strike(emulator, "drive.media", {"error": error}, match="first")
    assert caller.get("second.jpg").status == 200
    answer = caller.get("first.jpg")
    assert (answer.status, answer.headers["Retry-After"]) == (status, "1")
    assert answer.json()["error"]["errors"][0]["reason"] == reason
    assert caller.get("first.jpg").data == DATA


@pytest.mark.parametrize("do", [{"refuse": True}, {"lose": True}, {"cut": 0.0}, {"cut": 0.5}])
def test_a_connection_breaks(emulator: Emulator, caller: Caller, do: dict[str, Any]) -> None:
    strike(emulator, "drive.media", do)
    with pytest.raises(urllib3.exceptions.ProtocolError) as caught:
        caller.get("first.jpg")
    if "cut" in do:
        assert f"{int(len(DATA) * do['cut'])} bytes read, {len(DATA) - int(len(DATA) * do['cut'])} more" in str(
            caught.value
        )
    assert caller.get("first.jpg").data == DATA
    assert [entry["fault"] for entry in emulator.log()] == [next(iter(do)), ""]


def test_a_call_hangs_or_is_late(emulator: Emulator, caller: Caller) -> None:
    strike(emulator, "drive.media", {"hang": True})
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        caller.get("second.jpg", timeout=0.2)
    strike(emulator, "drive", {"delay": 0.3})
    start = time.perf_counter()
    assert caller.get("second.jpg").status == 200 and time.perf_counter() - start > 0.3
    assert [entry["status"] for entry in emulator.log()] == [0, 200]


def test_calls_are_held_until_so_many_wait_for_their_answer(emulator: Emulator, caller: Caller) -> None:
    """One whose client has given up waits no more: else its retry would meet itself."""
    strike(emulator, "drive.media", {"hold": 2}, times=None)
    address = urlsplit(emulator.drive_endpoint)
    connection = http.client.HTTPConnection(address.hostname or "", address.port or 0)
    connection.request("GET", f"/drive/v3/files/{caller.ids['second.jpg']}?alt=media", headers=caller.headers)
    wait_for(lambda: emulator.stats()["held"] == {"drive.media": 1})
    connection.close()
    wait_for(lambda: emulator.stats()["held"] == {})
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(caller.get, "second.jpg")
        wait_for(lambda: emulator.stats()["held"] == {"drive.media": 1})
        assert [pool.submit(caller.get, "second.jpg").result().status, first.result().status] == [200, 200]
    assert emulator.stats()["held"] == {}


@pytest.mark.parametrize(
    ("do", "status", "body"),
    [
        ({"empty": True}, 200, ""),
        ({"html": 502}, 502, "<!DOCTYPE html>"),
        ({"html": 200}, 200, "<!DOCTYPE html>"),
        ({"body": "{not json", "status": 200}, 200, "{not json"),
        ({"raw": "HTTP/1.1 299 Odd\r\n\r\nraw"}, 299, "raw"),
        ({"redirect": "loop"}, 302, ""),
    ],
)
def test_an_answer_is_replaced(emulator: Emulator, caller: Caller, do: dict[str, Any], status: int, body: str) -> None:
    strike(emulator, "drive.list", do)
    answer = caller.get(redirect=False)
    assert answer.status == status and answer.data.decode()[: len(body) or None].startswith(body)
    assert "redirect" not in do or answer.headers["Location"] == "/drive/v3/files"


def test_an_error_page_repeats_the_request(emulator: Emulator, caller: Caller, account: dict[str, str]) -> None:
    strike(emulator, "drive.list", {"echo": 502})
    answer = caller.get()
    assert answer.status == 502
    assert "GET /drive/v3/files" in answer.data.decode() and "Bearer ya29." in answer.data.decode()
    strike(emulator, "cloudinary.upload", {"echo": 400})
    url = f"{account['upload_prefix']}/v1_1/{account['cloud_name']}/image/upload"
    page = urllib3.request("POST", url, fields={"signature": "abc", "file": ("x.jpg", b"x")}).data.decode()
    assert "signature=abc" in page


def test_corrupt_keeps_length_and_header(emulator: Emulator, caller: Caller) -> None:
    strike(emulator, "drive.media", {"corrupt": True})
    got = caller.get("first.jpg").data
    assert len(got) == len(DATA) and got != DATA and look(got) == look(DATA)
    assert flip(b"") == b"" and flip(b"x") != b"x"


def test_a_listing_leaves_out_what_it_should(emulator: Emulator, caller: Caller) -> None:
    one, several = f"'{emulator.folder_id}' in parents", f"('{emulator.folder_id}' in parents or 'root' in parents)"
    found = {}
    for name, do in (
        ("nothing", {}),
        ("half", {"incomplete": True}),
        ("all", {"empty_batches": True}),
        ("one folder", {"leave_out": [emulator.folder_id]}),
        ("the rest of a page", {"page": 1}),
        ("what comes next", {"endless_pages": True}),
    ):
        emulator.faults([{"on": "drive.list", "times": None, "do": do}] if do else [])
        answers = [caller.get("?q=" + query).json() for query in (one, several)]
        found[name] = [(len(each["files"]), each["incompleteSearch"], "nextPageToken" in each) for each in answers]
    assert found == {
        "nothing": [(2, False, False), (3, False, False)],
        "half": [(1, True, False), (1, True, False)],
        "all": [(2, False, False), (0, False, False)],
        "one folder": [(2, False, False), (1, False, False)],
        "the rest of a page": [(1, False, True), (1, False, True)],
        "what comes next": [(0, False, True), (0, False, True)],
    }


def test_an_error_of_the_token_endpoint_comes_in_its_own_form(emulator: Emulator) -> None:
    credentials = user_credentials(emulator.token)
    strike(emulator, "oauth.token", {"error": {"status": 400, "reason": "invalid_grant", "message": "Bad."}})
    with pytest.raises(RefreshError, match="invalid_grant: Bad"):
        credentials.refresh(Request())
    credentials.refresh(Request())
    assert credentials.scopes == [SCOPE]


@pytest.mark.parametrize(
    ("do", "error", "stored"),
    [
        ({"error": {"status": 420, "message": "Rate Limit Exceeded. Limit of 9"}}, RateLimited, False),
        ({"html": 502}, Error, False),
        ({"empty": True}, Error, False),
        ({"refuse": True}, Error, False),
        ({"lose": True}, Error, True),
        ({"cut": 0.3}, Error, True),
        ({"corrupt": True}, None, True),
    ],
)
def test_an_upload_fails_before_or_after_the_work(
    emulator: Emulator, account: dict[str, str], do: dict[str, Any], error: type[Error] | None, stored: bool
) -> None:
    public_id = f"faults/{next(iter(do))}"
    # urllib3, inside the client, retries what was not answered: one fault for each of its tries.
    strike(emulator, "cloudinary.upload", do, match="faults/", times=None)
    if error:
        with pytest.raises(error):
            uploader.upload(io.BytesIO(DATA), public_id=public_id, timeout=5, **account)
    else:
        answer = uploader.upload(io.BytesIO(DATA), public_id=public_id, **account)
        assert answer["etag"] == emulator.assets()[public_id]["etag"] != hashlib.md5(DATA).hexdigest()
    assert (public_id in emulator.assets()) == stored


def test_fields_of_a_real_answer_are_replaced(emulator: Emulator, account: dict[str, str]) -> None:
    strike(emulator, "cloudinary.upload", {"answer": {"public_id": "another", "etag": None}})
    answer = uploader.upload(io.BytesIO(DATA), public_id="replaced", **account)
    assert (answer["public_id"], answer["etag"], answer["bytes"]) == ("another", None, len(DATA))
    assert emulator.assets()["replaced"]["etag"] == hashlib.md5(DATA).hexdigest(), "the work was done"


def test_a_delivery_fails(emulator: Emulator, account: dict[str, str]) -> None:
    url = account["upload_prefix"] + "/emulated/image/upload/v1/d.jpg"
    emulator.plant("d", DATA)
    pool = urllib3.PoolManager(retries=False)
    strike(emulator, "delivery", {"error": {"status": 503, "message": "Busy"}}, match="d.jpg")
    assert pool.request("GET", url).headers["X-Cld-Error"] == "Busy"
    assert pool.request("GET", url).data == DATA
    strike(emulator, "delivery.head", {"error": {"status": 405}})
    assert pool.request("GET", url).status == 200, "a GET is no HEAD"
    assert pool.request("HEAD", url).status == 405
    strike(emulator, "delivery", {"chunked": True})
    chunked = pool.request("GET", url)
    assert chunked.data == DATA and "Content-Length" not in chunked.headers
    strike(emulator, "delivery", {"without": ["ETag"]})
    bare = pool.request("HEAD", url)
    assert bare.status == 200 and "ETag" not in bare.headers and bare.headers["Content-Length"] == str(len(DATA))
    strike(emulator, "delivery", {"redirect": "https://127.0.0.1/elsewhere"})
    assert pool.request("GET", url, redirect=False).headers["Location"] == "https://127.0.0.1/elsewhere"


# The record


def test_calls_and_connections_are_counted(emulator: Emulator, caller: Caller) -> None:
    for _ in range(3):
        caller.get("second.jpg")
    stats, log = emulator.stats(), emulator.log()
    assert stats["connections"] == {"drive": 1} and stats["counts"] == {"drive.media": 3}
    assert {(entry["key"], entry["bytes"], entry["status"]) for entry in log} == {(caller.ids["second.jpg"], 900, 200)}


def test_an_upload_that_breaks_off_is_noted(emulator: Emulator, account: dict[str, str]) -> None:
    emulator.reset()
    address = urlsplit(account["upload_prefix"])
    connection = http.client.HTTPConnection(address.hostname or "", address.port or 0)
    connection.putrequest("POST", "/v1_1/emulated/image/upload")
    connection.putheader("Content-Type", "multipart/form-data; boundary=b")
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b"--b\r\n")
    wait_for(lambda: emulator.stats()["max_uploads_at_once"] == 1)
    connection.close()
    wait_for(lambda: "cloudinary.aborted" in emulator.stats()["counts"])
    uploader.upload(io.BytesIO(DATA), **account)
    assert emulator.stats()["max_uploads_at_once"] == 1


def test_an_upload_is_finished_without_its_client(emulator: Emulator, account: dict[str, str]) -> None:
    strike(emulator, "cloudinary.upload", {"hold": 0, "delay": 0.3}, times=None)
    with pytest.raises(Error):
        uploader.upload(io.BytesIO(DATA), public_id="left-alone", timeout=urllib3.Timeout(read=0.1), **account)
    assert "left-alone" not in emulator.assets()
    emulator.faults([])
    wait_for(lambda: "left-alone" in emulator.assets(), 5)


# The program


def test_a_kill_loses_nothing(tmp_path: Path) -> None:
    with Emulator(tmp_path / "photos", tmp_path / "store") as emulator:
        account = cloudinary_options(emulator.cloudinary_url)
        answers = [uploader.upload(io.BytesIO(noise_jpeg(900, n)), public_id=f"k/{n % 4}", **account) for n in range(6)]
        uploader.destroy("k/3", **account)
        added = emulator.drive("add", name="later.jpg", picture={"format": "jpg"})
        credentials = user_credentials(emulator.token)
        drive_client(emulator, credentials).files().list().execute()

        def state() -> tuple[object, ...]:
            return emulator.assets(), emulator.nodes(), emulator.cloudinary_url, Path(emulator.token).read_text()

        before = state()
        emulator.kill()
        emulator.start()
        assert state() == before and set(emulator.assets()) == {"k/0", "k/1", "k/2"}
        assert urllib3.request("GET", answers[5]["secure_url"]).data == noise_jpeg(900, 5)
        again = uploader.upload(io.BytesIO(noise_jpeg(900, 0)), public_id="k/0", overwrite=False, **account)
        assert again["existing"] and again["version"] == answers[4]["version"]
        # Access tokens are forgotten, which the client gets over by itself.
        assert drive_client(emulator, credentials).files().get(fileId=added).execute()["name"] == "later.jpg"
        assert emulator.stats()["refreshes"] == 1


def test_the_command_line_prints_the_addresses_and_ends_at_sigterm(tmp_path: Path) -> None:
    (tmp_path / "My photos").mkdir()
    options: list[str | Path] = ["--photos", tmp_path / "My photos", "--store", tmp_path / "store"]
    command = [sys.executable, "-m", "tests.emulator", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        nodes = urllib3.request("GET", f"{said['control']}/drive").json()
        assert {node["name"] for node in nodes if node["id"] == said["folder_id"]} == {"My photos"}
        process.terminate()
        assert process.wait(5) == 0


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys; from tests.emulator.client import Emulator\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "emulator = Emulator(folder / 'photos', folder / 'store')\n"
        "emulator.start(); print(emulator.pid, flush=True); os._exit(0)"
    )
    run = [sys.executable, "-c", code, str(tmp_path)]
    orphan = int(subprocess.run(run, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=20).stdout)
    wait_for(lambda: not psutil.pid_exists(orphan) or psutil.Process(orphan).status() == psutil.STATUS_ZOMBIE)
