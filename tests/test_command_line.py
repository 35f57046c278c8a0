"""scripts/googledrive_tocloudinary_mp.py: the command line of the script that this project replaces."""

from __future__ import annotations

import sys

import pytest

from drive2cloudinary.programs.replaced_script import snakemake_arguments
from tests.harness import ROOT, Finished, Workspace

NAME = "googledrive_tocloudinary_mp.py"
DASHED = "-aB3_dEfGhIjKlMnOpQrStUvWxYz-12345"


def upload(workspace: Workspace, *arguments: str, command: str = "upload") -> Finished:
    """Run `upload` as people have it in their scripts, with what leads it to the emulated cloud."""
    workspace.environment["CLOUDINARY_URL"] = workspace.cloud.cloudinary_url
    return workspace.script(NAME, command, *arguments, "--config", *emulated(workspace))


def emulated(workspace: Workspace) -> list[str]:
    cloud = workspace.cloud
    return [f"token={cloud.token}", f"drive_endpoint={cloud.drive_endpoint}", "timeout=5"]


def test_upload_moves_the_folder_from_any_working_directory(workspace: Workspace) -> None:
    (top,) = workspace.add("one.jpg")
    workspace.add("below.jpg", parent=workspace.cloud.drive("folder", name="Sub"))
    # What lies there by chance is no module of ours.
    (workspace.path / "yaml.py").write_text("raise SystemExit('not this one')")
    call = (workspace.cloud.folder_id, "My trip", "2", "--no-recursive", "--retry", "auto")
    done = upload(workspace, *call, command="UPLOAD").succeeded()
    done.line("--retry is not needed: each run tries the failed images again")
    assert [(row["file_id"], row["public_id"]) for row in workspace.mapping()] == [(top, "My_trip/one")]

    # A rescan of a real run finds what is new, and uploads nothing again.
    workspace.add("two.jpg")
    lists = workspace.calls("drive.list")
    upload(workspace, workspace.cloud.folder_id, "My trip", "--force-rescan", "--no-recursive").succeeded()
    assert workspace.calls("drive.list") == lists + 1 and workspace.calls("cloudinary.upload") == 2


def test_many_folders_of_a_spreadsheet_are_moved_but_for_its_wrong_lines(workspace: Workspace) -> None:
    """As spreadsheets write it: a byte order mark, semicolons, other columns, one of them with a name of ours."""
    folders = [workspace.cloud.drive("folder", name=name) for name in ("Summer", "Winter")]
    for folder in folders:
        workspace.add("a.jpg", parent=folder)
    lines = ["Nr;Where in Drive;Target;Link", f"1;{folders[0]};Warm;x", "2;;Nothing;x", f"3;{folders[1]};Cold;x;;"]
    (workspace.path / "table.csv").write_text("\r\n".join(lines), encoding="utf-8-sig")
    call = ("table.csv", "--link-column", "Where in Drive", "--name-column=target", "--workers", "2")
    done = upload(workspace, *call, command="Batch-Upload").failed()
    assert done.lines == ["table.csv, line 3: no folder_id and no link"] and not workspace.cloud.assets()

    done = upload(workspace, *call, "--skip-wrong-lines", command="batch-upload").failed()
    assert done.lines[-1] == "wrong lines of table.csv left out: 1"
    assert set(workspace.cloud.assets()) == {"Warm/a", "Cold/a"}


def test_a_dry_run_lists_anew_when_it_is_told_to(workspace: Workspace) -> None:
    folder = workspace.cloud.folder_id
    workspace.add("one.jpg")
    upload(workspace, folder, "-n").line("1 of 1 image to move")
    workspace.add("two.jpg")
    upload(workspace, folder, "-n").line("1 of 1 image to move")
    lists = workspace.calls("drive.list")
    upload(workspace, folder, "-n", "--force-rescan").line("2 of 2 images to move")
    assert workspace.calls("drive.list") == lists + 1
    assert not workspace.calls("cloudinary.upload")


def test_what_comes_after_goes_to_snakemake_and_its_exit_code_comes_back(workspace: Workspace) -> None:
    upload(workspace, DASHED, "-n", "--config", "retries=many").failed().line("wrong setting retries", "many")
    assert upload(workspace, DASHED, "--no-such-option").code == 2


