"""Snakemake's own options and targets do what they say, or one line says what to type instead."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.harness import Workspace


def marker_of(workspace: Workspace, name: str) -> str:
    """The target for one image of the listing at hand."""
    images = json.loads((workspace.results / "listing.json").read_text())["images"]
    image = next(each for each in images if each["name"] == name)
    return f"results/{workspace.cloud.folder_id}/markers/{image['id']}.{image['md5']}.json"


def test_a_setting_without_config_before_it_is_a_line_that_says_where_it_goes(workspace: Workspace) -> None:
    done = workspace.run("folder_id=X", "folder_name=Y")
    done.failed()
    assert done.lines == ["folder_id=X is a setting: put --config before it, as in --config folder_id=X"]


@pytest.mark.parametrize("forced", [("-F",), ("-R", "upload_image")], ids=" ".join)
def test_a_dry_run_shows_what_is_forced(workspace: Workspace, forced: tuple[str, ...]) -> None:
    workspace.add("1.jpg", "2.jpg")
    workspace.run().succeeded()
    assert workspace.dry_run().line("0 of 2 images to move")
    done = workspace.dry_run(*forced)
    done.succeeded()
    assert done.line("2 of 2 images to move (0 new, 0 changed, 0 failed before, 2 forced)")
    assert done.line("forced", "1.jpg")


def test_one_marker_as_the_target_is_a_line_that_says_what_came_of_it(workspace: Workspace) -> None:
    workspace.add("1.jpg", "2.jpg")
    workspace.cloud.drive("add", name="no picture.jpg", content_base64="AAAA", parent="")
    workspace.dry_run().succeeded()
    done = workspace.run(marker_of(workspace, "1.jpg"))
    done.succeeded()
    assert done.lines == [done.line("uploaded: 1.jpg: http")]

    bad = workspace.run(marker_of(workspace, "no picture.jpg"))
    bad.failed()
    assert bad.lines == [bad.line("failed: ", "Invalid image file")]

    workspace.cloud.oauth(revoke=True, expire=True)
    stopped = workspace.run(marker_of(workspace, "2.jpg"))
    stopped.failed()
    assert stopped.lines == [stopped.line("run python scripts/authenticate.py")]


def test_without_cores_all_of_them_are_used(workspace: Workspace) -> None:
    workspace.add("1.jpg")
    command = workspace.command()
    at = command.index("--cores")
    workspace.run_line([*command[:at], *command[at + 2 :]]).succeeded()
    workspace.audit()


def test_a_stop_is_the_last_thing_that_is_said_and_files_gone_from_drive_are_named(workspace: Workspace) -> None:
    gone, *_ = workspace.add("gone.jpg", "1.jpg", "2.jpg")
    workspace.run().succeeded()
    workspace.cloud.drive("delete", id=gone)
    workspace.add("3.jpg")
    workspace.environment["CLOUDINARY_URL"] = workspace.cloud.cloudinary_url.replace("@", "x@", 1)
    done = workspace.run()
    done.failed()
    assert "to do: nothing" not in done.said and "the run ended before" not in done.said
    assert done.lines[-1].startswith("to do: 1 image pending, because the run was stopped: Cloudinary does not accept")
    assert done.line("3 images: 2 uploaded, 0 existing, 0 failed, 1 pending, 0 skipped")
    orphans = Path("results", workspace.cloud.folder_id, "orphans.csv")
    assert done.line(f"gone from Drive: 1 image, still in Cloudinary: see {orphans}")


def test_a_folder_that_was_not_listed_is_something_to_do(workspace: Workspace) -> None:
    workspace.add("1.jpg")
    (workspace.path / "folders.csv").write_text(
        f"folder_name,link\n,{workspace.cloud.folder_id}\n,1AbCdEfGhIjKlMnOpQrStUvWxYz012345\n"
    )
    done = workspace.run(folder_id=None, folders="folders.csv")
    done.failed()
    assert done.lines[-1].startswith("to do: 1 Drive folder was not listed, for the reason above. Then run")
