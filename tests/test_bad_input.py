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
from tests.harness import Workspace

Config = dict[str, Any]


def write_token(workspace: Workspace, text: str | bytes) -> Config:
    """A token file with this content; the settings that name it."""
    path = workspace.path / "token.json"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(0o600)
    return {"token": "token.json"}


def without_google(workspace: Workspace) -> Config:
    workspace.environment.update({"CLOUDSDK_CONFIG": str(workspace.path), "GOOGLE_APPLICATION_CREDENTIALS": ""})
    return {"token": "token.json"}


Prepare = Callable[[Workspace], object]
BAD: dict[str, tuple[Prepare, tuple[str, ...]]] = {
    "no folder_id": (lambda _: {"folder_id": None}, ("folder_id is missing", "--config folder_id=")),
    "a folder that is not shared": (
        lambda workspace: workspace.cloud.drive("set", id=workspace.cloud.folder_id, shared=False),
        ("is not shared with the account",),
    ),
    "an image": (
        lambda workspace: {"folder_id": workspace.add("one.jpg")[0]},
        ("is a file (image/jpeg), not a folder",),
    ),
    "no token": (without_google, ("there is no token.json", "scripts/authenticate.py")),
    "a revoked token": (
        lambda workspace: workspace.cloud.oauth(revoke=True),
        ("has expired or was revoked", "scripts/authenticate.py"),
    ),
    "no Cloudinary credentials": (
        lambda workspace: workspace.environment.update({"CLOUDINARY_URL": ""}),
        ("there are no Cloudinary credentials", "CLOUDINARY_URL="),
    ),
    "a wrong setting": (lambda _: {"recursive": "maybe"}, ("recursive", "'maybe'", "boolean")),
    "a file instead of results": (
        lambda workspace: (workspace.path / "results").symlink_to("mine"),
        ("results", "cannot be the results folder"),
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_line_with_exit_code_1(workspace: Workspace, what: str) -> None:
    """One of each kind. What else can be wrong with a setting or with credentials, their own tests say."""
    (workspace.path / "mine").write_text("mine")
    prepare, fragments = BAD[what]
    prepared = prepare(workspace)
    config: Config = {"retries": 0, **(prepared if isinstance(prepared, dict) else {})}
    for command in (workspace.dry_run, workspace.run)[what not in ("a folder that is not shared", "a revoked token") :]:
        command(**config).refused(*fragments)
    assert not workspace.calls("cloudinary.upload") and not workspace.markers()
    assert (workspace.path / "mine").read_text() == "mine"


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
    done = workspace.run(
        **write_token(workspace, json.dumps({**value, "token": "ya29.of-long-ago", "expiry": expiry}))
    ).succeeded()
    workspace.audit()
    assert "warning" not in done.said


def test_a_token_file_that_others_can_read_is_a_warning(workspace: Workspace) -> None:
    workspace.add("one.jpg")
    for run, mode in ((workspace.dry_run, 0o640), (workspace.run, 0o604)):
        Path(workspace.cloud.token).chmod(mode)
        run().succeeded().line("warning: ", "can be read by other users", "chmod 600")
    workspace.audit()


def test_wrong_cloudinary_credentials_stop_the_run_with_one_line_for_all_images(workspace: Workspace) -> None:
    workspace.add(*(f"{number}.jpg" for number in range(12)))
    right = workspace.cloud.cloudinary_url
    workspace.environment["CLOUDINARY_URL"] = re.sub(r":[^:@]+@", ":wrong-secret@", right)
    done = workspace.run(retries=1).failed()
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
    done = workspace.run(caption_from_description="true").failed()
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
        done = command().succeeded()
        for name in spoiled:
            done.line(paths[name].name, "not a valid marker")
    assert workspace.calls("drive.media") == 5
    assert {asset["stores"] for asset in workspace.cloud.assets().values()} == {1}
    assert set(workspace.markers()) == {path.name for path in paths.values()}
    assert {row["cloudinary_url"] for row in workspace.mapping()} == {row["cloudinary_url"] for row in rows.values()}


@pytest.mark.parametrize(("folder", "size"), [("results", "100k"), (".", "60k")])
def test_a_full_disk_ends_the_run_with_a_line_and_the_same_command_goes_on_later(
    workspace: Workspace, folder: str, size: str
) -> None:
    """Be it the disk of the results or that of the whole working directory, in which Snakemake keeps its own files."""
    workspace.add(*(f"{number}.jpg" for number in range(40)))
    with mounted(workspace.path / folder, f"size={size}") as disk:
        there = disk.workspace(workspace)
        done = there.run().failed()
        assert "No space left on device" in done.said or "is the disk full?" in done.said, done.said
        assert len(done.lines) <= 6, done.said
        for path in there.results.glob("markers/*.json"):
            json.loads(path.read_text())

        disk.remount("size=50m")
        again = there.run().succeeded()
        assert "not a valid marker" not in again.said
        assert len(there.audit()) == 40
        assert not there.secrets_left()
