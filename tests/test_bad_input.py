"""Bad input gives one clear line and exit code 1, and loses nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drive2cloudinary.drive.signin import read_credentials
from drive2cloudinary.errors import StopRun
from tests.disk import mounted
from tests.harness import PATIENCE, Workspace, wait_for

Config = dict[str, Any]


def write_token(workspace: Workspace, text: str | bytes) -> Config:
    """A token file with this content; the settings that name it."""
    path = workspace.path / "token.json"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(0o600)
    return {"token": "token.json"}


def no_folder(workspace: Workspace) -> Config:
    return {"folder_id": None}


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


def no_cloudinary_credentials(workspace: Workspace) -> Config:
    workspace.environment["CLOUDINARY_URL"] = ""
    return {}


def a_wrong_setting(workspace: Workspace) -> Config:
    return {"recursive": "maybe"}


BAD: dict[Callable[[Workspace], Config], tuple[str, ...]] = {
    no_folder: ("folder_id is missing", "--config folder_id="),
    unshared: ("is not shared with the account",),
    an_image: ("is a file (image/jpeg), not a folder",),
    no_google_credentials: ("there is no token.json", "scripts/authenticate.py"),
    revoked: ("has expired or was revoked", "scripts/authenticate.py"),
    no_cloudinary_credentials: ("there are no Cloudinary credentials", "CLOUDINARY_URL="),
    a_wrong_setting: ("recursive", "'maybe'", "boolean"),
    a_file_instead_of_results: ("results", "cannot be the results folder"),
}


@pytest.mark.parametrize("prepare", BAD, ids=lambda prepare: prepare.__name__)
def test_it_is_said_in_one_line_with_exit_code_1(workspace: Workspace, prepare: Callable[[Workspace], Config]) -> None:
    """One of each kind. What else can be wrong with a setting or with credentials, their own tests say."""
    config = {"retries": 0, **prepare(workspace)}
    commands = (workspace.dry_run, workspace.run) if prepare in (unshared, revoked) else (workspace.run,)
    for command in commands:
        done = command(**config)
        done.failed()
        assert done.lines == [done.line(*BAD[prepare])]
    assert not workspace.calls("cloudinary.upload") and not workspace.markers()
    if prepare is a_file_instead_of_results:
        assert (workspace.path / "results").read_text() == "mine"


@pytest.mark.parametrize("content", [b"garbage", b'["a"]', b"{}", b"\xff\xfe\x00"])
def test_a_token_file_of_anything_else_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token.json"
    path.write_bytes(content)
    with pytest.raises(StopRun, match="token.json (cannot be read|holds neither .*scripts/authenticate.py)") as caught:
        read_credentials(path, "")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("expiry", ["2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"])
def test_an_access_token_that_is_over_is_renewed_without_a_word(workspace: Workspace, expiry: str) -> None:
    """Whether the file says that it is over, or only Drive does."""
    workspace.add("one.jpg")
    value = json.loads(Path(workspace.cloud.token).read_text())
    done = workspace.run(**write_token(workspace, json.dumps({**value, "token": "ya29.of-long-ago", "expiry": expiry})))
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
    spoiled = {
        "garbage.jpg": b"\xff\x00garbage",
        "empty.jpg": b"",
        "half.jpg": paths["half.jpg"].read_bytes()[:100],
        "other.jpg": b'{"status": "uploaded"}',
        "of another.jpg": paths["good.jpg"].read_bytes(),
    }
    for name, content in spoiled.items():
        paths[name].write_bytes(content)
    workspace.cloud.reset()
    for command in (workspace.dry_run, workspace.run):
        assert all(path.exists() for path in paths.values()), "a dry run renames nothing"
        done = command()
        done.succeeded()
        for name in spoiled:
            done.line(paths[name].name, "not a valid marker")
    assert workspace.calls("drive.media") == 5
    assert {asset["stores"] for asset in workspace.cloud.assets().values()} == {1}
    assert set(workspace.markers()) == {path.name for path in paths.values()}
    assert {row["cloudinary_url"] for row in workspace.mapping()} == {row["cloudinary_url"] for row in rows.values()}


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


@pytest.mark.parametrize(("folder", "size"), [("results", "100k"), (".", "60k")])
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
