"""Many folders in one run: each with its own results, and one mapping of all."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from drive2cloudinary.errors import MigrationError
from drive2cloudinary.plan.drive_folders import folders_of
from drive2cloudinary.results.format import FORMAT
from drive2cloudinary.settings import Settings
from tests.harness import NOTHING_TO_DO, Finished, Workspace, jpeg

Config = dict[str, Any]


def run(workspace: Workspace, *arguments: str, **config: Any) -> Finished:
    """Run the command on folders.csv."""
    return workspace.run(*arguments, folder_id=None, folders="folders.csv", **config)


def folders(workspace: Workspace, text: str) -> None:
    (workspace.path / "folders.csv").write_text(text, encoding="utf-8-sig")


def combined(workspace: Workspace) -> list[dict[str, Any]]:
    """The rows of the combined mapping, after a look that both forms have the same ones."""
    rows: list[dict[str, Any]] = json.loads((workspace.path / "results" / "mapping.json").read_text())
    with (workspace.path / "results" / "mapping.csv").open(newline="", encoding="utf-8-sig") as stream:
        assert [row["file_id"] for row in csv.DictReader(stream)] == [row["file_id"] for row in rows]
    return rows


def test_each_folder_has_its_results_and_one_mapping_has_all(workspace: Workspace) -> None:
    summer = workspace.cloud.drive("folder", name="Summer 2026")
    winter = workspace.cloud.drive("folder", name="Winter/2025")
    workspace.add("a.jpg", "b.jpg", parent=summer)
    workspace.add("a.jpg", parent=winter)
    folders(workspace, f"folder_name,link\r\nWarm,https://drive.google.com/drive/folders/{summer}\r\n\r\n,{winter}\r\n")

    dry = run(workspace, "-n").succeeded()
    headings = [f"Summer 2026 ({summer}):", f"Winter/2025 ({winter}):"]
    assert [line for line in dry.stdout.splitlines() if line.endswith("):")] == headings

    run(workspace).succeeded()
    rows = combined(workspace)
    assert [(row["folder_id"], row["folder"], row["public_id"], row["status"]) for row in rows] == [
        (summer, "Summer 2026", "Warm/a", "uploaded"),
        (summer, "Summer 2026", "Warm/b", "uploaded"),
        (winter, "Winter/2025", "Winter_2025/a", "uploaded"),
    ]
    assert set(workspace.cloud.assets()) == {"Warm/a", "Warm/b", "Winter_2025/a"}
    for folder_id, number in ((summer, 2), (winter, 1)):
        results = workspace.path / "results" / folder_id
        assert len(json.loads((results / "mapping.json").read_text())) == number
        assert len(list((results / "markers").iterdir())) == number

    workspace.add("c.jpg", parent=winter)
    run(workspace).succeeded()
    assert workspace.calls("cloudinary.upload") == len(combined(workspace)) == 4, "only the new one"


def read(given: Any, **more: Any) -> tuple[list[tuple[str, str, str]], list[str]]:
    """The folder_id, resource key and folder_name of each folder of the setting, and the lines that are left out."""
    left_out: list[str] = []
    found = folders_of(Settings(folders=given, **more), left_out.append)
    return [(each.folder_id, each.resource_key, each.folder_name) for each in found], left_out


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('Nr,Folder Name,Link,Remark\n1,Mine,1A,"a, b"\n', ("1A", "", "Mine")),
        ("NAME;URL;sum\nMine;https://drive.google.com/drive/folders/1A;1,5\n", ("1A", "", "Mine")),
        ("folder\tfolder-id\nMine\t1A\n", ("1A", "", "Mine")),
        ("folder_id,link,name\n1A,https://drive.google.com/open?id=1A,Mine\n", ("1A", "", "Mine")),
        # A bare ID beside a link does not lose its resource key.
        ("link,folder_id\nhttps://drive.google.com/drive/folders/1A?resourcekey=0-key,1A\n", ("1A", "0-key", "")),
        ("folder_id,link\n1A,https://drive.google.com/drive/folders/1A?resourcekey=0-key\n", ("1A", "0-key", "")),
    ],
)
def test_a_spreadsheet_of_its_own_kind_is_read(tmp_path: Path, text: str, found: tuple[str, str, str]) -> None:
    (tmp_path / "folders.csv").write_text(text, encoding="utf-8-sig")
    assert read(str(tmp_path / "folders.csv")) == ([found], [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("folder_name,link\nA,1A\nB,https://example.com/x\n", "line 3: folder_id"),
        ("folder_name,link\nA,\n", "line 2: no folder_id and no link"),
        ("folder_name,link\nA,1A\n\nA,1A\n", "line 4: folder 1A with the same folder_name is that of "),
        ('folder_name,folder_id\n"A,1A\n', "line 2: unexpected end of data"),
        ("folder_name,folder_id\nA,1A,more\n", "line 2: more cells"),
        ("name,place\nA,1A\n", "line 1: the columns"),
        ("folder_id,link\n1A,other\n", "line 2: two folders"),
        ("", "line 1: the columns"),
        ("folder_name,link\n", "names no folder"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folders.csv").write_text(text, encoding="utf-8-sig")
    with pytest.raises(MigrationError, match=f"^folders.csv,? {said}"):
        read("folders.csv")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"folder_id": "1B", "folder_name": 202401}, "folder_name: YAML reads it as 202401, not as text: put it into"),
        ({"folder_id": "1B", "folder_name": False}, "folder_name: YAML reads it as False, not as text: put it into"),
        (12345, "folder_id: YAML reads it as 12345, not as text: put it into quotes"),
        (date(2024, 1, 1), "folder_id: YAML reads it as 2024-01-01, not as text: put it into quotes"),
        ({"folder_id": "1B", "name": "x"}, "unknown key 'name'"),
        ({"folder_name": "x"}, "no folder_id and no link"),
    ],
)
def test_a_wrong_entry_of_the_list_is_named_and_can_be_left_out(entry: object, said: str) -> None:
    entries = (entry, {"folder_name": "Mine", "folder_id": "1A"})
    with pytest.raises(MigrationError, match=f"^folders, entry 1: {said}"):
        read(entries)
    found, (line,) = read(entries, skip_wrong_lines=True)
    assert found == [("1A", "", "Mine")] and line.startswith(f"folders, entry 1: {said}")


def test_settings_that_do_not_go_together_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "folders.csv").write_text("link\n1A\n")
    given = str(tmp_path / "folders.csv")
    wrong: list[tuple[str, Config, str]] = [
        (given, {"folders_link_column": "Where"}, "line 1: there is no column 'Where'"),
        (given, {"folders_name_column": "Where"}, "line 1: there is no column 'Where'"),
        (given, {"folder_id": "1A"}, "folder_id and folders are both set"),
        (f"{tmp_path}/nowhere.csv", {}, "nowhere.csv cannot be read"),
    ]
    for path, more, said in wrong:
        with pytest.raises(MigrationError, match=said):
            read(path, **more)


def test_wrong_lines_are_left_out_if_the_user_says_so_and_the_exit_code_tells(workspace: Workspace) -> None:
    workspace.add("a.jpg")
    folder_id = workspace.cloud.folder_id
    folders(workspace, f"link\nhttps://example.com/x\n{folder_id}\n{folder_id},x\n")
    run(workspace).refused("folders.csv, line 2: folder_id 'https://example.com/x' is neither")
    assert workspace.cloud.log() == [] and not (workspace.path / "results").exists()

    done = run(workspace, skip_wrong_lines="yes").failed()
    done.line("left out: folders.csv, line 2: folder_id 'https://example.com/x' is neither")
    done.line("left out: folders.csv, line 4: more cells than columns")
    assert done.lines[-1] == "wrong lines of folders.csv left out: 2"
    assert done.to_do != NOTHING_TO_DO
    assert [row["status"] for row in combined(workspace)] == ["uploaded"]
    run(workspace, "-n", skip_wrong_lines="yes").succeeded().line("left out: folders.csv, line 2")


def test_a_folder_that_cannot_be_listed_keeps_no_other_from_going(workspace: Workspace) -> None:
    album = workspace.cloud.drive("folder", name="Album")
    workspace.add("a.jpg", "b.jpg", parent=album)
    workspace.add("broken.jpg", parent=album, content_base64=jpeg("large", 30_000))
    workspace.cloud.settings(max_bytes=20_000)
    folders(workspace, f"link\nnot-shared-with-me\n{album}\n")
    done = run(workspace).failed()
    assert "not-shared-with-me does not exist, or is not shared" in done.line("not-shared-with-me")
    assert sorted(row["status"] for row in combined(workspace)) == ["failed", "uploaded", "uploaded"]
    assert {row["folder_id"] for row in combined(workspace)} == {album}


def test_a_revoked_token_is_said_once_for_all_folders(workspace: Workspace) -> None:
    workspace.cloud.oauth(revoke=True)
    folders(workspace, "\n".join(["link", *(workspace.cloud.drive("folder", name=name) for name in "abc")]))
    run(workspace).refused("run python scripts/authenticate.py")


def test_folders_of_one_name_never_share_a_public_id(workspace: Workspace) -> None:
    """Two are "Photos", and the third goes where they do, by another run."""
    first, second, third = (workspace.cloud.drive("folder", name=name) for name in ("Photos", "Photos", "Other"))
    for folder_id in (first, second, third):
        workspace.add("a.jpg", parent=folder_id, content_base64=jpeg(folder_id))
    folders(workspace, f"folder_name,folder_id\n,{first}\n,{second}\n")
    run(workspace, overwrite=True).succeeded()
    assert [row["status"] for row in combined(workspace)] == ["uploaded", "uploaded"]
    workspace.run(folder_id=third, folder_name="Photos/", overwrite=True).succeeded()
    assets = workspace.cloud.assets()
    assert len(assets) == 3 and all(asset["stores"] == 1 for asset in assets.values())
    assert {each["public_id"] for each in combined(workspace)} < set(assets)


def test_the_working_directory_may_be_the_results_folder(workspace: Workspace) -> None:
    workspace.add("a.jpg")
    folders(workspace, f"link\n{workspace.cloud.folder_id}\n")
    for arguments in (("-n",), (), ("verify",), ("--executor", "local", "-R", "upload_image")):
        done = run(workspace, *arguments, results="./").succeeded()
        assert "WARNING" not in done.said.upper(), done.said
    assert workspace.calls("cloudinary.upload") == 2
    for path in (workspace.path, workspace.path / workspace.cloud.folder_id):
        assert [row["public_id"] for row in json.loads((path / "mapping.json").read_text())] == ["Photos/a"]
    assert not (workspace.path / "results").exists()


def test_a_csv_may_name_one_drive_folder_twice_if_the_cloudinary_folders_differ(workspace: Workspace) -> None:
    """One inside the other, too: the names of both are kept apart."""
    workspace.add("x.jpg")
    workspace.add("x.jpg", parent=workspace.cloud.drive("folder", name="B"))
    folder_id = workspace.cloud.folder_id
    folders(workspace, f"folder_name,folder_id\nA/B,{folder_id}\nA,{folder_id}\n")
    for _ in range(2):
        run(workspace).succeeded()
    # Only one of the two is named now, and finds its own results.
    workspace.run(folder_name="A").succeeded()
    assets = workspace.cloud.assets()
    assert len(assets) == 4 == workspace.calls("cloudinary.upload"), sorted(assets)
    assert sorted(row["public_id"] for row in combined(workspace)) == sorted(assets)
    assert all(assets[row["public_id"]]["etag"] == row["md5"] for row in combined(workspace))


def test_a_dry_run_lists_anew_if_the_listing_at_hand_was_made_with_other_settings(workspace: Workspace) -> None:
    inner = workspace.cloud.drive("folder", name="B")
    workspace.add("1.jpg")
    workspace.add("2.jpg", parent=inner)
    workspace.add("3.pdf", mime="application/pdf")
    workspace.run(recursive=False).succeeded()
    listings = workspace.calls("drive.list")
    assert workspace.dry_run(recursive=False).line("0 of 1 image to move")
    assert workspace.calls("drive.list") == listings
    assert workspace.dry_run().line("1 of 2 images to move")
    assert workspace.dry_run(include='["image/*", "application/pdf"]').line("2 of 3 images to move")


def test_a_folder_whose_results_cannot_be_merged_costs_no_other_its_mapping(workspace: Workspace) -> None:
    """In the first one, a newer version has left the marker of an image that is gone; in both, an image fails."""
    albums = [workspace.cloud.drive("folder", name=name) for name in "ab"]
    ids = [workspace.add("one.jpg", "two.jpg", parent=album) for album in albums]
    folders(workspace, "\n".join(["link", *albums]))
    error = {"error": {"status": 400, "reason": "", "message": "Invalid image file"}}
    workspace.cloud.faults([{"on": "cloudinary.upload", "match": "two", "times": None, "do": error}])
    run(workspace).failed()
    first, second = (workspace.path / "results" / album for album in albums)
    (marker,) = (first / "markers").iterdir()
    newer = marker.read_text().replace(f'"format": {FORMAT}', f'"format": {FORMAT + 1}')
    (first / "markers" / f"1gone.{'0' * 32}.json").write_text(newer)
    for path in (second / "mapping.json", second / "report.html", workspace.path / "results" / "mapping.json"):
        path.unlink()
    done = run(workspace).failed()
    done.line("newer version", "1gone")
    assert any(each.startswith("1 Drive folder has no new mapping") for each in done.to_do)
    rows = json.loads((second / "mapping.json").read_text())
    assert {row["file_id"]: row["status"] for row in rows} == dict(zip(ids[1], ("uploaded", "failed"), strict=True))
    assert {row["file_id"] for row in combined(workspace)} == {*ids[0], *ids[1]} and (second / "report.html").exists()


def nested(workspace: Workspace) -> tuple[str, str]:
    """The IDs of a folder and of one below it, with an image each."""
    outer = workspace.cloud.drive("folder", name="Outer")
    middle = workspace.cloud.drive("folder", name="Middle", parent=outer)
    inner = workspace.cloud.drive("folder", name="Inner", parent=middle)
    workspace.add("a.jpg", parent=outer)
    workspace.add("b.jpg", parent=inner)
    return outer, inner


def test_a_folder_inside_another_one_is_left_out_and_said_before_the_first_upload(workspace: Workspace) -> None:
    outer, inner = nested(workspace)
    other = workspace.cloud.drive("folder", name="Other")
    workspace.add("c.jpg", parent=other)
    folders(workspace, f"link\n{inner}\n{outer}\n{other}\n")
    said = (
        f"left out: the Drive folder 'Inner' ({inner}) lies inside 'Outer' ({outer}), which has its images, too: give "
        "it a folder_name of its own to copy them twice"
    )
    dry = run(workspace, "-n").succeeded()
    assert dry.line("left out: ") == said and sum(line.startswith("new ") for line in dry.lines) == 3
    last = "Drive folders left out, because they lie inside another one: 1"
    for arguments in ((), (), ("verify",)):
        done = run(workspace, *arguments).failed()
        assert (done.lines[0], done.lines[-1]) == (said, last)
        assert done.to_do != NOTHING_TO_DO
    assert sorted(row["public_id"] for row in combined(workspace)) == ["Other/c", "Outer/Middle/Inner/b", "Outer/a"]
    assert workspace.calls("cloudinary.upload") == 3
    assert len(list((workspace.path / "results").glob("*/verify.csv"))) == 2


@pytest.mark.parametrize(
    ("text", "recursive", "uploads"),
    [("folder_name,link\nA,{outer}\nB,{inner}\n", True, 3), ("link\n{outer}\n{inner}\n", False, 2)],
)
def test_a_folder_inside_another_one_is_copied_if_that_was_meant(
    workspace: Workspace, text: str, recursive: bool, uploads: int
) -> None:
    """Into a Cloudinary folder of its own, or because the other folder's subfolders are not looked into."""
    outer, inner = nested(workspace)
    folders(workspace, text.format(outer=outer, inner=inner))
    done = run(workspace, recursive=recursive).succeeded()
    assert "left out" not in done.said and workspace.calls("cloudinary.upload") == uploads


def test_what_a_shortcut_leads_to_is_copied_once(workspace: Workspace) -> None:
    """A shortcut that is named itself, and one inside another folder of the run."""
    album, other = (workspace.cloud.drive("folder", name=name) for name in ("Album", "Other"))
    workspace.add("a.jpg", parent=album)
    workspace.add("b.jpg", parent=other)
    named = workspace.cloud.drive("shortcut", name="to the album", target=album)
    workspace.cloud.drive("shortcut", name="my album", target=album, parent=other)
    folders(workspace, f"link\n{named}\n{album}\n{other}\n")
    done = run(workspace).failed()
    done.line(f"left out: the Drive folder {named} is a shortcut to 'Album' ({album}), which is copied, too")
    done.line(f"'my album' in 'Other' is a Drive folder of this run by itself ({album}): its images are copied there")
    assert sorted(row["public_id"] for row in combined(workspace)) == ["Album/a", "Other/b"]
    assert workspace.calls("cloudinary.upload") == 2
