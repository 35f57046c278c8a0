"""The listing: every image of the folder, each once, and complete or not there at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from migrate import listing
from migrate.listing import Image
from tests.emulator.client import Emulator
from tests.harness import Finished, Workspace, jpeg


def run_list(workspace: Workspace, **config: object) -> Finished:
    """Run the script of the checkpoint."""
    settings = workspace.settings(**{"retries": 0, **config})
    folder = str(config.get("folder_id", workspace.cloud.folder_id))
    return workspace.script("list_images.py", f"--settings={settings}", f"results/{folder}/listing.json")


def listed(workspace: Workspace, **config: object) -> list[Image]:
    """The images of a listing that succeeds without a word."""
    done = run_list(workspace, **config)
    assert (done.code, done.said) == (0, ""), done.said
    folder = str(config.get("folder_id", workspace.cloud.folder_id))
    return list(listing.read(workspace.path / "results" / folder / "listing.json").images)


def paths(images: list[Image]) -> list[str]:
    return sorted(image.path for image in images)


@pytest.fixture(scope="module")
def large_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """1,300 images in seven albums: Drive's pages hold 1,000."""
    store = tmp_path_factory.mktemp("large")
    with Emulator(store / "Photos", store / "cloud", generate=1300, generate_bytes=900) as emulator:
        yield emulator


@pytest.mark.xdist_group("large cloud")
def test_more_images_than_fit_on_a_page_are_listed_with_few_calls(large_cloud: Emulator, tmp_path: Path) -> None:
    large_cloud.reset()
    workspace = Workspace(tmp_path, large_cloud)
    images = listed(workspace)
    assert len({image.id for image in images}) == len({image.public_id for image in images}) == len(images) == 1300
    assert large_cloud.stats()["counts"]["drive.list"] == 1 + 1 + 2, "the root, the year, and two pages of all albums"


@pytest.mark.xdist_group("large cloud")
def test_a_page_that_fails_stops_the_run_and_leaves_the_last_good_listing(
    large_cloud: Emulator, tmp_path: Path
) -> None:
    large_cloud.reset()
    workspace = Workspace(tmp_path, large_cloud)
    dry = workspace.dry_run("--quiet")
    dry.succeeded()
    assert "1300 of 1300 images to move (1300 new" in dry.said
    before = (workspace.results / "listing.json").read_bytes()
    failure = {"error": {"status": 500, "reason": "backendError"}}
    large_cloud.faults([{"on": "drive.list", "skip": 3, "times": None, "do": failure}])
    done = workspace.run(retries=0)
    done.failed()
    assert done.lines == [done.line("Drive answered 500")]
    assert (workspace.results / "listing.json").read_bytes() == before
    assert not workspace.calls("drive.media") and not workspace.calls("cloudinary.upload")
    assert not workspace.markers()


@pytest.mark.xdist_group("large cloud")
def test_a_page_token_that_drive_refuses_begins_again_at_page_one(large_cloud: Emulator, tmp_path: Path) -> None:
    large_cloud.reset()
    refusal = {"error": {"status": 400, "reason": "invalid", "message": "Invalid Value"}}
    large_cloud.faults([{"on": "drive.list", "skip": 3, "do": refusal}])
    assert len(listed(Workspace(tmp_path, large_cloud))) == 1300


def test_on_the_first_run_a_page_that_fails_leaves_no_listing_at_all(workspace: Workspace) -> None:
    inner = workspace.cloud.drive("folder", name="Inner")
    workspace.add("one.jpg")
    workspace.add("two.jpg", parent=inner)
    workspace.cloud.faults([{"on": "drive.list", "skip": 1, "times": None, "do": {"html": 502}}])
    done = workspace.run(retries=0)
    done.failed()
    assert done.lines == [done.line("Drive answered 502")]
    assert not (workspace.results / "listing.json").exists() and not (workspace.results / "mapping.csv").exists()
    assert not workspace.calls("drive.media")


def test_a_question_for_many_folders_is_as_short_as_a_get_may_be(workspace: Workspace) -> None:
    """In a shared drive, which adds its ID; the emulator's IDs are as long as Drive's."""
    cloud = workspace.cloud
    shared = cloud.drive("shared_drive", name="Team")
    folders = cloud.drive_all([{"op": "folder", "name": str(n), "parent": shared} for n in range(40)])
    assert {len(folder) for folder in folders} == {33}
    for folder in folders:
        workspace.add("one.jpg", parent=folder)
    assert len(listed(workspace, folder_id=shared)) == 40
    asked = [call for call in cloud.log() if call["op"] == "drive.list"]
    assert len(asked) == 1 + 2 and {call["method"] for call in asked} == {"GET"}


