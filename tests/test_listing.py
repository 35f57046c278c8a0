"""The listing: every image of the folder, each once, and complete or not there at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drive2cloudinary.drive.file import DriveFile
from drive2cloudinary.errors import MigrationError
from drive2cloudinary.results import listing
from tests.emulator.client import Emulator
from tests.harness import Workspace
from tests.listings import albums, found_below, listed, paths, run_list


@pytest.fixture(scope="module")
def large_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """1,300 images in seven albums: Drive's pages hold 460."""
    store = tmp_path_factory.mktemp("large")
    with Emulator(store / "Photos", store / "cloud", generate=1300, generate_bytes=900) as emulator:
        yield emulator


@pytest.mark.xdist_group("large cloud")
def test_more_images_than_fit_on_a_page_are_listed_with_few_calls(large_cloud: Emulator, tmp_path: Path) -> None:
    large_cloud.reset()
    workspace = Workspace(tmp_path, large_cloud)
    images = listed(workspace)
    assert len({image.id for image in images}) == len({image.public_id for image in images}) == len(images) == 1300
    assert large_cloud.stats()["counts"]["drive.list"] == 1 + 1 + 3, "the root, the year, and three pages of all albums"


@pytest.mark.xdist_group("large cloud")
def test_a_page_that_fails_stops_the_run_and_leaves_the_last_good_listing(
    large_cloud: Emulator, tmp_path: Path
) -> None:
    large_cloud.reset()
    workspace = Workspace(tmp_path, large_cloud)
    dry = workspace.dry_run("--quiet").succeeded()
    assert "1,300 of 1,300 images to move (1,300 new" in dry.said
    before = (workspace.results / "listing.json").read_bytes()
    failure = {"error": {"status": 500, "reason": "backendError"}}
    large_cloud.faults([{"on": "drive.list", "skip": 3, "times": None, "do": failure}])
    workspace.run(retries=0).refused("Drive answered 500")
    assert (workspace.results / "listing.json").read_bytes() == before
    assert not workspace.calls("drive.media") and not workspace.calls("cloudinary.upload")
    assert not workspace.markers()


@pytest.mark.xdist_group("large cloud")
def test_a_page_token_that_drive_refuses_begins_again_at_page_one(large_cloud: Emulator, tmp_path: Path) -> None:
    large_cloud.reset()
    refusal = {"error": {"status": 400, "reason": "invalid", "message": "Invalid Value"}}
    large_cloud.faults([{"on": "drive.list", "skip": 3, "do": refusal}])
    assert len(listed(Workspace(tmp_path, large_cloud))) == 1300


def test_what_may_not_be_downloaded_or_converted_is_said_in_the_listing(workspace: Workspace) -> None:
    """Of a shortcut, what its target says counts."""
    cloud = workspace.cloud
    (locked,) = workspace.add("locked.jpg", capabilities={"canDownload": False})
    (target,) = workspace.add("target.jpg", parent="root", capabilities={"canDownload": False})
    cloud.drive("shortcut", name="link.jpg", target=target)
    big, *small = workspace.add("big.jpg", "unknown.jpg", "odd.jpg", "hollow.jpg", "small.jpg")
    values: list[object] = [{"width": 6000, "height": 4500, "cameraMake": "Any"}, None, {"width": 100, "height": 0}, {}]
    for image, value in zip([big, *small], values, strict=False):
        cloud.drive("set", id=image, imageMediaMetadata=value)
    images = listed(workspace)
    assert {image.id for image in images if image.no_download} == {locked, target}
    assert {image.id: image.pixels for image in images if image.pixels} == {big: 27_000_000}


@pytest.mark.xdist_group("large cloud")
def test_how_many_images_are_found_is_said_page_by_page(large_cloud: Emulator, tmp_path: Path) -> None:
    large_cloud.reset()
    large_cloud.faults([{"on": "drive.list", "skip": 2, "do": {"page": 500, "incomplete": "last"}, "times": 3}])
    images, said = found_below(Workspace(tmp_path, large_cloud))
    assert len(images) == said[-1] == 1300
    assert len(said) >= 3 and said == sorted(set(said)), "a search that is repeated counts nothing twice"


@pytest.mark.parametrize("where", ["first", "last", "one folder of many"])
def test_a_search_that_drive_never_completes_stops_the_run(workspace: Workspace, where: str) -> None:
    """Files are missing then, and one word on one page says so."""
    fault: dict[str, Any] = {"on": "drive.list", "times": None, "do": {"page": 1, "incomplete": where}}
    name = "Photos"
    workspace.add("one.jpg", "two.jpg", "three.jpg")
    if where == "one folder of many":
        name = "album 1"
        fault |= {"match": albums(workspace, 3)[1], "do": {"incomplete": True}}
    workspace.cloud.faults([fault])
    run_list(workspace).refused(f"cannot list {name}: Drive could not search everywhere")
    assert not (workspace.results / "listing.json").exists()


