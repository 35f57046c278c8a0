"""Refusals as the real services were seen to send them: whose fault they are, and what the user reads."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from drive2cloudinary.causes import Cause
from tests.faults.test_failures import error, fault, stops
from tests.harness import Workspace, wait_for
from tests.recorded import HTML, JSON, SORRY, Json, info, newer, over_quota

PAGE: Json = {"status": 403, "body": SORRY.decode(), "headers": HTML}
A_DAY = ("Queries per day", "defaultPerDayPerProject", "1/d/{project}")
A_MINUTE = ("Queries per minute per user", "defaultPerMinutePerUser", "1/min/{project}/{user}")


def as_json(status: int, body: Json) -> Json:
    """An answer with this JSON."""
    return {"status": status, "body": json.dumps(body), "headers": JSON}


def test_pages_that_slow_the_network_address_down_end_neither_the_listing_nor_an_image(workspace: Workspace) -> None:
    workspace.add(*(f"{number}.jpg" for number in range(16)))
    workspace.cloud.faults([fault("drive.list", "", PAGE, 2), fault("drive.media", "", PAGE, None, skip=2)])
    running = workspace.start(cores=4, retries=0)
    wait_for(lambda: workspace.cloud.stats()["statuses"].get("drive.media 403", 0) > 1)
    workspace.cloud.faults([])
    stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == 0, stdout + stderr
    assert {row["status"] for row in workspace.audit()} == {"uploaded"}
    statuses = workspace.cloud.stats()["statuses"]
    assert statuses["drive.list 403"] == 2
    assert statuses["drive.media 403"] <= 4 + 3, "those under way, and the probes: all others waited"


def test_what_passes_is_no_verdict_about_the_file(workspace: Workspace) -> None:
    upload, media = "cloudinary.upload", "drive.media"
    faults = {
        "401 twice.jpg": fault(media, "401 twice", error(401, "authError"), 2),
        "401 four times.jpg": fault(media, "401 four", error(401, "authError"), 4),
        "minute.jpg": fault(media, "minute", as_json(403, over_quota(*A_MINUTE, errors=False))),
        "page.jpg": fault(media, "page", {"html": 404}),
        "new.jpg": fault(media, "new", as_json(403, newer(403, "Something new", info("SOMETHING_NEW")))),
        "413.jpg": fault(media, "413", {"html": 413}),
        "processing.jpg": fault(upload, "processing", error(423, "", "Resource is still being processed")),
        "conflict.jpg": fault(upload, "conflict", error(409, "", "conflict")),
        "front.jpg": fault(upload, "front", {"html": 524}),
        "unnamed.jpg": fault(upload, "unnamed", {"html": 403}),
        "the sign-in.jpg": fault("oauth.token", "", {"html": 503}, 1),
    }
    workspace.add(*faults)
    workspace.cloud.faults(list(faults.values()))
    done = workspace.run(cores=8)
    done.succeeded()
    assert sum(bool(call["fault"]) for call in workspace.cloud.log()) == len(faults) + 1 + 3, "every fault struck"
    assert {row["status"] for row in workspace.audit()} == {"uploaded"}


def test_a_refusal_that_nobody_knows_fails_the_image_and_tells_nobody_to_exclude_it(workspace: Workspace) -> None:
    odd, refused, _ = workspace.add("odd.jpg", "refused.jpg", "good.jpg")
    workspace.cloud.faults(
        [
            fault("drive.media", odd, as_json(403, newer(403, "Something new", info("SOMETHING_NEW"))), None),
            fault("cloudinary.upload", "refused", error(403, "", "Something else"), None),
        ]
    )
    done = workspace.run(retries=1)
    done.failed()
    done.line("failed: odd.jpg: Drive answered 403 SOMETHING_NEW: Something new")
    done.line("failed: refused.jpg: Cloudinary answered 403: Something else")
    done.line("to do: 2 images", "refused for another reason", Cause.REFUSED.advice)
    assert "exclude" not in done.said
    assert {record["cause"] for record in workspace.failures().values()} == {"refused"}
    assert workspace.calls("drive.media", odd) == 2


def test_a_quota_of_a_day_stops_the_run_with_one_line_that_says_when(workspace: Workspace) -> None:
    workspace.add(*(f"{number}.jpg" for number in range(24)))
    # The folder, and its two queries, and some images.
    workspace.cloud.settings(drive_calls_a_day=8)
    done = workspace.run()
    done.failed()
    done.line("Drive's daily limit, which Google renews at midnight Pacific time, is reached", "after 20")
    assert len(done.lines) <= 8, done.said
    assert "failed" not in workspace.statuses().values()
    asked = {call["key"] for call in workspace.cloud.log() if call["op"] == "drive.media"}
    assert len(asked) < 24
    workspace.cloud.settings(drive_calls_a_day=None)
    workspace.run().succeeded()
    workspace.audit()


ACCOUNT: dict[str, tuple[Json, str]] = {
    "a wrong clock": (
        error(400, "", "Stale request - reported time is 2026-01-01 00:00:00 +0000 which is more than 1 hour ago"),
        "set its clock",
    ),
    "a switched-off account": (error(401, "", "disabled customer"), "nothing is wrong with the credentials"),
    "a plan that is used up": (error(400, "", "You have exceeded your storage quota"), "plan is used up"),
    "an unknown cloud": (error(404, "", "Invalid cloud_name emulated"), "correct CLOUDINARY_URL"),
}


@pytest.mark.parametrize("what", ACCOUNT)
def test_what_cloudinary_says_about_the_account_stops_the_run_with_one_line(workspace: Workspace, what: str) -> None:
    answer, said = ACCOUNT[what]
    stops(workspace, fault("cloudinary.upload", "", answer, None, skip=3), said)


@pytest.mark.parametrize("kind", ["invalid_rapt", "deleted_client", "admin_policy_enforced"])
def test_a_refused_sign_in_is_one_line_that_helps(workspace: Workspace, kind: str) -> None:
    said = {
        "invalid_rapt": ("session length", "run python scripts/authenticate.py"),
        "deleted_client": ("create a new one", "credentials.json", "run python scripts/authenticate.py"),
        "admin_policy_enforced": ("the administrator", "does not allow this app"),
    }
    workspace.cloud.oauth(refuse=kind)
    done = workspace.run()
    done.failed()
    assert done.lines == [done.line(*said[kind])]
    assert "gcloud" not in done.said


def test_a_sign_in_that_is_refused_in_the_middle_stops_the_run(workspace: Workspace) -> None:
    """The access token is not accepted any more, and there is no new one."""
    workspace.add(*(f"{number}.jpg" for number in range(12)))
    workspace.hold_uploads(after=3)
    running = workspace.start(timeout=120)
    workspace.wait_until_held(done=3)
    workspace.cloud.oauth(refuse="invalid_rapt", expire=True)
    workspace.cloud.faults([])
    stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == 1
    assert (stdout + stderr).count("session length") == 1, stdout + stderr
    assert "failed" not in workspace.statuses().values()


def expiring(workspace: Workspace, left: timedelta) -> str:
    """A token file whose refresh token expires after this time."""
    path = workspace.path / "token.json"
    value: dict[str, Any] = json.loads(Path(workspace.cloud.token).read_text())
    path.write_text(json.dumps({**value, "refresh_token_expires": (datetime.now(UTC) + left).isoformat()}))
    path.chmod(0o600)
    return str(path)


def test_a_token_that_soon_expires_is_said_in_each_run_and_preview(workspace: Workspace) -> None:
    workspace.add("one.jpg")
    token = expiring(workspace, timedelta(hours=47))
    commands = (workspace.dry_run, workspace.run, workspace.run, workspace.dry_run)
    for done in (command(token=token) for command in commands):
        done.succeeded()
        done.line("token.json expires on 20", "Testing", "run python scripts/authenticate.py")
    done = workspace.run(token=expiring(workspace, timedelta(hours=49)))
    done.succeeded()
    assert "expires" not in done.said


def test_a_variable_that_names_no_credentials_is_named_with_its_file(workspace: Workspace) -> None:
    missing, broken = workspace.path / "none.json", workspace.path / "broken.json"
    broken.write_text("[1]")
    for path, said in ((missing, "is not a file"), (broken, "holds no credentials of Google")):
        workspace.environment["GOOGLE_APPLICATION_CREDENTIALS"] = str(path)
        done = workspace.run(token="none-either.json")
        done.failed()
        assert done.lines == [done.line("GOOGLE_APPLICATION_CREDENTIALS", str(path), said, "authenticate.py")]