def test_what_may_not_be_downloaded_is_said_in_the_listing(workspace: Workspace) -> None:
    """Of a shortcut, what its target says counts."""
    (locked,) = workspace.add("locked.jpg", capabilities={"canDownload": False})
    elsewhere = workspace.cloud.drive("folder", name="Elsewhere", parent="root")
    (target,) = workspace.add("target.jpg", parent=elsewhere, capabilities={"canDownload": False})
    workspace.cloud.drive("shortcut", name="link.jpg", target=target)
    workspace.add("free.jpg")
    assert {image.id for image in listed(workspace) if image.no_download} == {locked, target}
    entries = json.loads((workspace.results / "listing.json").read_text())["images"]
    assert [entry.get("no_download") for entry in entries if entry["name"] == "free.jpg"] == [None]


def test_all_subfolders_of_a_level_are_asked_for_in_one_call(workspace: Workspace) -> None:
    cloud = workspace.cloud
    folders = cloud.drive_all([{"op": "folder", "name": f"album {number}"} for number in range(20)])
    for number, folder in enumerate(folders):
        workspace.add(f"{number}.jpg", parent=folder)
    deep = folders[0]
    for number in range(3):
        deep = cloud.drive("folder", name=f"deeper {number}", parent=deep)
    workspace.add("deepest.jpg", parent=deep)
    images = listed(workspace)
    assert len(images) == 21
    assert "album 0/deeper 0/deeper 1/deeper 2/deepest.jpg" in paths(images)
    assert cloud.stats()["counts"]["drive.list"] <= 1 + 1 + 3 + 3, "the last folders, empty ones, may be asked singly"
    assert cloud.stats()["counts"]["drive.get"] == 1


@pytest.mark.parametrize("what", ["empty_batches", "incomplete"])
def test_what_drive_leaves_out_of_an_answer_for_many_folders_is_asked_for_singly(
    workspace: Workspace, what: str
) -> None:
    """Drive has been seen to answer such a query with nothing at all (rclone #3114), or to say that it gave up."""
    for number, folder in enumerate(
        workspace.cloud.drive_all([{"op": "folder", "name": f"album {number}"} for number in range(5)])
    ):
        workspace.add(f"{number}.jpg", parent=folder)
    more = {"times": None} if what == "empty_batches" else {"skip": 1, "times": 1}
    workspace.cloud.faults([{"on": "drive.list", "do": {what: True}, **more}])
    assert paths(listed(workspace)) == [f"album {number}/{number}.jpg" for number in range(5)]


def test_a_search_that_drive_never_completes_is_no_listing(workspace: Workspace) -> None:
    workspace.add("one.jpg")
    workspace.cloud.faults([{"on": "drive.list", "do": {"incomplete": True}, "times": None}])
    done = run_list(workspace)
    done.failed()
    done.line("completely")
    assert not (workspace.results / "listing.json").exists()


@pytest.mark.parametrize(
    "body",
    [
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
    ],
)
def test_an_answer_that_is_not_what_the_api_promises_is_a_line_and_no_listing(workspace: Workspace, body: str) -> None:
    workspace.cloud.faults([{"on": "drive.list", "do": {"body": body}, "times": None}])
    done = run_list(workspace)
    done.failed()
    assert len(done.lines) == 1 and "Drive" in done.said, done.said
    assert not (workspace.results / "listing.json").exists()


def test_shortcuts_are_followed_without_a_loop_and_each_image_is_there_once(workspace: Workspace) -> None:
    cloud = workspace.cloud
    outside = cloud.drive("folder", name="Outside", parent="root")
    (far,) = workspace.add("far.jpg", parent=outside)
    (near,) = workspace.add("near.jpg")
    inner = cloud.drive("folder", name="Inner")
    workspace.add("inner.jpg", parent=inner)
    album = cloud.drive("folder", name="Album", parent="root")
    workspace.add("in album.jpg", parent=album)
    document = cloud.drive("document", name="Letter", parent="root")
    for name, target, parent in (
        ("to far", far, inner),
        ("to far, too", far, ""),
        ("to near", near, inner),
        ("to album", album, inner),
        ("to album again", album, ""),
        ("to the root", cloud.folder_id, inner),
        ("to its own folder", inner, inner),
        ("back from the album", cloud.folder_id, album),
        ("to a letter", document, ""),
    ):
        cloud.drive("shortcut", name=name, target=target, parent=parent)
    images = listed(workspace)
    assert paths(images) == ["Inner/inner.jpg", "far.jpg", "near.jpg", "to album again/in album.jpg"]


def test_a_shortcut_that_leads_nowhere_is_a_warning_and_the_others_go_on(workspace: Workspace) -> None:
    (gone,) = workspace.add("gone.jpg", parent="root")
    workspace.add("one.jpg")
    workspace.cloud.drive("shortcut", name="broken", target=gone)
    workspace.cloud.drive("delete", id=gone)
    done = workspace.run()
    done.succeeded()
    done.line("warning", "'broken'", "leads nowhere")
    assert workspace.statuses() == {"one.jpg": "uploaded"}