def test_a_search_that_drive_completes_when_it_is_asked_again_is_a_listing(workspace: Workspace) -> None:
    workspace.add("one.jpg", "two.jpg", "three.jpg")
    workspace.cloud.faults([{"on": "drive.list", "do": {"page": 1, "incomplete": "last"}, "times": 3}])
    assert len(listed(workspace)) == 3


def test_a_page_may_be_short_or_empty_and_still_have_a_next_one(workspace: Workspace) -> None:
    workspace.add("one.jpg", "two.jpg", "three.jpg")
    pages = [{"on": "drive.list", "do": {"page": size}, "times": times} for size, times in ((0, 2), (1, 1), (0, 3))]
    workspace.cloud.faults(pages)
    assert len(listed(workspace)) == 3 and workspace.calls("drive.list") == 7


def test_pages_without_an_end_end_the_listing_with_a_line(workspace: Workspace) -> None:
    workspace.add("one.jpg")
    workspace.cloud.faults([{"on": "drive.list", "do": {"endless_pages": True}, "times": None}])
    run_list(workspace).refused("cannot list Photos", "page after page")
    assert workspace.calls("drive.list") <= 101


@pytest.mark.parametrize("closed", [{"member": False}, {"member": False, "shared": False}])
def test_a_folder_in_a_shared_drive_of_which_the_account_is_no_member(
    workspace: Workspace, closed: dict[str, bool]
) -> None:
    """Shared with a service account, say. Drive answers 404 or 403 to a search in that drive."""
    cloud = workspace.cloud
    team = cloud.drive("shared_drive", name="Team")
    lent = cloud.drive("folder", name="Lent", parent=team, sharedWithMeTime="2026-01-02T03:04:05.000Z")
    workspace.add("private.jpg", parent=team)
    for album in cloud.drive_all([{"op": "folder", "name": f"album {n}", "parent": lent} for n in range(4)]):
        workspace.add(f"{album}.jpg", parent=album)
    cloud.drive("set", id=team, **closed)
    workspace.run(folder_id=lent, token=cloud.service_account).succeeded()
    assert len(cloud.assets()) == 4
    # The root twice, the albums each: what the first query has shown holds for all of them.
    assert workspace.calls("drive.list") == 2 + 4
    workspace.run(folder_id=team, token=cloud.service_account).failed()


def test_a_listing_that_fails_names_the_folder(workspace: Workspace) -> None:
    holidays = workspace.cloud.drive("folder", name="Holidays")
    year = workspace.cloud.drive("folder", name="2024", parent=holidays)
    workspace.add("one.jpg", parent=year)
    gone = {"error": {"status": 404, "reason": "notFound"}}
    for fault, said in ((gone, "it is gone, or not shared"), ({"html": 502}, "answered 502")):
        workspace.cloud.faults([{"on": "drive.list", "match": year, "do": fault, "times": None}])
        run_list(workspace).refused("cannot list Holidays/2024: ", said)


def test_an_answer_that_is_no_list_is_asked_for_again(workspace: Workspace) -> None:
    workspace.add("one.jpg")
    bodies = ['{"kind": "drive#fileList"}', '{"error": {"code": 500, "message": "Internal"}}', '{"files": [{"id": "1a']
    workspace.cloud.faults([{"on": "drive.list", "do": {"body": body}, "times": 1} for body in bodies])
    assert len(listed(workspace, retries=3)) == 1
    assert workspace.calls("drive.list") == 1 + len(bodies)


NO_LISTS = [
    '{"files": 7}',
    "{}",
    "[]",
    '{"files": [{"id": 7}]}',
    '{"files": [{"id": "../../x", "name": "x", "mimeType": "image/png"}]}',
    '{"files": [{"id": "x", "name": "x", "mimeType": "image/png", "md5Checksum": "../x"}]}',
    '{"files": [{"id": "x", "name": ["x"], "mimeType": "image/png"}]}',
    '{"files": [{"id": "x", "name": "x", "mimeType": "image/png", "size": "many"}]}',
    '{"files": [], "nextPageToken": 7}',
    "not JSON",
]


def test_an_answer_that_is_not_what_the_api_promises_is_a_line_and_no_listing(workspace: Workspace) -> None:
    for body in NO_LISTS:
        workspace.cloud.faults([{"on": "drive.list", "do": {"body": body}, "times": None}])
        with pytest.raises(MigrationError, match="Drive") as caught:
            found_below(workspace, retries=0)
        assert "\n" not in str(caught.value), body
    done = run_list(workspace).failed()
    assert done.lines == [done.line("Drive")] and not (workspace.results / "listing.json").exists()


