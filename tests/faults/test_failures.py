"""Failures of images and services: what is retried, what is recorded, and what ends the run."""

from __future__ import annotations

import base64
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from drive2cloudinary.causes import Cause
from tests.harness import Workspace, jpeg, wait_for

Json = dict[str, Any]


def fault(on: str, match: str, do: Json, times: int | None = 1, **more: object) -> Json:
    """One rule of the emulator."""
    return {"on": on, "match": match or None, "do": do, "times": times, **more}


def error(status: int, reason: str = "", message: str = "Injected error.", **headers: str) -> Json:
    """An error in the service's own envelope."""
    return {"error": {"status": status, "reason": reason, "message": message, "headers": headers}}


def test_images_that_fail_keep_nobody_else_from_going_and_only_they_run_again(workspace: Workspace) -> None:
    cloud = workspace.cloud
    good = workspace.add(*(f"good {number}.jpg" for number in range(6)))
    (locked,) = workspace.add("locked.jpg", capabilities={"canDownload": False})
    (abusive,) = workspace.add("abusive.jpg", abusive=True)
    (text,) = workspace.add("text.jpg", mime="image/jpeg", content_base64=base64.b64encode(b"no image").decode())
    (empty,) = workspace.add("empty.jpg", mime="image/jpeg", content_base64="")
    (large,) = workspace.add("large.jpg", content_base64=jpeg("large", 30_000))
    (popular,) = workspace.add("popular.jpg")
    cloud.settings(max_bytes=20_000)
    cloud.faults([fault("drive.media", popular, error(403, "downloadQuotaExceeded"), None)])
    bad = {
        locked: (Cause.NOT_ALLOWED, "its owner does not allow"),
        abusive: (Cause.ABUSIVE, "malware or spam"),
        text: (Cause.NOT_AN_IMAGE, "Invalid image file"),
        empty: (Cause.EMPTY, "empty"),
        large: (Cause.TOO_LARGE, "File size too large"),
        popular: (Cause.DOWNLOAD_QUOTA, "24 hours"),
    }

    done = workspace.run().failed()
    summary = workspace.agreed(done)
    assert summary.counts == {"uploaded": 6, "existing": 0, "failed": 6, "skipped": 0}
    assert all(any(cause.advice in line for line in summary.to_do) for cause, _ in bad.values())
    rows = {row["file_id"]: row for row in workspace.mapping()}
    assert {file_id for file_id, row in rows.items() if row["status"] == "uploaded"} == set(good)
    failures = workspace.failures()
    assert set(failures) == set(bad)
    for file_id, (cause, message) in bad.items():
        row, record = rows[file_id], failures[file_id]
        assert (row["status"], row["cloudinary_url"], row["jpg_url"]) == ("failed", "UPLOAD_FAILED", "UPLOAD_FAILED")
        assert message in row["error"] and row["error"] == record["message"]
        assert Cause[record["cause"].upper()] is cause and set(record) == {"format", "message", "time", "cause"}
        assert abs(datetime.fromisoformat(record["time"]) - datetime.now(UTC)) < timedelta(minutes=5)
        tries = 0 if file_id in (locked, empty) else 1
        assert workspace.calls("drive.media", file_id) == tries, "what is permanent costs one try, what is known none"
        done.line("failed: ", row["filename"], message)
    assert workspace.calls("cloudinary.upload") == 6 + 2

    cloud.reset()
    assert "6 of 12 images to move (0 new, 0 changed, 6 failed before)" in workspace.dry_run("--quiet").said
    cloud.settings(max_bytes=50_000)
    cloud.drive("set", id=locked, capabilities={"canDownload": True})
    cloud.drive("set", id=abusive, abusive=False)
    cloud.drive_all([{"op": "replace", "id": each, "content_base64": jpeg(each)} for each in (text, empty)])
    workspace.run().succeeded()
    assert sorted(call["key"] for call in cloud.log() if call["op"] == "drive.media") == sorted(bad)
    assert workspace.calls("cloudinary.upload") == len(bad)
    assert not workspace.failures() and len(workspace.audit()) == 12


