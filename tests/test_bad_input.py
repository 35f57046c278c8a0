"""Bad input gives one clear line and exit code 1, and loses nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.disk import mounted
from tests.harness import PATIENCE, Workspace, wait_for

Config = dict[str, Any]
Prepare = Callable[[Workspace], Config]


def setting(**config: Any) -> Prepare:
    """What is wrong is on the command line."""
    return lambda workspace: config


def token(text: str | bytes) -> Prepare:
    """What is wrong is in the token file."""

    def prepare(workspace: Workspace) -> Config:
        path = workspace.path / "token.json"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(0o600)
        return {"token": "token.json"}

    return prepare


def cloudinary(**environment: str) -> Prepare:
    """What is wrong is in the environment."""

    def prepare(workspace: Workspace) -> Config:
        workspace.environment.update({"CLOUDINARY_URL": "", **environment})
        return {}

    return prepare


def unshared(workspace: Workspace) -> Config:
    workspace.cloud.drive("set", id=workspace.cloud.folder_id, shared=False)
    return {}


def revoked(workspace: Workspace) -> Config:
    workspace.cloud.oauth(revoke=True)
    return {}


def an_image(workspace: Workspace) -> Config:
    return {"folder_id": workspace.add("one.jpg")[0]}


def a_file_instead_of_results(workspace: Workspace) -> Config:
    (workspace.path / "results").write_text("mine")
    return {}


def no_google_credentials(workspace: Workspace) -> Config:
    workspace.environment.update({"CLOUDSDK_CONFIG": str(workspace.path), "GOOGLE_APPLICATION_CREDENTIALS": ""})
    return {"token": "token.json"}


BAD: dict[str, tuple[Prepare, tuple[str, ...]]] = {
    "no folder_id": (setting(folder_id=None), ("folder_id is missing", "--config folder_id=")),
    "an unknown folder_id": (setting(folder_id="1Unknown-ID"), ("1Unknown-ID", "does not exist, or is not shared")),
    "a folder_id that is none": (setting(folder_id="../../etc"), ("'../../etc'", "neither", "ID nor its URL")),
    "a folder that is not shared": (unshared, ("is not shared with the account",)),
    "an image for a folder": (an_image, ("is a file (image/jpeg), not a folder",)),
    "no token file": (no_google_credentials, ("there is no token.json", "scripts/authenticate.py")),
    "a token file of garbage": (token("garbage"), ("token.json", "scripts/authenticate.py")),
    "a token file of another JSON": (token('["a"]'), ("token.json", "scripts/authenticate.py")),
    "a token file of bytes": (token(b"\xff\xfe\x00"), ("token.json cannot be read",)),
    "a revoked token": (revoked, ("has expired or was revoked", "scripts/authenticate.py")),
    "no Cloudinary credentials": (cloudinary(), ("there are no Cloudinary credentials", "CLOUDINARY_URL=")),
    "an incomplete CLOUDINARY_URL": (cloudinary(CLOUDINARY_URL="cloudinary://key@cloud"), ("is not complete",)),
    "a CLOUDINARY_URL of something else": (cloudinary(CLOUDINARY_URL="https://cloudinary.com"), ("not complete",)),
    "a part of the three variables": (
        cloudinary(CLOUDINARY_CLOUD_NAME="cloud", CLOUDINARY_API_KEY="key"),
        ("CLOUDINARY_API_SECRET is missing",),
    ),
    "an unknown setting": (setting(recursiv=False), ("unknown setting 'recursiv'", "did you mean recursive?")),
    "a switch that is neither": (setting(recursive="maybe"), ("recursive", "'maybe'", "boolean")),
    "a number that is none": (setting(retries="many"), ("retries", "'many'", "integer")),
    "a number out of range": (setting(timeout=0), ("timeout", "0")),
    "an endpoint that is no address": (setting(drive_endpoint="localhost"), ("drive_endpoint", "localhost")),
    "a file where results should be": (a_file_instead_of_results, ("results", "cannot be the results folder")),
}


@pytest.mark.parametrize("what", BAD)
def test_it_is_said_in_one_line_with_exit_code_1(workspace: Workspace, what: str) -> None:
    prepare, fragments = BAD[what]
    done = workspace.run(**{"retries": 0, **prepare(workspace)})
    done.failed()
    done.line(*fragments)
    assert len(done.lines) == 1, done.said
    assert not workspace.calls("cloudinary.upload")
    assert not workspace.markers()


@pytest.mark.parametrize("what", ["no folder_id", "a folder that is not shared", "a revoked token", "no token file"])
def test_a_dry_run_says_it_in_one_line_too(workspace: Workspace, what: str) -> None:
    prepare, fragments = BAD[what]
    done = workspace.dry_run(**prepare(workspace), retries=0)
    done.failed()
    done.line(*fragments)
    assert len(done.lines) == 1, done.said


def test_what_stood_where_results_should_be_is_left_alone(workspace: Workspace) -> None:
    a_file_instead_of_results(workspace)
    workspace.dry_run().failed()
    assert (workspace.path / "results").read_text() == "mine"


@pytest.mark.parametrize("expiry", ["2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"])
def test_an_access_token_that_is_over_is_renewed_without_a_word(workspace: Workspace, expiry: str) -> None:
    """Whether the file says that it is over, or only Drive does."""
    workspace.add("one.jpg")
    value = json.loads(Path(workspace.cloud.token).read_text())
    token(json.dumps({**value, "token": "ya29.of-long-ago", "expiry": expiry}))(workspace)
    done = workspace.run(token="token.json")
    done.succeeded()
    workspace.audit()
    assert "warning" not in done.said


def test_a_token_file_that_others_can_read_is_a_warning(workspace: Workspace) -> None:
    workspace.add("one.jpg")
    for run, mode in ((workspace.dry_run, 0o640), (workspace.run, 0o604)):
        Path(workspace.cloud.token).chmod(mode)
        done = run()
        done.succeeded()
        done.line("warning: ", "can be read by other users", "chmod 600")
    workspace.audit()


def test_wrong_cloudinary_credentials_stop_the_run_with_one_line_for_all_images(workspace: Workspace) -> None:
    workspace.add(*(f"{number}.jpg" for number in range(12)))
    right = workspace.cloud.cloudinary_url
    workspace.environment["CLOUDINARY_URL"] = re.sub(r":[^:@]+@", ":wrong-secret@", right)
    done = workspace.run(retries=1)
    done.failed()
    done.line("Cloudinary does not accept the credentials")
    assert len(done.lines) <= 7, done.said
    assert workspace.calls("cloudinary.upload") <= 4 * 2, "one try for each of the four jobs, and no retry"
    assert set(workspace.statuses().values()) == {"pending"}

    workspace.environment["CLOUDINARY_URL"] = right
    workspace.run().succeeded()
    workspace.audit()


def test_a_refused_signature_shows_nothing_of_what_was_signed(workspace: Workspace) -> None:
    """Cloudinary repeats all of it, of which a caption can have several lines."""
    workspace.add("one.jpg", description="first line\nsecond line")
    right = workspace.cloud.cloudinary_url
    workspace.environment["CLOUDINARY_URL"] = re.sub(r":[^:@]+@", ":wrong-secret@", right)
    done = workspace.run(caption_from_description="true")
    done.failed()
    done.line("Cloudinary does not accept the credentials", "(Cloudinary answered 401: Invalid Signature)")
    # The caption itself is in the listing, as it should be.
    texts = [path.read_bytes() for path in workspace.path.rglob("*") if path.is_file() and path.name != "listing.json"]
    for signed in ("second line", "display_name=", "public_id=", "timestamp="):
        assert signed not in done.said
        assert not [text for text in texts if signed.encode() in text]


def test_a_corrupt_marker_is_said_and_done_again(workspace: Workspace) -> None:
    workspace.add("garbage.jpg", "empty.jpg", "half.jpg", "other.jpg", "of another.jpg", "good.jpg")
    workspace.run().succeeded()
    rows = {row["filename"]: row for row in workspace.mapping()}
    paths = {name: workspace.results / "markers" / f"{row['file_id']}.{row['md5']}.json" for name, row in rows.items()}
    paths["garbage.jpg"].write_bytes(b"\xff\x00garbage")
    paths["empty.jpg"].write_bytes(b"")
    paths["half.jpg"].write_bytes(paths["half.jpg"].read_bytes()[:100])
    paths["other.jpg"].write_text('{"status": "uploaded"}')
    paths["of another.jpg"].write_bytes(paths["good.jpg"].read_bytes())
    dry = workspace.dry_run()
    dry.succeeded()
    assert "5 of 6 images to move" in dry.said
    for name in ("garbage.jpg", "empty.jpg", "half.jpg", "other.jpg", "of another.jpg"):
        dry.line(paths[name].name, "not a valid marker")
    assert all(path.exists() for path in paths.values()), "a dry run renames nothing"

    workspace.cloud.reset()
    workspace.run().succeeded()
    assert workspace.calls("drive.media") == 5
    assert {asset["stores"] for asset in workspace.cloud.assets().values()} == {1}
    assert set(workspace.markers()) == {path.name for path in paths.values()}
    assert {row["cloudinary_url"] for row in workspace.mapping()} == {row["cloudinary_url"] for row in rows.values()}


def test_a_real_run_says_a_corrupt_marker_too(workspace: Workspace) -> None:
    workspace.add("one.jpg")
    workspace.run().succeeded()
    (marker,) = (workspace.results / "markers").iterdir()
    marker.write_text("{")
    done = workspace.run()
    done.succeeded()
    done.line(marker.name, "not a valid marker")
    assert workspace.markers()[marker.name]


def test_a_second_run_on_the_same_folder_is_refused_and_told_who_holds_it(workspace: Workspace) -> None:
    workspace.add("1.jpg", "2.jpg")
    workspace.hold_uploads()
    first = workspace.start(timeout=PATIENCE)
    wait_for(workspace.held)
    second = workspace.run()
    second.failed()
    second.line("another run holds", f"process {first.pid}")
    assert len(second.lines) == 1, second.said
    workspace.cloud.faults([])
    stdout, stderr = first.communicate(timeout=60)
    assert first.returncode == 0, stdout + stderr
    workspace.audit()


@pytest.mark.parametrize(("folder", "size"), [("results", "4k"), ("results", "100k"), (".", "60k"), (".", "150k")])
def test_a_full_disk_ends_the_run_with_a_line_and_the_same_command_goes_on_later(
    workspace: Workspace, folder: str, size: str
) -> None:
    """Be it the disk of the results or that of the whole working directory, in which Snakemake keeps its own files."""
    workspace.add(*(f"{number}.jpg" for number in range(40)))
    with mounted(workspace.path / folder, f"size={size}") as disk:
        there = disk.workspace(workspace)
        done = there.run()
        done.failed()
        assert "No space left on device" in done.said or "is the disk full?" in done.said, done.said
        assert len(done.lines) <= 6, done.said
        for path in there.results.glob("markers/*.json"):
            json.loads(path.read_text())

        disk.remount("size=50m")
        again = there.run()
        again.succeeded()
        assert "not a valid marker" not in again.said
        assert len(there.audit()) == 40
        assert not there.secrets_left()