def test_a_detail_that_is_not_what_the_api_promises_counts_as_missing() -> None:
    told = {"id": "x", "name": "a.jpg", "mimeType": "image/jpeg", "md5Checksum": "0" * 32}
    odd: dict[str, list[object]] = {
        "imageMediaMetadata": [{"width": "8"}, {"height": -8}, {"width": 1 << 32}, [8, 8]],
        "description": [7],
        "fileExtension": [["jpg"]],
        "capabilities": ["all"],
        "spaces": [1],
    }
    for detail, values in odd.items():
        for value in values:
            assert DriveFile.from_answer({**told, detail: value}) == replace(DriveFile.from_answer(told), odd=(detail,))
        assert DriveFile.from_answer({**told, detail: None}) == DriveFile.from_answer(told)


def test_a_detail_that_counts_as_missing_is_said_once_with_its_files(workspace: Workspace) -> None:
    workspace.add("one.jpg")
    album = workspace.cloud.drive("folder", name="Album")
    workspace.add(*(f"{n}.jpg" for n in range(5)), parent=album, imageMediaMetadata={"width": "wide"})
    done = run_list(workspace).succeeded()
    assert done.lines == [
        "warning: Drive's imageMediaMetadata is not what its API promises, and counts as missing: Album/0.jpg, "
        "Album/1.jpg, Album/2.jpg and 2 more"
    ]
    assert len(listing.read(workspace.results / "listing.json").images) == 6


def test_documents_videos_and_what_is_in_the_trash_are_left_out(workspace: Workspace) -> None:
    """A wide `include` takes other files as well, but neither folders nor Google's documents."""
    cloud = workspace.cloud
    for name, mime in (("one.jpg", "image/jpeg"), ("film.mp4", "video/mp4"), ("paper.pdf", "application/pdf")):
        workspace.add(name, mime=mime)
    cloud.drive("document", name="Letter.jpg")
    (trashed,) = workspace.add("trashed.jpg")
    folder = cloud.drive("folder", name="Trashed")
    workspace.add("in trash.jpg", parent=folder)
    for each in (trashed, folder):
        cloud.drive("trash", id=each)
    assert paths(listed(workspace)) == ["one.jpg"]
    for include in ("application/*", "*", "application/[pq]d?"):
        found, _ = found_below(workspace, include=(include,))
        assert {"one.jpg", "paper.pdf"} <= {image.file.name for image in found} <= {"one.jpg", "paper.pdf", "film.mp4"}


def test_a_picture_that_is_called_something_else_is_an_image(workspace: Workspace) -> None:
    """Some programs write pictures as a MIME type that says nothing; Drive still knows the extension."""
    cloud = workspace.cloud
    names = ["a.jpg", "b.PNG", "c.heic", "data.bin", "no extension", "paper.pdf", "film.mp4"]
    workspace.add(*names, mime="application/octet-stream")
    workspace.add("d.jpeg", mime="binary/octet-stream")
    workspace.add("told.dat", mime="application/octet-stream", fileExtension="tif")
    far, data = workspace.add("far.webp", "far.bin", parent="root", mime="application/octet-stream")
    cloud.drive("shortcut", name="link", target=far)
    cloud.drive("shortcut", name="link to data", target=data)
    assert {image.name: image.mime_type for image in listed(workspace)} == {
        "a.jpg": "image/jpeg",
        "b.PNG": "image/png",
        "c.heic": "image/heif",
        "d.jpeg": "image/jpeg",
        "told.dat": "image/tiff",
        "far.webp": "image/webp",
    }
    workspace.run(include='["image/jpeg"]').succeeded()
    rows = {row["filename"]: (row["status"], row["error"]) for row in workspace.mapping()}
    assert rows["a.jpg"] == rows["d.jpeg"] == ("uploaded", "")
    assert rows["b.PNG"] == ("skipped", "include has no image/png") and len(rows) == 6
    both = listed(workspace, include=("application/pdf", "application/octet-stream"))
    assert {image.mime_type for image in both if image.name != "d.jpeg"} == {"application/octet-stream"}
    assert [image.name for image in both if image.skipped] == ["d.jpeg"] and len(both) == 11


def test_recursive_false_takes_the_folder_itself_alone(workspace: Workspace) -> None:
    inner = workspace.cloud.drive("folder", name="Inner")
    (there,) = workspace.add("inner.jpg", parent=inner)
    workspace.add("one.jpg")
    workspace.cloud.drive("shortcut", name="to inner", target=inner)
    workspace.cloud.drive("shortcut", name="to image", target=there)
    assert paths(listed(workspace, recursive=False)) == ["inner.jpg", "one.jpg"]
    assert workspace.calls("drive.list") == 1


