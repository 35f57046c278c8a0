"""scripts/drive_folders.py: the folders of a Drive as trees, with IDs and image counts."""

from __future__ import annotations

import os
import re
import sys

from drive2cloudinary.drive.drive_api import Drive
from drive2cloudinary.settings import Settings
from tests.harness import ROOT, Finished, Workspace
from tests.terminal import Terminal

FROM_ELSE = {"ownedByMe": False, "sharedWithMeTime": "2024-05-06T07:08:09.000Z"}
BY_ELSE = {"ownedByMe": False}


def drive_folders(workspace: Workspace, *arguments: str) -> Finished:
    cloud = workspace.cloud
    return workspace.script(
        "drive_folders.py", "--token", cloud.token, "--drive-endpoint", cloud.drive_endpoint, *arguments
    )


def folder(workspace: Workspace, name: str, parent: str = "", **more: object) -> str:
    return workspace.cloud.drive("folder", name=name, parent=parent, **more)


def elsewhere(workspace: Workspace) -> str:
    """A folder of somebody else that the account may not see."""
    return folder(workspace, "Not for me", "root", shared=False, **BY_ELSE)


def test_own_folders_are_a_tree_with_ids_and_counts(workspace: Workspace) -> None:
    top, my_drive = workspace.cloud.folder_id, workspace.cloud.nodes()[0]["id"]
    workspace.add("1.jpg")
    workspace.add("2.jpg", "data.bin", mime="application/octet-stream")
    workspace.cloud.drive("add", name="notes.txt", content_base64="aGVsbG8=")
    album = folder(workspace, "album", top)
    workspace.add("3.jpg", parent=album)
    guest = folder(workspace, "Guest's", album, **BY_ELSE)
    workspace.add("4.jpg", parent=guest, **BY_ELSE)
    empty = folder(workspace, "Empty", "root")
    hostile = folder(workspace, "\x1b[31mred\n└── fake  1x \u202e[bold]b[/bold] [link=file:///]", "root")
    workspace.cloud.drive("trash", id=folder(workspace, "Gone", top))
    [binned] = workspace.add("5.jpg", parent=empty)
    workspace.cloud.drive("trash", id=binned)
    # One in a folder of somebody else, and what others only share.
    lent = folder(workspace, "Lent", elsewhere(workspace))
    workspace.add("6.jpg", parent=folder(workspace, "Theirs", elsewhere(workspace), **FROM_ELSE), **BY_ELSE)
    workspace.cloud.reset()
    done = drive_folders(workspace).succeeded()
    assert done.stdout.splitlines() == [
        f"My Drive  {my_drive}  4 images, 0 directly in it",
        f"├── [31mred └── fake 1x [bold]b[/bold] [link=file:///]  {hostile}  no images",
        f"├── Empty  {empty}  no images",
        f"└── Photos  {top}  4 images, 2 directly in it",
        f"    └── album  {album}  2 images, 1 directly in it",
        f"        └── Guest's  {guest}  1 image",
        f"Lent  {lent}  no images",
    ]
    assert done.stderr == ""
    assert workspace.calls("drive.list") == 2 and workspace.calls("drive.get") == 1


def test_in_a_terminal_there_are_colours_and_every_id_is_whole(workspace: Workspace) -> None:
    deep = folder(workspace, "a name that is longer than the line " * 3)
    command = [sys.executable, str(ROOT / "scripts" / "drive_folders.py"), "--token", workspace.cloud.token]
    command += ["--drive-endpoint", workspace.cloud.drive_endpoint]
    terminal = Terminal(command, workspace.path, {**os.environ, "TERM": "xterm-256color", "COLUMNS": "40"}, 40)
    assert terminal.end() == 0
    assert b"\x1b[36m" in terminal.raw
    assert deep in re.sub(r"\x1b\[[0-9;]*m", "", terminal.raw.decode())


def test_shared_folders_are_those_of_others_with_what_is_below(workspace: Workspace) -> None:
    workspace.add("mine.jpg")
    done = drive_folders(workspace, "--shared").succeeded()
    assert done.stdout == "No folder and no image is shared with this account.\n"
    ann = folder(workspace, "From Ann", elsewhere(workspace), **FROM_ELSE)
    workspace.add("1.jpg", parent=ann, **BY_ELSE)
    below = folder(workspace, "below", ann, **BY_ELSE)
    workspace.add("2.jpg", "3.jpg", parent=below, **BY_ELSE)
    twice = folder(workspace, "shared twice", below, **FROM_ELSE)
    bob = folder(workspace, "by Bob", elsewhere(workspace), **FROM_ELSE)
    [single] = workspace.add("one\nalone.jpg", parent=elsewhere(workspace), **FROM_ELSE)
    workspace.add("also by itself.jpg", parent=below, **FROM_ELSE)
    workspace.cloud.reset()
    done = drive_folders(workspace, "--shared").succeeded()
    assert done.stdout.splitlines() == [
        f"by Bob  {bob}  no images  of Somebody Else <else@example.com>",
        f"From Ann  {ann}  4 images, 1 directly in it  of Somebody Else <else@example.com>",
        f"└── below  {below}  3 images",
        f"    └── shared twice  {twice}  no images",
        "Images shared by themselves (to move them, add a shortcut to each to a folder of yours):",
        f"one alone.jpg  {single}  of Somebody Else <else@example.com>",
    ]
    # The search; the three that are shared, and two of them, which seem to be empty, alone; what is below these.
    assert workspace.calls("drive.list") == 5


def test_shared_drives_have_their_trees(workspace: Workspace) -> None:
    done = drive_folders(workspace, "--drives").succeeded()
    assert done.stdout == "This account is in no shared drive.\n"
    team = workspace.cloud.drive("shared_drive", name="Team")
    archive = workspace.cloud.drive("shared_drive", name="archive")
    year = folder(workspace, "2024", team)
    workspace.add("1.jpg", "2.jpg", parent=year)
    done = drive_folders(workspace, "--drives").succeeded()
    assert done.stdout.splitlines() == [
        f"archive  {archive}  no images",
        f"Team  {team}  2 images, 0 directly in it",
        f"└── 2024  {year}  2 images",
    ]


def test_shared_drives_come_a_hundred_on_a_page(workspace: Workspace) -> None:
    names = [f"Team {number:03}" for number in range(101)]
    workspace.cloud.drive_all([{"op": "shared_drive", "name": name} for name in names])
    settings = Settings.from_json(workspace.settings())
    drive = Drive.of(settings)
    assert [each.name for each in drive.shared_drives()] == names
    assert workspace.calls("drive.drives") == 2


def test_a_search_that_was_not_complete_is_no_tree(workspace: Workspace) -> None:
    workspace.cloud.faults([{"on": "drive.list", "do": {"incomplete": True}, "times": None}])
    for which in ((), ("--shared",)):
        done = drive_folders(workspace, *which).failed()
        assert done.lines[-1].startswith("Drive could not search everywhere") and done.stdout == ""


def test_what_is_wrong_with_the_token_is_one_line(workspace: Workspace) -> None:
    workspace.cloud.oauth(revoke=True)
    drive_folders(workspace).refused("has expired or was revoked", "run python scripts/authenticate.py")
    drive_folders(workspace, "--drive-endpoint", "ftp://nowhere").refused("wrong setting drive_endpoint")
