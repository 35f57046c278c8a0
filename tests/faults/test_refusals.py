"""Refusals as the real services were seen to send them: whose fault they are, and what the user reads."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from drive2cloudinary.causes import Cause
from drive2cloudinary.drive.drive_api import Drive
from drive2cloudinary.drive.signin import read_credentials
from drive2cloudinary.drive.token_file import token_warnings
from drive2cloudinary.errors import StopRun
from drive2cloudinary.settings import Settings
from tests.faults.test_failures import error, fault, stops
from tests.harness import Workspace, wait_for
from tests.recorded import HTML, JSON, SORRY, Json, info, newer, over_quota

PAGE: Json = {"status": 403, "body": SORRY.decode(), "headers": HTML}
A_MINUTE = ("Queries per minute per user", "defaultPerMinutePerUser", "1/min/{project}/{user}")


def as_json(status: int, body: Json) -> Json:
    """An answer with this JSON."""
    return {"status": status, "body": json.dumps(body), "headers": JSON}


def test_slowed_down_network_address_ends_neither_the_listing_nor_an_image(workspace: Workspace) -> None:
    workspace.add(*(f"{number}.jpg" for number in range(16)))
    workspace.cloud.faults([fault("drive.list", "", PAGE, 2), fault("drive.media", "", PAGE, None, skip=2)])
    running = workspace.start(cores=4, retries=0)
    wait_for(lambda: workspace.cloud.stats()["statuses"].get("drive.media 403", 0) > 1)
    workspace.cloud.faults([])
    workspace.finish(running).succeeded()
    assert {row["status"] for row in workspace.audit()} == {"uploaded"}
    statuses = workspace.cloud.stats()["statuses"]
    assert statuses["drive.list 403"] == 2
    assert statuses["drive.media 403"] <= 4 + 3, "those under way, and the probes: all others waited"


def test_passing_errors_fail_no_image(workspace: Workspace) -> None:
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
    workspace.run(cores=8).succeeded()
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
    done = workspace.run(retries=1).failed()
    done.line("failed: odd.jpg: Drive answered 403 SOMETHING_NEW: Something new")
    done.line("failed: refused.jpg: Cloudinary answered 403: Something else")
    (to_do,) = done.to_do
    assert to_do.startswith("2 images") and "refused for another reason" in to_do and Cause.REFUSED.advice in to_do
    assert "exclude" not in done.said
    assert {record["cause"] for record in workspace.failures().values()} == {"refused"}
    assert workspace.calls("drive.media", odd) == 2


def test_a_quota_of_a_day_stops_the_run_with_one_line_that_says_when(workspace: Workspace) -> None:
    workspace.add(*(f"{number}.jpg" for number in range(24)))
    # The folder, and its two queries, and some images.
    workspace.cloud.settings(drive_calls_a_day=8)
    done = workspace.run().failed()
    (to_do,) = workspace.agreed(done).to_do
    assert "Drive's daily limit, which Google renews at midnight Pacific time, is reached" in to_do
    assert "after 20" in to_do and "failed" not in workspace.statuses().values()
    assert len({call["key"] for call in workspace.cloud.log() if call["op"] == "drive.media"}) < 24


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            error(400, "", "Stale request - reported time is 2026-01-01 00:00:00 +0000 which is more than 1 hour ago"),
            "set its clock",
        ),
        (error(401, "", "disabled customer"), "nothing is wrong with the credentials"),
    ],
    ids=["a wrong clock", "a switched-off account"],
)
def test_what_cloudinary_says_about_the_account_stops_the_run_with_one_line(
    workspace: Workspace, answer: Json, said: str
) -> None:
    """All that it can say: tests/test_answers.py."""
    stops(workspace, fault("cloudinary.upload", "", answer, None, skip=3), said)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("invalid_rapt", ("session length", "run python scripts/authenticate.py")),
        ("deleted_client", ("create a new one", "credentials.json", "run python scripts/authenticate.py")),
        ("admin_policy_enforced", ("the administrator", "does not allow this app")),
    ],
)
def test_a_refused_sign_in_is_one_line_that_helps(workspace: Workspace, kind: str, said: tuple[str, ...]) -> None:
    workspace.cloud.oauth(refuse=kind)
    with pytest.raises(StopRun) as caught:
        Drive.of(Settings.from_json(workspace.settings())).account()
    assert all(each in str(caught.value) for each in said) and "gcloud" not in str(caught.value)
    if kind == "invalid_rapt":
        workspace.run().refused(*said)


def test_a_sign_in_that_is_refused_in_the_middle_stops_the_run(workspace: Workspace) -> None:
    """The access token is not accepted any more, and there is no new one."""
    workspace.add(*(f"{number}.jpg" for number in range(12)))
    workspace.hold_uploads(after=3)
    running = workspace.start(timeout=120)
    workspace.wait_until_held(done=3)
    workspace.cloud.oauth(refuse="invalid_rapt", expire=True)
    workspace.cloud.faults([])
    workspace.finish(running).failed().line("session length")
    assert "failed" not in workspace.statuses().values()


def expiring(workspace: Workspace, left: timedelta) -> str:
    """A token file whose refresh token expires after this time."""
    path = workspace.path / "token.json"
    value: dict[str, Any] = json.loads(Path(workspace.cloud.token).read_text())
    path.write_text(json.dumps({**value, "refresh_token_expires": (datetime.now(UTC) + left).isoformat()}))
    path.chmod(0o600)
    return str(path)


def test_a_token_that_soon_expires_is_said_in_each_run_and_preview(workspace: Workspace) -> None:
    token = expiring(workspace, timedelta(hours=47))
    for command in (workspace.dry_run, workspace.run, workspace.dry_run):
        done = command(token=token).succeeded()
        done.line("token.json expires on 20", "Testing", "run python scripts/authenticate.py")
    assert token_warnings(Path(expiring(workspace, timedelta(hours=49)))) == []


def test_a_variable_that_names_no_credentials_is_named_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing, broken = tmp_path / "none.json", tmp_path / "broken.json"
    broken.write_text("[1]")
    for path, said in ((missing, "is not a file"), (broken, "holds no credentials of Google")):
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
        with pytest.raises(
            StopRun, match=f"GOOGLE_APPLICATION_CREDENTIALS names {path}, which {said}.*authenticate.py"
        ):
            read_credentials(tmp_path / "none-either.json", "")
