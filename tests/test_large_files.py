"""Large images go in pieces, from a temporary file, and a cut download goes on where it stopped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drive2cloudinary.causes import Cause
from drive2cloudinary.content import PIECE
from tests.emulator.client import Emulator
from tests.harness import Workspace, jpeg, wait_for

SIZE = 3 * PIECE + 1_000_000


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Emulator]:
    """A Cloudinary account that takes large images."""
    with Emulator(tmp_path / "Photos", tmp_path / "cloud", max_image_bytes=60_000_000) as emulator:
        yield emulator


def add_large(workspace: Workspace, content: str, **more: object) -> str:
    """Put this picture, in base64, into the Drive folder; its ID."""
    (file_id,) = workspace.cloud.drive_all([{"op": "add", "name": "large.jpg", "content_base64": content, **more}])
    return file_id


def test_a_large_image_goes_in_pieces_and_a_cut_download_goes_on_with_the_piece_that_was_cut(
    workspace: Workspace,
) -> None:
    large = add_large(workspace, jpeg("large", SIZE))
    workspace.add("small.jpg")
    cut = {"on": "drive.media", "match": large, "skip": 2, "do": {"cut": 0.5}}
    workspace.cloud.faults([cut, {"on": "cloudinary.upload", "match": "large", "skip": 1, "do": {"lose": True}}])
    workspace.run(timeout=20).succeeded()
    workspace.audit()
    assert workspace.calls("drive.media", large) == 4 + 1
    sent = sum(call["bytes"] for call in workspace.cloud.log() if call["op"] == "drive.media" and call["key"] == large)
    assert sent <= SIZE + PIECE
    # The piece whose answer was lost was the second: its upload was given up, and a new one had all four.
    assert workspace.calls("cloudinary.upload", "Photos/large") == 2 + 4


def test_a_large_image_that_is_too_large_for_the_account_fails_alone(workspace: Workspace) -> None:
    workspace.cloud.settings(max_bytes=10_485_760)
    add_large(workspace, jpeg("large", SIZE))
    workspace.add("small.jpg")
    workspace.run(timeout=20).failed().line("failed: large.jpg", "File size too large")
    assert workspace.statuses() == {"large.jpg": "failed", "small.jpg": "uploaded"}


NO_MD5: dict[str, Any] = {"md5Checksum": None}


@pytest.mark.parametrize(
    ("pieces_before", "new_size", "more"),
    [
        pytest.param(0, 22_000_000, {}, id="grown since it was listed, and its checksum is not trusted"),
        pytest.param(1, 22_000_000, NO_MD5, id="grown between two pieces"),
        pytest.param(1, PIECE, NO_MD5, id="shrunk between two pieces"),
    ],
)
def test_a_large_image_that_changes_meanwhile_is_not_uploaded_in_parts(
    workspace: Workspace, pieces_before: int, new_size: int, more: dict[str, Any]
) -> None:
    large = add_large(workspace, jpeg("old", 21_000_000), **more)
    new = jpeg("new", new_size)
    config: dict[str, Any] = {"timeout": 20, "trust_checksum": f"{{{large}: false}}"}
    workspace.cloud.faults([{"on": "drive.media", "skip": pieces_before, "do": {"hold": 0}, "times": None}])
    running = workspace.start(**config)
    wait_for(lambda: workspace.calls("drive.media") == pieces_before and (workspace.results / "listing.json").exists())
    workspace.cloud.drive("replace", id=large, content_base64=new)
    workspace.cloud.faults([])
    done = workspace.finish(running).failed()
    assert not workspace.calls("cloudinary.upload")
    assert workspace.failures()[large]["cause"] == "changed" and Cause.CHANGED.advice in done.said
    assert workspace.calls("drive.media") <= pieces_before + 2, "what has changed is tried once more"

    workspace.run(**config).succeeded()
    (asset,) = workspace.cloud.assets().values()
    assert asset["etag"] == hashlib.md5(base64.b64decode(new)).hexdigest()


@pytest.mark.parametrize("instead", [{"html": 200}, {"endless": 30_000_000}, {"corrupt": True}], ids=str)
def test_another_answer_instead_of_a_piece_is_no_piece(workspace: Workspace, instead: dict[str, Any]) -> None:
    """What is not as long as it should be is fetched again at once, and all of it if the checksum is wrong."""
    content = jpeg("large", SIZE)
    add_large(workspace, content, **({} if "corrupt" in instead else NO_MD5))
    workspace.cloud.faults([{"on": "drive.media", "skip": 1, "do": instead}])
    workspace.run(timeout=20).succeeded()
    (asset,) = workspace.cloud.assets().values()
    assert asset["etag"] == hashlib.md5(base64.b64decode(content)).hexdigest()
    assert workspace.calls("drive.media") == (2 * 4 if "corrupt" in instead else 4 + 1)
