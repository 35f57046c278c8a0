"""Values for single images: the CSV file of the setting `assets`, Drive's description, the names of the folders."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from drive2cloudinary.errors import MigrationError
from drive2cloudinary.plan import assets_file
from tests.harness import Workspace, jpeg


def write(workspace: Workspace, *lines: str) -> None:
    (workspace.path / "assets.csv").write_text("\n".join(lines) + "\n", encoding="utf-8-sig")


def assets(workspace: Workspace) -> dict[str, dict[str, Any]]:
    """File name in Drive → its asset."""
    return {asset["sent_filename"]: asset for asset in workspace.cloud.assets().values()}


def context(workspace: Workspace, filename: str) -> dict[str, str]:
    """The context of the asset of a file, without the file's ID."""
    found: dict[str, str] = assets(workspace)[filename]["context"]
    return {key: value for key, value in found.items() if key != "drive_id"}


def test_each_image_gets_the_values_of_its_line(workspace: Workspace) -> None:
    inner = workspace.cloud.drive("folder", name="Ünder")
    (one,) = workspace.add("one.jpg")
    workspace.add("two.jpg", "three.jpg", parent=inner)
    write(
        workspace,
        "file_id;path;tags;alt;caption;public_id",
        f'{one};;"red; dark|large";An alt;;',
        ';U\u0308nder/two.jpg;;"a=b|c, ""d"" \\";A caption;Chosen/name',
        ";gone.jpg;x;;;",
        "1Gone;;x;;;",
    )
    done = workspace.run(
        assets="assets.csv", upload="{tags: [all], context: {alt: of all, k: v}}", fit=True
    ).succeeded()
    done.line("warning: no image of this Drive folder fits assets.csv, line 4 (gone.jpg), assets.csv, line 5 (1Gone)")
    assert assets(workspace)["one.jpg"]["tags"] == ["all", "red", "dark", "large"]
    assert context(workspace, "one.jpg") == {"alt": "An alt", "k": "v"}
    assert context(workspace, "two.jpg") == {"alt": 'a=b|c, "d"', "caption": "A caption", "k": "v"}
    assert context(workspace, "three.jpg") == {"alt": "of all", "k": "v"}
    assert sorted(workspace.cloud.assets()) == ["Chosen/name", "Photos/one", "Photos/Ünder/three"]
    assert assets(workspace)["two.jpg"]["asset_folder"] == "Photos/Ünder"


def test_the_description_in_drive_is_asked_for_and_taken_only_if_it_is_wanted(workspace: Workspace) -> None:
    hostile = "Line 1\nline | 2 \\|drive_id=x\t\x1b" + "x" * 5000
    (one,) = workspace.add("one.jpg", description=hostile)
    (two,) = workspace.add("two.jpg", description="Second")
    (three,) = workspace.add("three.jpg")
    workspace.run().succeeded()
    assert context(workspace, "one.jpg") == {} and "Second" not in (workspace.results / "listing.json").read_text()

    for file_id in (one, two, three):
        workspace.cloud.drive("replace", id=file_id, content_base64=jpeg(f"new {file_id}"))
    write(workspace, "path,caption", "two.jpg,Better")
    workspace.run(caption_from_description="true", assets="assets.csv").succeeded()
    said = context(workspace, "one.jpg")
    assert said["caption"] == said["alt"] and said["alt"].startswith("Line 1\nline | 2 |drive_id=x") and len(said) == 2
    assert assets(workspace)["one.jpg"]["context"]["drive_id"] == one
    assert context(workspace, "two.jpg") == {"caption": "Better", "alt": "Second"}
    assert context(workspace, "three.jpg") == {}


def test_folders_become_tags(workspace: Workspace) -> None:
    a = workspace.cloud.drive("folder", name="A, B")
    b = workspace.cloud.drive("folder", name="C", parent=a)
    workspace.add("one.jpg")
    workspace.add("two.jpg", parent=b)
    workspace.run(tags_from_folders="true").succeeded()
    assert assets(workspace)["one.jpg"]["tags"] == [] and assets(workspace)["two.jpg"]["tags"] == ["A B", "C"]


def test_a_public_id_counts_until_the_image_has_been_moved(workspace: Workspace) -> None:
    one, two = workspace.add("one.jpg", "two.jpg")
    workspace.dry_run().succeeded()
    write(workspace, "file_id,public_id", f"{one},Photos/two")
    dry = workspace.dry_run(assets="assets.csv").failed()
    dry.line("assets.csv, line 2: public_id Photos/two is that of another image")
    write(workspace, "file_id,public_id", f"{one},Photos/two", f"{two},Photos/one")
    workspace.run(assets="assets.csv").succeeded()
    names = {row["filename"]: row["public_id"] for row in workspace.mapping()}
    assert names == {"one.jpg": "Photos/two", "two.jpg": "Photos/one"}

    write(workspace, "file_id,public_id", f"{one},Other", f"{two},Photos/one")
    workspace.cloud.drive("replace", id=one, content_base64=jpeg("new"))
    workspace.run(assets="assets.csv").succeeded().line("warning: assets.csv, line 2: the image keeps its public_id")
    workspace.run().succeeded()
    workspace.audit(crashes=1)
    assert sorted(workspace.cloud.assets()) == ["Photos/one", "Photos/two"]


