"""Large images go in pieces, from a temporary file, and a cut download goes on where it stopped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from drive2cloudinary.content import PIECE
from tests.emulator.client import Emulator
from tests.harness import Workspace, jpeg

SIZE = 3 * PIECE + 1_000_000


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Emulator]:
    """A Cloudinary account that takes large images."""
    with Emulator(tmp_path / "Photos", tmp_path / "cloud", max_image_bytes=60_000_000) as emulator:
        yield emulator


def test_a_large_image_goes_in_pieces_and_a_cut_download_goes_on_with_the_piece_that_was_cut(
    workspace: Workspace,
) -> None:
    (large,) = workspace.cloud.drive_all([{"op": "add", "name": "large.jpg", "content_base64": jpeg("large", SIZE)}])
    workspace.add("small.jpg")
    cut = {"on": "drive.media", "match": large, "skip": 2, "do": {"cut": 0.5}}
    workspace.cloud.faults([cut, {"on": "cloudinary.upload", "match": "large", "skip": 1, "do": {"lose": True}}])
    done = workspace.run(timeout=20)
    done.succeeded()
    workspace.audit()
    assert workspace.calls("drive.media", large) == 4 + 1
    sent = sum(call["bytes"] for call in workspace.cloud.log() if call["op"] == "drive.media" and call["key"] == large)
    assert sent <= SIZE + PIECE
    # The piece whose answer was lost was the second: its upload was given up, and a new one had all four.
    assert workspace.calls("cloudinary.upload", "Photos/large") == 2 + 4


def test_a_large_image_that_is_too_large_for_the_account_fails_alone(workspace: Workspace) -> None:
    workspace.cloud.settings(max_bytes=10_485_760)
    workspace.cloud.drive_all([{"op": "add", "name": "large.jpg", "content_base64": jpeg("large", SIZE)}])
    workspace.add("small.jpg")
    done = workspace.run(timeout=20)
    done.failed()
    done.line("failed: large.jpg", "File size too large")
    assert workspace.statuses() == {"large.jpg": "failed", "small.jpg": "uploaded"}


def test_a_large_image_that_comes_corrupted_is_fetched_again(workspace: Workspace) -> None:
    (large,) = workspace.cloud.drive_all([{"op": "add", "name": "large.jpg", "content_base64": jpeg("large", SIZE)}])
    workspace.cloud.faults([{"on": "drive.media", "match": large, "skip": 1, "do": {"corrupt": True}}])
    workspace.run(timeout=20).succeeded()
    workspace.audit()
    assert workspace.calls("drive.media", large) == 2 * 4
