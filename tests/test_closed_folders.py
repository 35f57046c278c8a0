"""Folders with limited access: the account sees them and may not open them, and a query finds nothing in them."""

from __future__ import annotations

import csv

from tests.harness import Workspace, jpeg
from tests.test_drive_folders import drive_folders

ACCOUNT = "Emulated Owner <owner@example.com>"
SHARE = "share it with this account, or leave it out by"


def orphans(workspace: Workspace) -> list[str]:
    with (workspace.results / "orphans.csv").open(newline="", encoding="utf-8") as stream:
        return [row["filename"] for row in csv.DictReader(stream)]


def test_a_closed_folder_stops_the_run_and_is_named_with_what_to_do(workspace: Workspace) -> None:
    cloud = workspace.cloud
    workspace.add("one.jpg")
    trip = cloud.drive("folder", name="Trip [2]")
    inner = cloud.drive("folder", name="In, side", parent=trip)
    cloud.drive("close", id=inner)
    excluded = """exclude='["Trip [[]2]/In, side/*"]'"""
    said = f"cannot list Trip [2]/In, side: {ACCOUNT} may not open this folder: {SHARE} {excluded}"
    for command in (workspace.run, workspace.dry_run):
        done = command().failed()
        assert done.lines == [said]
    assert not workspace.calls("drive.media")
    workspace.run(recursive=False).succeeded()
    assert workspace.statuses() == {"one.jpg": "uploaded"}, "what nobody looks into is no error"


def test_several_closed_folders_are_one_line_also_behind_a_shortcut(workspace: Workspace) -> None:
    cloud = workspace.cloud
    album = cloud.drive("folder", name="Elsewhere", parent="root")
    cloud.drive("shortcut", name="Album", target=album)
    for each in (album, *(cloud.drive("folder", name=f"{number} [2]") for number in range(6))):
        cloud.drive("close", id=each)
    dry = workspace.dry_run(exclude="*.png").failed()
    assert dry.lines == [
        f"cannot list 0 [2], 1 [2], 2 [2], 3 [2], 4 [2] and 2 more: {ACCOUNT} may not open these folders: share them "
        "with this account, or leave them out, each like this: exclude='*.png,0 [[]2]/*,1 [[]2]/*,2 [[]2]/*,3 [[]2]/*,"
        "4 [[]2]/*'"
    ]


def test_the_drive_folder_itself_may_be_closed(workspace: Workspace) -> None:
    workspace.cloud.drive("close", id=workspace.cloud.folder_id)
    done = workspace.run(exclude="*").failed()
    assert done.lines[-1] == (
        f"{ACCOUNT} may not open the Drive folder Photos ({workspace.cloud.folder_id}): share it with this account, or "
        "check folder_id"
    )


def test_what_was_copied_from_a_folder_before_it_was_closed_keeps_its_row(workspace: Workspace) -> None:
    """And what is gone from a folder that is not closed is an orphan, beside it."""
    cloud = workspace.cloud
    workspace.add("one.jpg")
    trip = cloud.drive("folder", name="Trip")
    inner = cloud.drive("folder", name="Inner", parent=trip)
    kept, changes = workspace.add("kept.jpg", "changes.jpg", parent=inner)
    (gone,) = workspace.add("gone.jpg", parent=trip)
    workspace.run().succeeded()
    cloud.drive("delete", id=gone)
    cloud.drive("replace", id=changes, content_base64=jpeg("new"))
    cloud.drive("close", id=inner)
    workspace.run().failed()

    remark = "its folder in Drive can no longer be opened by this account"
    for exclude in ("Trip/*", "T*p/Inner/*"):
        done = workspace.run(exclude=exclude).succeeded()
        workspace.agreed(done)
        done.line("warning: excluded, and this account may not open it: Trip/Inner; 2 images copied before keep their")
        rows = {row["filename"]: (row["status"], row["error"]) for row in workspace.mapping()}
        assert rows == {
            "one.jpg": ("uploaded", ""),
            "kept.jpg": ("uploaded", remark),
            "changes.jpg": ("uploaded", remark),
        }
        assert all(row["cloudinary_url"].startswith("http") for row in workspace.mapping())
        assert orphans(workspace) == ["gone.jpg"]
        (workspace.results / "listing.json").unlink()
    workspace.dry_run(exclude="T*p/Inner/*").line("0 of 3 images to move")
    assert "may not open this folder" in workspace.dry_run().lines[-1], "the last listing does not stand for it"

    cloud.drive("close", id=inner, closed=False)
    workspace.run().succeeded()
    assert {row["error"] for row in workspace.mapping()} == {""} and orphans(workspace) == ["gone.jpg"]
    assert cloud.assets()["Photos/Trip/Inner/changes"]["stores"] == 2
    assert cloud.assets()["Photos/Trip/Inner/kept"]["stores"] == 1


def test_a_closed_folder_is_marked_in_the_tree(workspace: Workspace) -> None:
    cloud = workspace.cloud
    album = cloud.drive("folder", name="Album")
    workspace.add("one.jpg", parent=album)
    cloud.drive("close", id=album)
    assert f"    └── Album  {album}  closed: this account may not open it" in drive_folders(workspace).lines
    shared = cloud.drive("folder", name="Theirs", sharedWithMeTime="2024-05-06T07:08:09.000Z", ownedByMe=False)
    cloud.drive("close", id=shared)
    assert f"Theirs  {shared}  closed: this account" in drive_folders(workspace, "--shared").stdout