def test_shared_drives_are_listed_and_migrated_like_ones_own(workspace: Workspace) -> None:
    shared = workspace.cloud.drive("shared_drive", name="Team")
    inner = workspace.cloud.drive("folder", name="Inner", parent=shared)
    workspace.add("one.jpg", parent=shared)
    workspace.add("two.jpg", parent=inner)
    workspace.cloud.drive("shortcut", name="to Team", target=inner)
    workspace.add("own.jpg")
    workspace.run(folder_id=shared).succeeded()
    assert sorted(workspace.cloud.assets()) == ["Team/Inner/two", "Team/one"]
    assert paths(listed(workspace)) == ["own.jpg", "to Team/two.jpg"], "also from one's own Drive"


def test_link_shared_files_are_read_with_their_resource_keys(workspace: Workspace) -> None:
    """Also with that of the URL alone: of the folder itself Drive does not repeat it."""
    cloud = workspace.cloud
    key: dict[str, Any] = {"resourceKey": "0-album", "resource_key_required": True, "resource_key_told": False}
    album = cloud.drive("folder", name="Album", parent="root", **key)
    workspace.add("one.jpg", parent=album, resourceKey="0-one", resource_key_required=True)
    inner = cloud.drive("folder", name="Inner", parent=album, resourceKey="0-inner", resource_key_required=True)
    workspace.add("two.jpg", parent=inner)
    url = f"https://drive.google.com/drive/folders/{album}?resourcekey=0-album&usp=sharing"
    workspace.run(folder_id=url).succeeded()
    assert sorted(cloud.assets()) == ["Album/Inner/two", "Album/one"]
    workspace.run(folder_id=album).failed()
    (workspace.path / "folders.csv").write_text(f"folder_name,link\nOther,{url}\n")
    workspace.dry_run(folder_id=None, folders="folders.csv", results="many").line("2 of 2 images to move")


def test_include_and_exclude_leave_images_out_and_say_so_in_the_mapping(workspace: Workspace) -> None:
    """Drive holds what a Mac uploaded decomposed (e, then an accent); people type it composed, or the other way."""
    for folder, name in (("Entwu\u0308rfe", "one.jpg"), ("\u00dcben", "two.jpg")):
        workspace.add(name, parent=workspace.cloud.drive("folder", name=folder))
    workspace.add("ole\u0301.jpg", "th\u00e9.jpg", "kept.jpg", "three.png", "four.gif")
    (five,) = workspace.add("five.jpg")
    for node in workspace.cloud.nodes():
        if node["name"] in ("three.png", "four.gif"):
            workspace.cloud.drive("set", id=node["id"], mimeType=f"image/{node['name'][-3:]}")
    patterns = ["Entw\u00fcrfe/*", "U\u0308ben/*", "ol?.jpg", "the\u0301.*", "*.gif", five]
    settings: dict[str, Any] = {"exclude": json.dumps(patterns), "include": '["image/jpeg","image/gif"]'}
    workspace.run(**settings).succeeded()
    assert sorted(workspace.cloud.assets()) == ["Photos/kept"] and len(workspace.markers()) == 1
    skipped = {row["filename"]: row["error"] for row in workspace.mapping() if row["status"] == "skipped"}
    names = ["one.jpg", "two.jpg", "ole\u0301.jpg", "th\u00e9.jpg", "four.gif", "five.jpg"]
    left_out = {name: f"exclude has {each}" for name, each in zip(names, patterns, strict=True)}
    assert skipped == left_out | {"three.png": "include has no image/png"}
    assert {row["cloudinary_url"] for row in workspace.mapping() if row["status"] == "skipped"} == {""}

    again = workspace.run(**settings | {"exclude": json.dumps([*patterns[1:], "kept.*"])})
    again.line("8 images listed: 1 to move, 1 moved before, 6 skipped")


def test_an_image_without_a_checksum_is_known_by_its_size_and_time(workspace: Workspace) -> None:
    (image,) = workspace.add("one.jpg", md5Checksum=None)
    workspace.run().succeeded()
    (row,) = workspace.mapping()
    assert (row["status"], row["md5"]) == ("uploaded", None)
    workspace.cloud.reset()
    workspace.run().succeeded()
    assert not workspace.calls("drive.media")
    workspace.cloud.drive("set", id=image, modifiedTime=1_700_000_000)
    workspace.run().succeeded()
    assert workspace.calls("drive.media") == 1 and len(workspace.markers()) == 1