def test_an_image_whose_name_was_taken_can_be_given_another(workspace: Workspace) -> None:
    (one,) = workspace.add("one.jpg")
    workspace.cloud.plant("Photos/one", base64.b64decode(jpeg("of somebody else")))
    workspace.run().failed()
    write(workspace, "file_id,public_id", f"{one},Photos/mine")
    workspace.run(assets="assets.csv").succeeded()
    assert sorted(workspace.cloud.assets()) == ["Photos/mine", "Photos/one"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["path,tag"], "line 1: the columns must be file_id or path, and any of tags, alt, caption"),
        (["tags"], "line 1: the columns must be"),
        (["path,tags", "a,b,c"], "line 2: more cells than columns"),
        (["path,tags", "a.jpg,x", ",x"], "line 3: no file_id and no path"),
        (["path,file_id", "a.jpg,1A"], "line 2: both file_id and path"),
        (["file_id,tags", "../x,a"], "line 2: file_id '../x' is not a Drive file's ID"),
        (["path,tags", '"a.jpg","b,c"'], "line 2: tag 'b,c' is not one"),
        (["path,tags", f"a.jpg,{'x' * 256}"], "line 2: tag"),
        (["path,alt", f"a.jpg,{'x' * 1025}"], "line 2: alt has more than 1024 characters"),
        (["path,public_id", "a.jpg,a?b"], "line 2: public_id 'a?b' is not one"),
        (["path,public_id", "a.jpg,v1/b"], "line 2: public_id 'v1/b' is not one"),
        (["path,public_id", f"a.jpg,{'b' * 256}"], "line 2: public_id"),
        (["path,public_id", "a.jpg,x(", "b.jpg,x)"], "line 3: public_id 'x)' is that of .*assets.csv, line 2, too"),
        (["path,tags", "a.jpg,x", "/a.jpg,y"], "line 3: path '/a.jpg' is that of .*assets.csv, line 2, too"),
        (["path,tags", '"a.jpg'], "line 2: unexpected end of data"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, lines: list[str], said: str) -> None:
    (tmp_path / "assets.csv").write_text("\n".join([*lines, ""]))
    pattern = re.escape(said).replace(re.escape(".*"), ".*")
    with pytest.raises(MigrationError, match=f"assets.csv, {pattern}"):
        assets_file.read(str(tmp_path / "assets.csv"))


def line(number: int, **more: str) -> assets_file.Line:
    """A line of the file about a path or a file_id."""
    fields = {"file_id": "", "path": "", "alt": "", "caption": "", "public_id": "", **more}
    return assets_file.Line(f"line {number}", tags=("x",), **fields)


def test_a_path_that_fits_several_images_gives_them_all_but_a_public_id() -> None:
    images = [("1A", "one.jpg"), ("1B", "one.jpg"), ("1C", "two.jpg")]
    tagged = line(2, path="one.jpg")
    assert assets_file.of_images([tagged], images, pytest.fail) == {"1A": tagged, "1B": tagged}
    for lines, said in (
        ([line(2, path="one.jpg", public_id="x")], "line 2: one.jpg fits 2 images, which cannot have one public_id: "),
        ([line(2, file_id="1C"), line(3, path="two.jpg")], "line 3: the image is that of line 2, too"),
    ):
        with pytest.raises(MigrationError, match=said):
            assets_file.of_images(lines, images, pytest.fail)


def test_a_wrong_line_is_said_before_anything_starts(workspace: Workspace) -> None:
    write(workspace, "path,public_id", "a.jpg,a?b")
    for command in (workspace.dry_run, workspace.run):
        done = command(assets="assets.csv").failed()
        assert done.lines == [done.line("assets.csv, line 2: public_id 'a?b' is not one")] and not workspace.cloud.log()


def test_a_dry_run_lists_again_if_the_file_has_changed(workspace: Workspace) -> None:
    (one,) = workspace.add("one.jpg")
    workspace.dry_run().succeeded()
    write(workspace, "file_id,public_id", f"{one},Chosen")
    workspace.dry_run(assets="assets.csv").succeeded()
    listed = json.loads((workspace.results / "listing.json").read_text())
    assert [image["public_id"] for image in listed["images"]] == ["Chosen"]
    workspace.cloud.reset()
    workspace.dry_run(assets="assets.csv").succeeded()
    assert not workspace.cloud.log()


def test_a_name_from_the_file_is_kept_from_other_migrations_wherever_it_is(workspace: Workspace) -> None:
    """It may lie in the Cloudinary folder of another Drive folder."""
    mine, other = workspace.cloud.drive("folder", name="Mine"), workspace.cloud.drive("folder", name="Other")
    (image,) = workspace.add("a.jpg", parent=mine)
    workspace.add("x.jpg", parent=other)
    (workspace.path / "assets.csv").write_text(f"file_id,public_id\n{image},Other/x\n")
    workspace.run(folder_id=mine, assets="assets.csv").succeeded()
    workspace.run(folder_id=other).succeeded()
    assets = workspace.cloud.assets()
    assert len(assets) == 2 and assets["Other/x"]["context"]["drive_id"] == image
