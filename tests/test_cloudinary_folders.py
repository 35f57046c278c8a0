"""Which Cloudinary folder each migration of a Drive folder has, and whose the names in it are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import Workspace


def as_it_is(listing: Path) -> None:
    pass


def deleted(listing: Path) -> None:
    listing.unlink()


def damaged(listing: Path) -> None:
    listing.write_text("{")


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


@pytest.mark.parametrize("harm", [deleted, damaged, rewritten])
def test_a_migration_keeps_its_cloudinary_folder_without_its_listing(
    workspace: Workspace, harm: Callable[[Path], object]
) -> None:
    workspace.add("1.jpg")
    workspace.run(folder_name="First").succeeded()
    workspace.add("2.jpg")
    for name in (None, "Second"):
        harm(workspace.results / "listing.json")
        workspace.run(folder_name=name).succeeded()
    assert sorted(workspace.cloud.assets()) == ["First/1", "First/2", "Second/1", "Second/2"]
    assert workspace.calls("cloudinary.upload") == 4


def test_a_dry_run_lists_anew_for_other_settings_whoever_wrote_the_listing(workspace: Workspace) -> None:
    workspace.add("2.jpg", parent=workspace.cloud.drive("folder", name="Album"))
    workspace.add("1.jpg")
    workspace.dry_run().line("2 of 2 images to move")
    rewritten(workspace.results / "listing.json")
    workspace.dry_run(recursive=False).line("1 of 1 image to move")


def family(workspace: Workspace) -> list[str]:
    """Two Drive folders that go into one Cloudinary folder; of the first one, photo.jpg has left Drive."""
    one, other = (workspace.cloud.drive("folder", name=name) for name in ("One", "Other"))
    photo, _ = workspace.add("photo.jpg", "stays.jpg", parent=one)
    for each in (one, other):
        workspace.run(folder_id=each, folder_name="Family").succeeded()
    workspace.cloud.drive("delete", id=photo)
    workspace.run(folder_id=one, folder_name="Family").succeeded()
    return [one, other]


@pytest.mark.parametrize("harm", [as_it_is, deleted, damaged])
def test_an_asset_that_stays_in_cloudinary_keeps_its_name_against_other_folders(
    workspace: Workspace, harm: Callable[[Path], object]
) -> None:
    one, other = family(workspace)
    (workspace.path / "results" / "of another program").mkdir()
    (workspace.path / "results" / "of another program" / "markers").touch()
    harm(workspace.path / "results" / one / "listing.json")
    workspace.add("photo.jpg", "stays.jpg", parent=other)
    workspace.run(folder_id=other, folder_name="Family").succeeded()
    assert len(workspace.cloud.assets()) == 4


def test_the_names_of_other_folders_are_looked_at_only_for_new_images_and_read_once(workspace: Workspace) -> None:
    one, other = family(workspace)
    index = workspace.path / "results" / f".names.{one}.json"
    index.unlink(missing_ok=True)
    workspace.run(folder_id=other, folder_name="Family").succeeded()
    assert not index.exists()
    workspace.add("photo.jpg", parent=other)
    workspace.run(folder_id=other, folder_name="Family").succeeded()
    made = index.stat().st_mtime_ns
    workspace.add("new.jpg", parent=other)
    workspace.run(folder_id=other, folder_name="Family").succeeded()
    assert index.stat().st_mtime_ns == made
    index.write_text('{"names": 5}')
    workspace.add("stays.jpg", parent=other)
    workspace.run(folder_id=other, folder_name="Family").succeeded()
    assert len(workspace.cloud.assets()) == 5


def test_a_folder_name_without_a_letter_or_digit_is_a_migration_like_any_other(workspace: Workspace) -> None:
    workspace.cloud.settings(rewrites="off")
    workspace.add("1.jpg")
    results = workspace.path / "results"
    for number, name in enumerate(("🎄", "Archive", "🎁", "!!!", "A/🎄", "A/🎁", "🎄"), 1):
        workspace.run(folder_name=name).succeeded()
        assert len([path for path in results.iterdir() if path.is_dir()]) == min(number, 6), name
    workspace.run().succeeded()
    assert workspace.calls("cloudinary.upload") == len(workspace.cloud.assets()) == 6
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