BAD_DOWNLOADS: dict[str, Json] = {
    "cut": {"cut": 0.5},
    "cut before the first byte": {"cut": 0.0},
    "corrupt": {"corrupt": True},
    "HTML": {"html": 200},
    "JSON": {"body": '{"error": "no"}', "status": 200},
    "empty": {"empty": True},
}


def test_a_bad_download_never_reaches_cloudinary_and_is_done_again(workspace: Workspace) -> None:
    """Those that stay bad are failures, with nothing uploaded."""
    passing = {f"{what} once.jpg": do for what, do in BAD_DOWNLOADS.items()}
    staying = {f"{what} always.jpg": do for what, do in BAD_DOWNLOADS.items()} | {"redirects.jpg": {"redirect": True}}
    ids = dict(zip(names := [*passing, *staying, "good.jpg"], workspace.add(*names), strict=True))
    (ids["without md5"],) = workspace.add("without md5", md5Checksum=None, size="1001")
    rules = [fault("drive.media", name, do) for name, do in passing.items()]
    workspace.cloud.faults(rules + [fault("drive.media", name, do, None) for name, do in staying.items()])
    workspace.run(cores=8, retries=1).failed()
    bad = [*staying, "without md5"]
    assert workspace.statuses() == {name: "failed" if name in bad else "uploaded" for name in ids}
    assert workspace.calls("cloudinary.upload") == len(passing) + 1
    calls = Counter(call["key"] for call in workspace.cloud.log() if call["op"] == "drive.media")
    assert {name: calls[ids[name]] for name in [*passing, "good.jpg"]} == {**dict.fromkeys(passing, 2), "good.jpg": 1}
    assert set(workspace.failures()) == {ids[name] for name in bad}
    assert all(1 <= calls[ids[name]] <= 2 for name in bad)


def test_passing_errors_are_retried_and_every_image_is_stored_once(workspace: Workspace) -> None:
    upload, media, token = "cloudinary.upload", "drive.media", "oauth.token"
    faults = {
        "drive 500.jpg": fault(media, "drive 500", error(500, "backendError")),
        "drive 503 HTML.jpg": fault(media, "drive 503", {"html": 503}),
        "drive 429.jpg": fault(media, "drive 429", error(429, "rateLimitExceeded", **{"Retry-After": "1"})),
        "drive 403.jpg": fault(media, "drive 403", error(403, "userRateLimitExceeded")),
        "drive refuses.jpg": fault(media, "drive refuses", {"refuse": True}),
        "drive loses.jpg": fault(media, "drive loses", {"lose": True}),
        "upload 500.jpg": fault(upload, "upload 500", error(500)),
        "upload 502 HTML.jpg": fault(upload, "upload 502", {"html": 502}),
        "upload 420.jpg": fault(upload, "upload 420", error(420, "", "Rate Limit Exceeded.")),
        "upload 429.jpg": fault(upload, "upload 429", error(429)),
        "upload refuses.jpg": fault(upload, "upload refuses", {"refuse": True}),
        "upload loses.jpg": fault(upload, "upload loses", {"lose": True}),
        "upload cuts.jpg": fault(upload, "upload cuts", {"cut": 0.5}),
        "upload without JSON.jpg": fault(upload, "upload without", {"body": "<h1>fine</h1>"}),
        "upload without promise.jpg": fault(upload, "upload without promise", {"body": '{"public_id": 7}'}),
        "upload of a text.jpg": fault(upload, "upload of a text", {"body": '{"error": "overloaded"}', "status": 503}),
        "upload of nothing.jpg": fault(upload, "upload of nothing", {"body": "null", "status": 200}),
        "upload of no error.jpg": fault(upload, "upload of no error", {"body": '{"error": null}', "status": 500}),
        "the token.jpg": fault(token, "", error(503)),
        # The listing's sign-in meets the first one; this one, that of a process of the pool.
        "another token.jpg": fault(token, "", {"html": 200}, skip=1),
        "the folder.jpg": fault("drive.get", "", error(500, "internalError")),
        "the list.jpg": fault("drive.list", "", {"html": 502}),
    }
    workspace.add(*faults)
    workspace.cloud.faults(list(faults.values()))
    workspace.run(cores=8).succeeded()
    assert sum(bool(call["fault"]) for call in workspace.cloud.log()) == len(faults), "every fault struck"
    assert {row["status"] for row in workspace.audit()} == {"uploaded"}, "a lost answer makes no difference"
    assert not workspace.failures()
    assert workspace.calls(media) == len(faults) + 6 and workspace.calls(upload) == len(faults) + 12
    assert "Traceback" not in (workspace.results / "logs" / "pool.log").read_text()


