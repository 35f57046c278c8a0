"""Answers that must not be trusted: redirects, absurd numbers, endless bodies."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.harness import Finished, Workspace, jpeg

Json = dict[str, Any]
DEEP = "[" * 100_000
HUGE_CHUNK = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + "F" * 16 + "\r\n[["
NO_GZIP = {"body": "no gzip", "headers": {"Content-Encoding": "gzip"}}
NEVER = {"error": {"status": 429, "headers": {"Retry-After": "1" + "0" * 30}}}
SUPERSCRIPT = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: \xb2\r\nContent-Length: 0\r\n\r\n"
NO_DATE = "Rate Limit Exceeded. Limit of 500 api operations reached. Try again on 2026-13-45 14:00:00 UTC"
TEN_MILLION_YEARS = json.dumps({"access_token": "ya29.x", "expires_in": 10**18, "token_type": "Bearer"})


@pytest.fixture
def stranger() -> Iterator[tuple[str, list[str]]]:
    """A server of somebody else, who would like to have requests; its address, and what it got."""
    got: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            got.append(f"{self.command} {self.path} {self.headers}")
            body = b'{"files": [], "access_token": "x", "expires_in": 3600}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/elsewhere", got
        server.shutdown()


@pytest.mark.parametrize(
    ("op", "status"),
    [("oauth.token", 307), ("drive.list", 302), ("drive.media", 307), ("cloudinary.upload", 308)],
)
def test_no_call_follows_a_redirect(
    workspace: Workspace, stranger: tuple[str, list[str]], op: str, status: int
) -> None:
    """Neither the token, nor the client's secret, nor a picture with its signature goes where an answer points to."""
    address, got = stranger
    workspace.add("one.jpg")
    workspace.cloud.faults([{"on": op, "do": {"redirect": address, "status": status}, "times": None}])
    done = workspace.run(retries=0)
    done.failed()
    assert got == []
    assert "redirects to 127.0.0.1" in done.said
    if op in ("drive.media", "cloudinary.upload"):
        assert workspace.statuses() == {"one.jpg": "failed"}
    else:
        assert len(done.lines) == 1 and not (workspace.results / "listing.json").exists()


def fault(on: str, match: str, do: Json, times: int | None = 1) -> Json:
    return {"on": on, "match": match or None, "do": do, "times": times}


def strike(workspace: Workspace, faults: list[Json], run: Callable[[], Finished]) -> None:
    """A run in which each of these faults strikes once, and which succeeds."""
    workspace.cloud.reset()
    workspace.cloud.faults(faults)
    done = run()
    done.succeeded()
    assert "Traceback" not in done.said
    assert sum(bool(call["fault"]) for call in workspace.cloud.log()) == len(faults), "every fault struck"


def test_an_impossible_answer_is_retried(workspace: Workspace) -> None:
    """In a listing, a run and verify alike."""
    folders = [workspace.cloud.drive("folder", name=str(number)) for number in range(3)]
    workspace.add(*(f"{name}.jpg" for name in "abcdefgh"))
    in_a_listing = [
        fault("oauth.token", "", {"body": TEN_MILLION_YEARS}),
        fault("drive.get", "", {"raw": SUPERSCRIPT}),
        fault("drive.list", workspace.cloud.folder_id, NO_GZIP),
        fault("drive.list", folders[0], {"raw": HUGE_CHUNK}),
        fault("drive.list", folders[1], {"body": DEEP}),
        fault("drive.list", folders[2], NEVER),
    ]
    strike(workspace, in_a_listing, lambda: workspace.dry_run(retries=2, folders_per_query=1))
    in_a_run = [
        fault("drive.media", "a.jpg", {"raw": HUGE_CHUNK}),
        fault("drive.media", "b.jpg", NO_GZIP),
        fault("drive.media", "c.jpg", NEVER),
        fault("drive.media", "d.jpg", {"raw": SUPERSCRIPT}),
        fault("cloudinary.upload", "Photos/e", {"error": {"status": 420, "message": NO_DATE}}),
        fault("cloudinary.upload", "Photos/f", {"body": DEEP}),
        fault("cloudinary.upload", "Photos/g", {"raw": HUGE_CHUNK}),
        fault("cloudinary.upload", "Photos/h", {"body": '{"error": {"message": "Internal"}}'}),
    ]
    strike(workspace, in_a_run, lambda: workspace.run(cores=8, retries=2))
    workspace.audit()
    in_verify = [
        fault("delivery.head", "/a.jpg", {"raw": SUPERSCRIPT}),
        fault("delivery.head", "/b.jpg", NEVER),
        fault("delivery.head", "/c.jpg", {"raw": "HTTP/1.1 200 OK\r\nContent-Length: 9" + "9" * 400 + "\r\n\r\n"}),
    ]
    strike(workspace, in_verify, lambda: workspace.run("verify", retries=2))


HUGE_FILE = '{"files": [{"id": "1a", "name": "a", "mimeType": "image/png", "size": "%s"}]}' % ("9" * 400)


@pytest.mark.parametrize("body", [DEEP, HUGE_FILE], ids=["deep", "huge number"])
def test_an_impossible_answer_that_stays_ends_the_listing_with_a_line(workspace: Workspace, body: str) -> None:
    workspace.cloud.faults([fault("drive.list", "", {"body": body}, None)])
    done = workspace.run(retries=0)
    done.failed()
    assert done.lines == [done.line("cannot list Photos: Drive's answer is not")]


def test_a_huge_answer_does_not_fill_the_memory(workspace: Workspace) -> None:
    """Each process may have a gigabyte: bodies without an end, 1.5 gigabytes of packed zeros, a message of 100 MB."""
    workspace.add("endless.jpg", "zeros.jpg", "message.jpg", "more.jpg")
    folder = workspace.cloud.drive("folder", name="album")
    workspace.add("fine.jpg", parent=folder)
    bomb, endless = {"gzip_bomb": 1500}, {"endless": 0}
    workspace.cloud.faults(
        [
            fault("drive.list", workspace.cloud.folder_id, bomb),
            fault("drive.list", folder, endless),
            fault("drive.get", "", {"endless": 100_000_000, "status": 500}),
            fault("drive.media", "endless.jpg", endless, None),
            fault("drive.media", "zeros.jpg", bomb, None),
            fault("drive.media", "more.jpg", {"body": "x" * 1001, "headers": {"Content-Type": "image/jpeg"}}, None),
            fault("cloudinary.upload", "message", {"endless": 100_000_000, "status": 400}, None),
        ]
    )
    workspace.memory = 1 << 30
    done = workspace.run(retries=1)
    done.failed()
    failed = dict.fromkeys(("endless.jpg", "zeros.jpg", "message.jpg", "more.jpg"), "failed")
    assert workspace.statuses() == {**failed, "fine.jpg": "uploaded"}
    assert {each["cause"] for each in workspace.failures().values()} == {"changed", "refused"}
    assert all(len(each["message"]) < 600 for each in workspace.failures().values())
    workspace.cloud.faults([fault("delivery", "fine", endless, None)])
    done = workspace.run("verify", retries=0)
    done.failed()
    done.line("wrong size: fine.jpg")


def test_a_part_of_a_large_file_that_brings_nothing_ends_its_download(workspace: Workspace) -> None:
    workspace.add("large.jpg", content_base64=jpeg("large", 21_000_000))
    workspace.cloud.settings(max_bytes=30_000_000)
    workspace.cloud.faults([fault("drive.media", "", {"stuck": True}, None)])
    done = workspace.run(retries=0)
    done.failed()
    done.line("large.jpg", "Drive ends after 0 bytes of 21,000,000")
