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
    cloud.drive("folder", name="Empty")
    trip = cloud.drive("folder", name="Trip [2]")
    inner = cloud.drive("folder", name="In, side", parent=trip)
    workspace.add("inner.jpg", parent=inner)
    cloud.drive("close", id=inner)
    excluded = """exclude='["Trip [[]2]/In, side/*"]'"""
    said = f"cannot list Trip [2]/In, side: {ACCOUNT} may not open this folder: {SHARE} {excluded}"
    done = workspace.run()
    done.failed()
    assert done.lines[-1] == said and "where they should be" not in done.said
    assert workspace.calls("drive.about") == 1 and not workspace.calls("drive.media")
    dry = workspace.dry_run()
    dry.failed()
    assert dry.lines == [said]

    cloud.drive("close", id=inner, closed=False)
    cloud.drive("close", id=trip)
    album = cloud.drive("folder", name="Elsewhere", parent="root")
    cloud.drive("shortcut", name="Album", target=album)
    cloud.drive("close", id=album)
    done = workspace.run(exclude="*.png")
    done.failed()
    assert done.lines[-1] == (
        f"cannot list Album, Trip [2]: {ACCOUNT} may not open these folders: share them with this account, or leave "
        "them out by exclude='*.png,Album/*,Trip [[]2]/*'"
    )

    workspace.run(recursive=False).succeeded()
    assert workspace.statuses() == {"one.jpg": "uploaded"}, "what nobody looks into is no error"
    cloud.drive("close", id=cloud.folder_id)
    done = workspace.run(exclude="*")
    done.failed()
    assert done.lines[-1] == (
        f"{ACCOUNT} may not open the Drive folder Photos ({cloud.folder_id}): share it with this account, or check "
        "folder_id"
    )


def test_what_was_copied_from_a_folder_before_it_was_closed_keeps_its_row(workspace: Workspace) -> None:
    cloud = workspace.cloud
    workspace.add("one.jpg")
    trip = cloud.drive("folder", name="Trip")
    inner = cloud.drive("folder", name="Inner", parent=trip)
    kept, changes = workspace.add("kept.jpg", "changes.jpg", parent=inner)
    workspace.run().succeeded()
    # From a folder that is gone, and none that is closed.
    (gone,) = workspace.add("gone.jpg", parent=trip)
    workspace.run().succeeded()
    cloud.drive("delete", id=gone)
    cloud.drive("replace", id=changes, content_base64=jpeg("new"))
    cloud.drive("close", id=inner)
    workspace.run().failed()
    assert workspace.dry_run("-R", "list_images").code == 1

    def check(exclude: str) -> None:
        done = workspace.run(exclude=exclude)
        done.succeeded()
        workspace.agreed(done)
        done.line("warning: excluded, and this account may not open it: Trip/Inner; 2 images copied before keep their")
        rows = {row["filename"]: (row["status"], row["error"]) for row in workspace.mapping()}
        remark = "its folder in Drive can no longer be opened by this account"
        assert rows == {
            "one.jpg": ("uploaded", ""),
            "kept.jpg": ("uploaded", remark),
            "changes.jpg": ("uploaded", remark),
        }
        assert all(row["cloudinary_url"].startswith("http") for row in workspace.mapping())
        assert orphans(workspace) == ["gone.jpg"]

    check("Trip/Inner/*")
    check("Trip/*")
    (workspace.results / "listing.json").unlink()
    check("T*p/Inner/*")
    dry = workspace.dry_run(exclude="T*p/Inner/*")
    dry.succeeded()
    dry.line("0 of 3 images to move")
    assert "may not open this folder" in workspace.dry_run().lines[-1], "the last listing does not stand for it"

    cloud.drive("close", id=inner, closed=False)
    workspace.run().succeeded()
    assert {row["error"] for row in workspace.mapping()} == {""} and orphans(workspace) == ["gone.jpg"]
    assert cloud.assets()["Photos/Trip/Inner/changes"]["stores"] == 2
    assert cloud.assets()["Photos/Trip/Inner/kept"]["stores"] == 1


def test_many_closed_folders_are_one_line(workspace: Workspace) -> None:
    for number in range(7):
        workspace.cloud.drive("close", id=workspace.cloud.drive("folder", name=str(number)))
    dry = workspace.dry_run()
    dry.failed()
    assert "0, 1, 2, 3, 4 and 2 more: " in dry.lines[-1] and len(dry.lines) == 1
    assert dry.lines[-1].endswith("leave them out, each like this: exclude='0/*,1/*,2/*,3/*,4/*'")


def test_a_closed_folder_is_marked_in_the_tree(workspace: Workspace) -> None:
    cloud = workspace.cloud
    album = cloud.drive("folder", name="Album")
    workspace.add("one.jpg", parent=album)
    cloud.drive("close", id=album)
    assert f"    └── Album  {album}  closed: this account may not open it" in drive_folders(workspace).lines
    shared = cloud.drive("folder", name="Theirs", sharedWithMeTime="2024-05-06T07:08:09.000Z", ownedByMe=False)
    cloud.drive("close", id=shared)
    assert f"Theirs  {shared}  closed: this account" in drive_folders(workspace, "--shared").stdout