def test_a_shortcut_to_a_folder_serves_as_the_folder(workspace: Workspace) -> None:
    workspace.add("one.jpg")
    shortcut = workspace.cloud.drive("shortcut", name="way in", target=workspace.cloud.folder_id, parent="root")
    assert paths(listed(workspace, folder_id=shortcut)) == ["one.jpg"]


def test_documents_videos_and_what_is_in_the_trash_are_left_out(workspace: Workspace) -> None:
    cloud = workspace.cloud
    workspace.add("one.jpg")
    workspace.add("film.mp4", mime="video/mp4")
    workspace.add("notes.txt", mime="text/plain")
    cloud.drive("document", name="Letter.jpg")
    (trashed,) = workspace.add("trashed.jpg")
    cloud.drive("trash", id=trashed)
    folder = cloud.drive("folder", name="Trashed")
    workspace.add("in trash.jpg", parent=folder)
    cloud.drive("trash", id=folder)
    assert paths(listed(workspace)) == ["one.jpg"]


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
    done = workspace.run(folder_id=shared)
    done.succeeded()
    assert sorted(workspace.cloud.assets()) == ["Team/Inner/two", "Team/one"]
    assert paths(listed(workspace)) == ["own.jpg", "to Team/two.jpg"], "also from one's own Drive"


def test_link_shared_files_are_read_with_their_resource_keys(workspace: Workspace) -> None:
    cloud = workspace.cloud
    album = cloud.drive("folder", name="Album", parent="root", resourceKey="0-album", resource_key_required=True)
    workspace.add("one.jpg", parent=album, resourceKey="0-one", resource_key_required=True)
    inner = cloud.drive("folder", name="Inner", parent=album, resourceKey="0-inner", resource_key_required=True)
    workspace.add("two.jpg", parent=inner)
    url = f"https://drive.google.com/drive/folders/{album}?resourcekey=0-album&usp=sharing"
    done = workspace.run(folder_id=url)
    done.succeeded()
    assert sorted(cloud.assets()) == ["Album/Inner/two", "Album/one"]
    assert (workspace.path / "results" / album / "mapping.csv").exists()
    workspace.run(folder_id=album).failed()


def test_include_and_exclude_leave_images_out_and_say_so_in_the_mapping(workspace: Workspace) -> None:
    drafts = workspace.cloud.drive("folder", name="drafts")
    workspace.add("draft.jpg", parent=drafts)
    one, two, three, four = workspace.add("one.jpg", "two.jpg", "three.png", "four.gif", mime="image/jpeg")
    for image, mime in ((three, "image/png"), (four, "image/gif")):
        workspace.cloud.drive("set", id=image, mimeType=mime)
    settings: dict[str, Any] = {"include": '["image/jpeg","image/gif"]', "exclude": f'["drafts/*","*.gif","{two}"]'}
    dry = workspace.dry_run(**settings)
    assert [line.split() for line in dry.lines[:-1]] == [["new", "one.jpg"]], dry.said
    workspace.run(**settings).succeeded()
    rows = {row["filename"]: (row["status"], row["error"]) for row in workspace.mapping()}
    assert rows == {
        "one.jpg": ("uploaded", ""),
        "two.jpg": ("skipped", f"exclude has {two}"),
        "three.png": ("skipped", "include has no image/png"),
        "four.gif": ("skipped", "exclude has *.gif"),
        "draft.jpg": ("skipped", "exclude has drafts/*"),
    }
    assert {row["cloudinary_url"] for row in workspace.mapping() if row["status"] == "skipped"} == {""}
    assert sorted(workspace.cloud.assets()) == ["Photos/one"] and len(workspace.markers()) == 1
    assert [row["file_id"] for row in workspace.mapping() if row["status"] == "uploaded"] == [one]


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


@pytest.mark.parametrize("include", ["application/*", "*"])
def test_a_wide_include_takes_files_but_neither_folders_nor_google_docs(workspace: Workspace, include: str) -> None:
    inner = workspace.cloud.drive("folder", name="Inner")
    workspace.add("inner.jpg", parent=inner)
    workspace.add("one.jpg")
    workspace.cloud.drive("add", name="paper.pdf", mime="application/pdf", content_base64=jpeg("paper"))
    workspace.cloud.drive("document", name="doc")
    assert paths(listed(workspace, include=(include,), recursive=False)) == ["one.jpg", "paper.pdf"]


def test_a_shortcut_to_what_is_in_the_bin_is_a_warning(workspace: Workspace) -> None:
    (binned,) = workspace.add("binned.jpg", parent="root")
    workspace.cloud.drive("shortcut", name="link", target=binned)
    workspace.cloud.drive("trash", id=binned)
    done = run_list(workspace)
    done.succeeded()
    done.line("warning", "'link'", "in Drive's bin")
