"""Which Cloudinary folder each migration of a Drive folder has, and whose the names in it are."""

from __future__ import annotations

import json
from pathlib import Path

from tests.harness import Workspace


def rewritten(listing: Path) -> None:
    """As by another program, on many lines."""
    listing.write_text(json.dumps(json.loads(listing.read_text()), indent=2))


def test_another_folder_name_is_a_migration_of_its_own(workspace: Workspace) -> None:
    """The images go there, too; the first migration stays as it is, and goes on without folder_name."""
    workspace.add("1.jpg", "2.jpg")
    workspace.run(folder_name="First").succeeded()
    first = workspace.audit()
    dry = workspace.dry_run(folder_name="Second/one")
    assert dry.line("2 of 2 images to move (2 new"), dry.said
    workspace.run(folder_name="Second/one").succeeded()
    assert sorted(workspace.cloud.assets()) == ["First/1", "First/2", "Second/one/1", "Second/one/2"]
    assert workspace.mapping() == first
    (second,) = [path for path in (workspace.path / "results").iterdir() if "@" in path.name]
    assert second.name.startswith(f"{workspace.cloud.folder_id}@Second_one_")
    rows = json.loads((second / "mapping.json").read_text())
    assert [row["public_id"] for row in rows] == ["Second/one/1", "Second/one/2"]

    workspace.add("3.jpg")
    for name in (None, "First", "Second/one"):
        workspace.run(folder_name=name).succeeded()
    expected = [f"{folder}/{number}" for folder in ("First", "Second/one") for number in (1, 2, 3)]
    assert sorted(workspace.cloud.assets()) == expected
    assert workspace.calls("cloudinary.upload") == 6


def test_a_migration_keeps_its_cloudinary_folder_without_its_listing(workspace: Workspace) -> None:
    workspace.add("1.jpg")
    workspace.run(folder_name="First").succeeded()
    workspace.add("2.jpg")
    listing = workspace.results / "listing.json"
    listing.unlink()
    workspace.run().succeeded()
    rewritten(listing)
    workspace.run().succeeded()
    listing.write_text("{")
    workspace.run(folder_name="Second").succeeded()
    assert sorted(workspace.cloud.assets()) == ["First/1", "First/2", "Second/1", "Second/2"]
    assert workspace.calls("cloudinary.upload") == 4


def test_a_dry_run_lists_anew_for_other_settings_whoever_wrote_the_listing(workspace: Workspace) -> None:
    workspace.add("2.jpg", parent=workspace.cloud.drive("folder", name="Album"))
    workspace.add("1.jpg")
    workspace.dry_run().line("2 of 2 images to move")
    rewritten(workspace.results / "listing.json")
    workspace.dry_run(recursive=False).line("1 of 1 image to move")


def test_an_asset_that_stays_in_cloudinary_keeps_its_name_against_other_folders(workspace: Workspace) -> None:
    """Whatever became of the other folder's listing."""
    one, other = (workspace.cloud.drive("folder", name=name) for name in ("One", "Other"))
    photo, *_ = workspace.add("photo.jpg", "stays.jpg", "too.jpg", parent=one)
    workspace.run(folder_id=one, folder_name="Family").succeeded()
    workspace.cloud.drive("delete", id=photo)
    workspace.run(folder_id=one, folder_name="Family").succeeded()
    results = workspace.path / "results"
    (results / "of another program").mkdir()
    (results / "of another program" / "markers").touch()
    listing = results / one / "listing.json"
    for name in ("photo.jpg", "new.jpg", "stays.jpg", "too.jpg"):
        if name == "stays.jpg":
            listing.write_text("{")
        elif name == "too.jpg":
            listing.unlink()
        workspace.add(name, parent=other)
        workspace.run(folder_id=other, folder_name="Family").succeeded()
    assert len(workspace.cloud.assets()) == 3 + 4


def test_a_folder_name_without_a_letter_or_digit_is_a_migration_like_any_other(workspace: Workspace) -> None:
    workspace.cloud.settings(rewrites="off")
    workspace.add("1.jpg")
    for name in ("🎄", "🎁", "A/🎄", "A/🎁", "🎄", None):
        workspace.run(folder_name=name).succeeded()
    results = workspace.path / "results"
    assert len([path for path in results.iterdir() if path.is_dir()]) == 4
    assert workspace.calls("cloudinary.upload") == len(workspace.cloud.assets()) == 4
    rows = [row for path in results.glob("*/mapping.json") for row in json.loads(path.read_text())]
    assert sorted(row["public_id"] for row in rows) == sorted(workspace.cloud.assets())
    assert [row["public_id"] for row in workspace.mapping()] == ["🎄/1"], "the first one is in results/ID"


def test_a_folder_name_of_a_dry_run_binds_nobody(workspace: Workspace) -> None:
    workspace.add("1.jpg")
    workspace.dry_run(folder_name="Typo").line("1 of 1 image")
    workspace.run(folder_name="Right").succeeded()
    assert sorted(workspace.cloud.assets()) == ["Right/1"]
    assert [path.name for path in (workspace.path / "results").iterdir() if path.is_dir()] == [
        workspace.cloud.folder_id
    ]