def test_a_hung_service_ends_in_a_timeout_and_a_failure_not_in_a_hung_run(workspace: Workspace) -> None:
    ids = workspace.add("drive hangs.jpg", "upload hangs.jpg", "good.jpg", "better.jpg")
    hang = {"hang": True}
    workspace.cloud.faults(
        [fault("drive.media", "drive hangs", hang, None), fault("cloudinary.upload", "upload hangs", hang, None)]
    )
    workspace.run(timeout=2, retries=1).failed()
    assert sorted(workspace.failures()) == sorted(ids[:2])
    for file_id in ids[:2]:
        assert "no answer from" in workspace.failures()[file_id]["message"]
    workspace.cloud.faults([])
    workspace.run().succeeded()
    workspace.audit()


def test_an_upload_that_was_stored_wrongly_is_mended_or_does_not_stay(workspace: Workspace) -> None:
    mended, gone, good = workspace.add("mended.jpg", "gone.jpg", "good.jpg")
    upload, corrupt = "cloudinary.upload", {"corrupt": True}
    workspace.cloud.faults([fault(upload, "mended", corrupt), fault(upload, "gone", corrupt, None)])
    workspace.run().failed().line("failed: gone.jpg", "other bytes")
    assert workspace.statuses() == {"mended.jpg": "uploaded", "gone.jpg": "failed", "good.jpg": "uploaded"}
    assert set(workspace.cloud.assets()) == {"Photos/mended", "Photos/good"}

    workspace.cloud.reset()
    workspace.run().succeeded()
    workspace.audit(crashes=1)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (fault("drive.media", "", error(401, "authError"), None, skip=3), "authenticate.py"),
        (fault("drive.media", "", error(403, "dailyLimitExceeded"), None, skip=3), "daily limit"),
    ],
    ids=["revoked token", "daily limit"],
)
def test_what_drive_refuses_to_everybody_stops_the_run_with_one_line(
    workspace: Workspace, rule: Json, said: str
) -> None:
    stops(workspace, rule, said)


def test_cloudinarys_hourly_limit_stops_the_run_with_one_line_that_says_when(workspace: Workspace) -> None:
    moment = datetime.now(UTC) + timedelta(hours=1)
    message = f"Rate Limit Exceeded. Limit of 9 api operations reached. Try again on {moment:%Y-%m-%d %H:%M:%S} UTC"
    limit = fault("cloudinary.upload", "", error(420, "", message), None, skip=3)
    stops(workspace, limit, f"after {moment.astimezone():%Y-%m-%d %H:%M}")


def stops(workspace: Workspace, rule: Json, said: str) -> None:
    """Half of the run, in which `rule` strikes and `said` is what the user reads; then the other half."""
    workspace.add(*(f"{number}.jpg" for number in range(24)))
    workspace.cloud.faults([rule])
    done = workspace.run().failed()
    done.line(said)
    assert len(done.lines) <= 8, done.said
    statuses = list(workspace.statuses().values())
    assert statuses.count("uploaded") == len(workspace.markers()) == 3, "what is finished stays finished"
    asked = {call["key"] for call in workspace.cloud.log() if call["op"] == "drive.media"}
    assert len(asked) <= 3 + 8, "eight images were in hand"
    workspace.cloud.reset()
    workspace.run().succeeded()
    assert workspace.calls("cloudinary.upload") <= 21
    workspace.audit()


def test_a_service_that_is_gone_for_a_moment_costs_nothing_but_time(workspace: Workspace) -> None:
    """A kill -9 of the cloud itself, whose access tokens are forgotten with it."""
    workspace.add(*(f"{number}.jpg" for number in range(8)))
    workspace.cloud.settings(delay=1)
    running = workspace.start()
    wait_for(lambda: workspace.cloud.stats()["max_uploads_at_once"])
    workspace.cloud.kill()
    time.sleep(0.5)
    workspace.cloud.restart()
    workspace.finish(running).succeeded()
    workspace.audit(crashes=1)
