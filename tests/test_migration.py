"""The three commands of the README, from end to end."""

from __future__ import annotations

import hashlib
import urllib.request
from pathlib import Path

from tests.harness import Workspace


def test_a_folder_of_pictures_goes_to_cloudinary_and_a_second_run_moves_no_byte(workspace: Workspace) -> None:
    add_pictures(workspace)
    first = workspace.run()
    assert first.code == 0, first.said
    rows = workspace.mapping()
    assert {row["status"] for row in rows} == {"uploaded"}
    assets = workspace.cloud.assets()
    assert len(rows) == len(assets) == 3
    for row in rows:
        with urllib.request.urlopen(row["cloudinary_url"]) as answer:
            assert hashlib.md5(answer.read()).hexdigest() == row["md5"] == assets[row["public_id"]]["etag"]
        with urllib.request.urlopen(row["jpg_url"]) as answer:
            assert answer.headers["Content-Type"] == "image/jpeg"

    workspace.cloud.reset()
    again = workspace.run()
    assert again.code == 0, again.said
    counts = workspace.cloud.stats()["counts"]
    assert not counts.get("drive.media") and not counts.get("cloudinary.upload"), counts
    assert workspace.mapping() == rows


def add_pictures(workspace: Workspace) -> None:
    """Three pictures in two folders."""
    inner = workspace.cloud.drive("folder", name="Inner")
    for number, (name, parent) in enumerate({"one.jpg": None, "two.png": None, "three.webp": inner}.items()):
        picture = {"format": Path(name).suffix[1:], "width": 60, "height": 40, "seed": number}
        workspace.cloud.drive("add", name=name, picture=picture, **({"parent": parent} if parent else {}))