def test_the_lists_of_folders_are_those_of_drive_folders(workspace: Workspace) -> None:
    options = ["--token", workspace.cloud.token, "--drive-endpoint", workspace.cloud.drive_endpoint]
    workspace.cloud.drive("shared_drive", name="Team")
    for command, fragment in (("LIST", "My Drive"), ("Shared", "No folder and no image is shared"), ("drives", "Team")):
        workspace.script(NAME, command, *options).succeeded().line(fragment)


ALL = ["--cores", "all", "--config", "folder_id=ID"]


@pytest.mark.parametrize(
    ("typed", "called"),
    [
        ("upload ID", ALL),
        ("upload ID 8", ["--cores", "8", "--config", "folder_id=ID"]),
        ("upload ID name 8", ["--cores", "8", "--config", "folder_id=ID", "folder_name=name"]),
        ("upload ID 4 4", ["--cores", "4", "--config", "folder_id=ID", "folder_name=4"]),
        ("upload --workers 4 ID", ["--cores", "4", "--config", "folder_id=ID"]),
        ("upload ID --threads 4 name", ["--cores", "4", "--config", "folder_id=ID", "folder_name=name"]),
        ("upload ID -n --no-recursive --retry false", ["-n", *ALL, "recursive=false"]),
        ("upload ID -j8", ["-j8", "--config", "folder_id=ID"]),
        ("upload ID --config a=1 b=2 -n -C c=3 --config=d=4", ["-n", *ALL, "a=1", "b=2", "c=3", "d=4"]),
        ("upload ID -n --force-rescan -R merge_markers", ["-n", "-R", "list_images", "merge_markers", *ALL]),
        ("upload ID -- verify", ["verify", *ALL]),
        (f"upload {DASHED}", [*ALL[:3], f"folder_id=https://drive.google.com/drive/folders/{DASHED}"]),
        ("batch-upload a.csv 8 -n", ["-n", "--cores", "8", "--config", "folders=a.csv"]),
        (
            "batch-upload --link-column Where a.csv --no-recursive --retry=true --config token=a.json",
            [*ALL[:3], "folders=a.csv", "folders_link_column=Where", "recursive=false", "token=a.json"],
        ),
    ],
)
def test_how_snakemake_is_called(typed: str, called: list[str]) -> None:
    command, *arguments = typed.split()
    assert snakemake_arguments(command, arguments) == ["--snakefile", str(ROOT / "Snakefile"), *called]


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("", "the following arguments are required: FOLDER"),
        ("ID name many", "'many' is not a number of workers: 1, 2, 3 …"),
        ("ID -n --workers x", "'x' is not a number of workers: 1, 2, 3 …"),
        ("ID --workers", "expected one argument"),
        ("ID name 4 --workers 8", "the number of workers is given twice: 4 and 8"),
        ("ID --workers 8 --cores 4", "the number of workers is given twice: 8 and with snakemake's --cor"),
        ("ID name 4 excess", "unrecognized arguments: excess"),
        ("ID 2024", "2024 is too many workers; if it is the Cloudinary folder: --config folder_name=2024"),
        ("ID --retry often", "argument --retry: invalid choice: 'often'"),
        ("ID --config folder_id=OTHER", "folder_id is given twice: ID and with --config"),
        ("ID --no-recursive --config recursive=true", "recursive is given twice: false and with --config"),
    ],
)
def test_a_wrong_call_is_a_line_that_says_why(
    typed: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [NAME])
    with pytest.raises(SystemExit, match="2"):
        snakemake_arguments("upload", typed.split())
    said = capsys.readouterr().err
    assert said.startswith(f"usage: {NAME} upload") and line in said.splitlines()[-1]


def test_help_says_what_there_is(workspace: Workspace) -> None:
    for arguments, words in (
        (["--help"], ["upload FOLDER", "batch-upload", "list", "shared", "drives", "snakemake"]),
        (["upload", "--help"], ["--workers", "--threads", "--no-recursive", "--force-rescan", "FOLDER"]),
    ):
        done = workspace.script(NAME, *arguments).succeeded()
        assert [word for word in words if word not in done.stdout] == []
    assert workspace.script(NAME).code == workspace.script(NAME, "frobnicate").code == 2
    assert not list(workspace.path.iterdir())
