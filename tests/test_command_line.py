"""scripts/googledrive_tocloudinary_mp.py: the command line of the script that this project replaces."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from drive2cloudinary.run.replaced_script import snakemake_arguments
from tests.harness import ROOT, Finished, Workspace

NAME = "googledrive_tocloudinary_mp.py"
DASHED = "-aB3_dEfGhIjKlMnOpQrStUvWxYz-12345"


def upload(workspace: Workspace, *arguments: str) -> Finished:
    """Run `upload` as people have it in their scripts, with what leads it to the emulated cloud."""
    workspace.environment["CLOUDINARY_URL"] = workspace.cloud.cloudinary_url
    return workspace.script(NAME, "upload", *arguments, "--config", *emulated(workspace))


def emulated(workspace: Workspace) -> list[str]:
    cloud = workspace.cloud
    return [f"token={cloud.token}", f"drive_endpoint={cloud.drive_endpoint}", "timeout=5"]


def test_upload_moves_the_folder_from_any_working_directory(workspace: Workspace) -> None:
    top = workspace.add("one.jpg")
    workspace.add("below.jpg", parent=workspace.cloud.drive("folder", name="Sub"))
    # What lies there by chance is no module of ours.
    (workspace.path / "yaml.py").write_text("raise SystemExit('not this one')")
    done = upload(workspace, workspace.cloud.folder_id, "My trip", "2", "--no-recursive")
    done.succeeded()
    assert {row["file_id"]: row["public_id"] for row in workspace.mapping()} == {top[0]: "My_trip/one"}, (
        "as Cloudinary may write it"
    )

    # A rescan of a real run finds what is new, and uploads nothing again.
    workspace.add("two.jpg")
    lists = workspace.calls("drive.list")
    done = upload(workspace, workspace.cloud.folder_id, "My trip", "--force-rescan", "--no-recursive", "--threads=2")
    done.succeeded()
    assert workspace.calls("drive.list") == lists + 1
    assert workspace.calls("cloudinary.upload") == 2
    assert workspace.statuses() == {"one.jpg": "uploaded", "two.jpg": "uploaded"}


def test_a_dry_run_lists_anew_when_it_is_told_to(workspace: Workspace) -> None:
    folder = workspace.cloud.folder_id
    workspace.add("one.jpg")
    upload(workspace, folder, "-n").line("1 of 1 images to move")
    workspace.add("two.jpg")
    upload(workspace, folder, "-n").line("1 of 1 images to move")
    lists = workspace.calls("drive.list")
    upload(workspace, folder, "-n", "--force-rescan").line("2 of 2 images to move")
    assert workspace.calls("drive.list") == lists + 1
    assert not workspace.calls("cloudinary.upload")


def test_what_comes_after_goes_to_snakemake_and_its_exit_code_comes_back(workspace: Workspace) -> None:
    folder = workspace.cloud.drive("folder", name="Dashed", id=DASHED)
    workspace.add("one.jpg", parent=folder)
    done = upload(workspace, DASHED, "-n", "--workers", "2")
    done.succeeded()
    done.line("1 of 1 images to move")
    done = upload(workspace, DASHED, "-n", "--config", "retries=many")
    done.failed()
    done.line("wrong setting retries", "many")
    assert upload(workspace, DASHED, "--no-such-option").code == 2


def test_the_lists_of_folders_are_those_of_drive_folders(workspace: Workspace) -> None:
    options = ["--token", workspace.cloud.token, "--drive-endpoint", workspace.cloud.drive_endpoint]
    workspace.cloud.drive("shared_drive", name="Team")
    for command, fragment in (("list", "My Drive"), ("shared", "No folder is shared"), ("drives", "Team")):
        done = workspace.script(NAME, command, *options)
        done.succeeded()
        done.line(fragment)


@pytest.mark.parametrize(
    ("typed", "called"),
    [
        (["ID"], ["--cores", "all", "--config", "folder_id=ID"]),
        (["ID", "A name"], ["--cores", "all", "--config", "folder_id=ID", "folder_name=A name"]),
        (["ID", "2024", "4"], ["--cores", "4", "--config", "folder_id=ID", "folder_name=2024"]),
        (["--workers", "4", "ID"], ["--cores", "4", "--config", "folder_id=ID"]),
        (["ID", "--processes=4"], ["--cores", "4", "--config", "folder_id=ID"]),
        (["ID", "--threads", "4", "name"], ["--cores", "4", "--config", "folder_id=ID", "folder_name=name"]),
        (["ID", "-n", "--no-recursive"], ["-n", "--cores", "all", "--config", "folder_id=ID", "recursive=false"]),
        (["ID", "-n", "-q", "all"], ["-n", "-q", "all", "--cores", "all", "--config", "folder_id=ID"]),
        (["ID", "-j8"], ["-j8", "--config", "folder_id=ID"]),
        (["ID", "--cores", "8"], ["--cores", "8", "--config", "folder_id=ID"]),
        (
            ["ID", "--config", "a=1", "b=2", "-n", "-C", "c=3", "--config=d=4", "--workers", "1"],
            ["-n", "--cores", "1", "--config", "folder_id=ID", "a=1", "b=2", "c=3", "d=4"],
        ),
        (["ID", "--force-rescan"], ["--forcerun", "list_images", "--cores", "all", "--config", "folder_id=ID"]),
        (
            ["ID", "-n", "--force-rescan", "-R", "merge_markers"],
            ["-n", "-R", "list_images", "merge_markers", "--cores", "all", "--config", "folder_id=ID"],
        ),
        (["ID", "--", "verify"], ["verify", "--cores", "all", "--config", "folder_id=ID"]),
        (
            [DASHED, "name"],
            [
                *("--cores", "all", "--config"),
                *(f"folder_id=https://drive.google.com/drive/folders/{DASHED}", "folder_name=name"),
            ],
        ),
    ],
)
def test_how_snakemake_is_called(typed: list[str], called: list[str]) -> None:
    assert snakemake_arguments(typed) == ["--snakefile", str(ROOT / "Snakefile"), *called]


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ([], "the following arguments are required: FOLDER"),
        (["-n"], "the following arguments are required: FOLDER"),
        (["ID", "name", "many"], "'many' is not a number of workers: 1, 2, 3 …"),
        (["ID", "--workers", "0"], "'0' is not a number of workers: 1, 2, 3 …"),
        (["ID", "-n", "--workers", "x"], "'x' is not a number of workers: 1, 2, 3 …"),
        (["ID", "--workers"], "expected one argument"),
        (["ID", "name", "4", "--workers", "8"], "the number of workers is given twice: 4 and 8"),
        (
            ["ID", "--workers", "8", "--cores", "4"],
            "the number of workers is given twice: 8 and with snakemake's --cor",
        ),
        (["ID", "name", "4", "excess"], "unrecognized arguments: excess"),
        (["ID", "--config", "folder_id=OTHER"], "folder_id is given twice: ID and with --config"),
        (["ID", "name", "-C", "folder_name=x"], "folder_name is given twice: name and with --config"),
        (["ID", "--no-recursive", "--config", "recursive=true"], "recursive is given twice: false and with --config"),
    ],
)
def test_a_wrong_call_is_a_line_that_says_why(
    typed: list[str], line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [NAME])
    with pytest.raises(SystemExit) as ended:
        snakemake_arguments(typed)
    said = capsys.readouterr().err
    assert ended.value.code == 2 and said.startswith(f"usage: {NAME} upload"), said
    assert line in said.splitlines()[-1]


def test_help_says_what_there_is(workspace: Workspace) -> None:
    done = workspace.script(NAME, "--help")
    done.succeeded()
    assert all(command in done.stdout for command in ("upload FOLDER", "list", "shared", "drives", "snakemake"))
    done = workspace.script(NAME, "upload", "--help")
    done.succeeded()
    assert all(word in done.stdout for word in ("--workers", "--threads", "--no-recursive", "--force-rescan", "FOLDER"))
    assert workspace.script(NAME).code == workspace.script(NAME, "frobnicate").code == 2
    assert not list(Path(workspace.path).iterdir())
