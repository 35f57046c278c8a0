"""What people type and where they work, through the real command: it is understood, or one line says what to do."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

from tests.harness import ROOT, Workspace

ODD = 'it\'s "q" 100% #1 é東 $HOME `x` ;& {folder}'


def clone(folder: Path) -> Path:
    """A copy of what a run needs of the project; returns its Snakefile."""
    folder.mkdir(parents=True)
    for name in ("Snakefile", "config.schema.yaml", "config.yaml"):
        shutil.copy(ROOT / name, folder)
    for name in ("scripts", "profiles", "envs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder / "Snakefile"


def test_a_working_folder_may_have_any_name(workspace: Workspace) -> None:
    """Also with braces, which Snakemake takes for wildcards elsewhere."""
    odd = replace(workspace, path=workspace.path / ODD)
    (odd.path / "to{ken}").mkdir(parents=True)
    odd.add("one.jpg")
    (odd.path / "to{ken}/token.json").write_text(Path(workspace.cloud.token).read_text())
    (odd.path / "to{ken}/token.json").chmod(0o600)
    odd.dry_run(token="to{ken}/token.json").succeeded().line("1 of 1 image to move")
    odd.run("--executor", "local", token="to{ken}/token.json").succeeded()
    odd.audit()


def test_a_project_folder_with_braces_is_one_line_before_anything_starts(workspace: Workspace) -> None:
    snakefile = clone(workspace.path.parent / "a{b}" / "drive2cloudinary")
    for arguments in (["-n"], []):
        command = workspace.command(*arguments)
        command[command.index("--snakefile") + 1] = str(snakefile)
        done = workspace.run_line(command).failed()
        said = done.line("the folder of the Snakefile: ", "a{b}/drive2cloudinary has braces, which Snakemake takes for")
        assert done.lines == [said]
    assert not (workspace.path / "results").exists()


def test_a_key_that_stands_twice_in_a_file_is_one_line(workspace: Workspace) -> None:
    """In a file of --configfile, and in config.yaml for the other programs."""
    more = workspace.path / "more.yaml"
    more.write_text("limit: 1\nexclude: [a]\nlimit: 2\n")
    workspace.run("--configfile", "more.yaml").refused(
        "more.yaml, line 3: limit is set twice: leave one of the two out"
    )

    snakefile = clone(workspace.path.parent / "clone")
    with snakefile.with_name("config.yaml").open("a") as config:
        config.write("limit: 1\n")
    workspace.run_line([sys.executable, f"{snakefile.parent}/scripts/drive_folders.py"]).refused(
        "config.yaml, line ", ": limit is set twice"
    )


def test_a_home_folder_a_number_and_an_address_are_taken_as_they_are_typed(workspace: Workspace) -> None:
    workspace.environment["HOME"] = str(workspace.path)
    workspace.environment["CLOUDINARY_URL"] = f"CLOUDINARY_URL='{workspace.cloud.cloudinary_url}' "
    shutil.copy(workspace.cloud.token, workspace.path / "token.json")
    (workspace.path / "token.json").chmod(0o600)
    address = f"<https://drive.google.com/drive/mobile/folders/1Parent/{workspace.cloud.folder_id}?usp=drivesdk>"
    (workspace.path / "folders.csv").write_bytes(f"sep=;\r\nName;Link\r\nCafé;{address}\r\n".encode("utf-16"))
    workspace.add("one.jpg")
    workspace.run(
        folder_id=None,
        folders="~/folders.csv",
        token="~/token.json",
        results="~/out",
        retries="2.0",
        uploads_at_once="1e1",
        limit="'5'",
    ).succeeded()
    (asset,) = workspace.cloud.assets()
    assert asset == "Café/one"
    assert (workspace.path / "out" / "mapping.csv").exists() and not (workspace.path / "~").exists()
