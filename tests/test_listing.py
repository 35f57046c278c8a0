"""The listing: every image of the folder, each once, and complete or not there at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from drive2cloudinary.drive.api import AT_ONCE, Drive
from drive2cloudinary.drive.walk import FoundImage, images_below
from drive2cloudinary.results import listing
from drive2cloudinary.results.listing import Image
from drive2cloudinary.settings import Settings
from tests.emulator.client import Emulator
from tests.harness import Finished, Workspace, jpeg, wait_for

MANY = "' in parents or '"
"""What is in a query of many folders."""


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


def found_below(workspace: Workspace, **config: object) -> tuple[list[FoundImage], list[int]]:
    """The images of the Drive folder, and what was said meanwhile of how many there are."""
    settings = Settings.from_json(workspace.settings(**config))
    drive, said = Drive.of(settings), list[int]()
    root = drive.file(workspace.cloud.folder_id)
    return images_below(drive, root, settings, lambda warning: None, said.append), said


def most_at_once(calls: list[dict[str, Any]]) -> int:
    """How many of these calls were under way at one moment."""
    ends = [(call["at"], 1) for call in calls] + [(call["at"] + call["seconds"], -1) for call in calls]
    return max(accumulate(step for _, step in sorted(ends)))


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


def albums(workspace: Workspace, count: int, **more: object) -> list[str]:
    """So many folders with an image each; their IDs."""
    folders = workspace.cloud.drive_all([{"op": "folder", "name": f"album {n}", **more} for n in range(count)])
    for number, folder in enumerate(folders):
        workspace.add(f"{number}.jpg", parent=folder)
    return folders


def test_folders_that_drive_leaves_out_of_an_answer_are_found(workspace: Workspace) -> None:
    """Three of eleven, and it calls the answer complete (rclone #9810)."""
    folders = albums(workspace, 11)
    inner = workspace.cloud.drive_all([{"op": "folder", "name": f"in {n}", "parent": folders[n]} for n in (0, 4, 5)])
    for folder in inner:
        workspace.add(f"{folder}.jpg", parent=folder)
    leaves_out = {"leave_out": [*folders[4:7], inner[2]]}
    workspace.cloud.faults([{"on": "drive.list", "do": leaves_out, "times": None}])
    workspace.run().succeeded()
    assert len(workspace.audit()) == 14
    lists = [call["key"].count(" in parents") for call in workspace.cloud.log() if call["op"] == "drive.list"]
    # The root, all albums, the three that had no hit; from this proof on, what is inside the albums one by one.
    assert lists == [1, 11, 1, 1, 1, 1, 1, 1]


def test_a_file_in_two_folders_is_no_proof_that_drive_looked_into_both(workspace: Workspace) -> None:
    """As older files can be: it came by way of the one, and the other may have been left out."""
    left, right = workspace.cloud.drive_all([{"op": "folder", "name": name} for name in ("left", "right")])
    workspace.add("both.jpg", parents=[left, right])
    workspace.add("only right.jpg", parent=right)
    fault = {"on": "drive.list", "match": MANY, "do": {"leave_out": [right], "keep_shared": True}, "times": None}
    workspace.cloud.faults([fault])
    assert paths(listed(workspace)) == ["left/both.jpg", "right/only right.jpg"]


@pytest.mark.parametrize(("what", "times"), [({"empty_batches": True}, None), ({"incomplete": True}, 2)])
def test_an_answer_for_many_folders_that_is_empty_or_incomplete_is_asked_for_singly(
    workspace: Workspace, what: dict[str, bool], times: int | None
) -> None:
    albums(workspace, 5)
    workspace.cloud.faults([{"on": "drive.list", "match": MANY, "do": what, "times": times}])
    assert paths(listed(workspace)) == [f"album {number}/{number}.jpg" for number in range(5)]


def test_a_query_that_is_too_complex_for_drive_is_asked_folder_by_folder(workspace: Workspace) -> None:
    albums(workspace, 5)
    refusal = {"status": 400, "reason": "queryTooComplex", "message": "The query is too complex."}
    workspace.cloud.faults([{"on": "drive.list", "match": MANY, "do": {"error": refusal}, "times": None}])
    assert len(listed(workspace)) == 5
    assert workspace.calls("drive.list") == 1 + 1 + 5


def test_folders_per_query_1_asks_for_each_folder_by_itself_from_the_start(workspace: Workspace) -> None:
    albums(workspace, 5)
    assert len(listed(workspace, folders_per_query=1)) == 5
    assert workspace.calls("drive.list") == 1 + 5


def test_what_a_listing_of_a_thousand_folders_half_of_them_empty_costs(workspace: Workspace) -> None:
    """A folder with a hit costs a 22nd of a call, one without a hit a call more: there is no cheaper proof."""
    folders = workspace.cloud.drive_all([{"op": "folder", "name": f"album {n:03}"} for n in range(1000)])
    workspace.cloud.drive_all(
        [{"op": "add", "name": "one.jpg", "parent": each, "content_base64": jpeg(each)} for each in folders[::2]]
    )
    assert len(listed(workspace)) == 500
    root, together, alone = 3, 46, 500
    assert workspace.calls("drive.list") == root + together + alone


def test_folders_are_listed_several_at_a_time_and_no_more_than_that(workspace: Workspace) -> None:
    """Also the empty ones, each of which needs a call of its own, and what shortcuts lead to."""
    cloud = workspace.cloud
    cloud.drive_all([{"op": "folder", "name": f"empty {number}"} for number in range(40)])
    albums(workspace, 3)
    for number, target in enumerate(workspace.add(*(f"{n}.jpg" for n in range(20)), parent="root")):
        cloud.drive("shortcut", name=f"link {number}", target=target)
    cloud.faults([{"on": on, "do": {"delay": 0.3}, "times": None} for on in ("drive.list", "drive.get")])
    assert len(listed(workspace)) == 3 + 20
    log = cloud.log()
    for op, count in (("drive.list", 1 + 2 + 40), ("drive.get", 1 + 20)):
        calls = [call for call in log if call["op"] == op]
        assert len(calls) == count
        assert 4 < most_at_once(calls) <= AT_ONCE, op
    stats = cloud.stats()
    assert stats["refreshes"] == 1 and stats["connections"]["drive"] <= AT_ONCE


def test_which_answer_comes_first_changes_nothing(workspace: Workspace) -> None:
    """A file in two folders has its path by the first of them."""
    first, *_, last = albums(workspace, 6)
    workspace.add("both.jpg", parents=[first, last])
    calmly = listed(workspace, folders_per_query=1)
    assert "album 0/both.jpg" in paths(calmly)
    workspace.cloud.faults([{"on": "drive.list", "match": first, "do": {"delay": 1}, "times": None}])
    assert listed(workspace, folders_per_query=1) == calmly


def test_a_folder_that_cannot_be_listed_ends_the_listing_while_others_do_not_answer(workspace: Workspace) -> None:
    folders = workspace.cloud.drive_all([{"op": "folder", "name": f"album {number}"} for number in range(6)])
    gone = {"on": "drive.list", "match": folders[0], "do": {"error": {"status": 404, "reason": "notFound"}}}
    hang = {"on": "drive.list", "skip": 2, "do": {"hang": True}}
    workspace.cloud.faults([{**gone, "times": None}, {**hang, "times": None}])
    done = run_list(workspace, folders_per_query=1, timeout=300)
    done.failed()
    assert done.lines == [done.line("cannot list album 0: it is gone")]


def test_a_token_that_expires_while_many_threads_list_is_refreshed(workspace: Workspace) -> None:
    albums(workspace, 20)
    workspace.cloud.faults([{"on": "drive.list", "do": {"delay": 0.3}, "times": None}])

    def expire() -> None:
        wait_for(lambda: workspace.calls("drive.list") > 2)
        workspace.cloud.oauth(expire=True)

    with ThreadPoolExecutor(1) as other:
        expired = other.submit(expire)
        assert len(listed(workspace, folders_per_query=1)) == 20
        expired.result()
    assert 1 < workspace.cloud.stats()["refreshes"] <= 1 + AT_ONCE


@pytest.mark.xdist_group("large cloud")
def test_how_many_images_are_found_is_said_page_by_page(large_cloud: Emulator, tmp_path: Path) -> None:
    large_cloud.reset()
    large_cloud.faults([{"on": "drive.list", "skip": 2, "do": {"page": 500, "incomplete": "last"}, "times": 3}])
    images, said = found_below(Workspace(tmp_path, large_cloud))
    assert len(images) == said[-1] == 1300
    assert len(said) >= 3 and said == sorted(set(said)), "a search that is repeated counts nothing twice"


def test_images_that_shortcuts_lead_to_are_counted_too(workspace: Workspace) -> None:
    workspace.add("one.jpg", "two.jpg")
    (far,) = workspace.add("far.jpg", parent="root")
    workspace.cloud.drive("shortcut", name="link", target=far)
    assert found_below(workspace)[1] == [2, 3]


def test_the_pixels_of_an_image_that_the_free_plan_does_not_convert_are_in_the_listing(workspace: Workspace) -> None:
    big, unknown, odd, hollow = workspace.add("big.jpg", "unknown.jpg", "odd.jpg", "hollow.jpg")
    values: dict[str, object] = {
        big: {"width": 6000, "height": 4500, "cameraMake": "Any"},
        unknown: None,
        odd: {"width": 100, "height": 0},
        hollow: {},
    }
    for image, value in values.items():
        workspace.cloud.drive("set", id=image, imageMediaMetadata=value)
    (small,) = workspace.add("small.jpg")
    workspace.run().succeeded()
    entries = json.loads((workspace.results / "listing.json").read_text())["images"]
    pixels = {entry["id"]: entry.get("pixels", "left out") for entry in entries}
    nothing = dict.fromkeys((unknown, odd, hollow, small), "left out")
    assert pixels == {big: 27_000_000, **nothing}
    assert {file: marker["drive"].get("pixels") for file, marker in by_file(workspace).items()} == {
        image: None if count == "left out" else count for image, count in pixels.items()
    }


def by_file(workspace: Workspace) -> dict[str, dict[str, Any]]:
    """File ID → marker."""
    return {marker["drive"]["id"]: marker for marker in workspace.markers().values()}


def test_a_description_is_requested_only_if_it_is_wanted(workspace: Workspace) -> None:
    long = "Sunset\r\n\x1b[31m <b>\U0001f305</b> ' \" \\ =1+1 " * 3000
    workspace.add("told.jpg", description=long)
    workspace.add("untold.jpg")
    (far,) = workspace.add("far.jpg", parent="root", description="far away")
    workspace.cloud.drive("shortcut", name="link", target=far, description="of the shortcut")
    for wanted, said in ((False, {""}), (True, {long, "", "far away"})):
        images, _ = found_below(workspace, caption_from_description=wanted)
        assert len(images) == 3 and {image.file.description for image in images} == said


@pytest.mark.parametrize("where", ["first", "last", "one folder of many"])
def test_a_search_that_drive_never_completes_stops_the_run(workspace: Workspace, where: str) -> None:
    """Files are missing then, and one word on one page says so."""
    fault: dict[str, Any] = {"on": "drive.list", "times": None, "do": {"page": 1, "incomplete": where}}
    name = "Photos"
    if where == "one folder of many":
        folder = albums(workspace, 3)[1]
        workspace.add("another.jpg", parent=folder)
        fault |= {"match": folder, "do": {"incomplete": True}}
        name = "album 1"
    else:
        workspace.add("one.jpg", "two.jpg", "three.jpg")
    workspace.cloud.faults([fault])
    done = workspace.run(retries=0)
    done.failed()
    assert done.lines[-1:] == [done.line(f"cannot list {name}: Drive could not search everywhere")]
    assert not (workspace.results / "listing.json").exists() and not workspace.calls("drive.media")


def test_a_search_that_drive_completes_when_it_is_asked_again_is_a_listing(workspace: Workspace) -> None:
    workspace.add("one.jpg", "two.jpg", "three.jpg")
    workspace.cloud.faults([{"on": "drive.list", "do": {"page": 1, "incomplete": "last"}, "times": 3}])
    assert len(listed(workspace)) == 3


def test_a_page_may_be_short_or_empty_and_still_have_a_next_one(workspace: Workspace) -> None:
    workspace.add("one.jpg", "two.jpg", "three.jpg")
    pages = [{"on": "drive.list", "do": {"page": size}, "times": times} for size, times in ((0, 2), (1, 1), (0, 3))]
    workspace.cloud.faults(pages)
    workspace.run().succeeded()
    assert len(workspace.audit()) == 3
    assert workspace.calls("drive.list") == 7


def test_pages_without_an_end_end_the_listing_with_a_line(workspace: Workspace) -> None:
    workspace.add("one.jpg")
    workspace.cloud.faults([{"on": "drive.list", "do": {"endless_pages": True}, "times": None}])
    done = run_list(workspace)
    done.failed()
    assert done.lines == [done.line("cannot list Photos", "page after page")]
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


def test_a_shortcut_whose_target_does_not_answer_stops_the_run_and_names_it(workspace: Workspace) -> None:
    """It may be a folder full of images; one that is gone is a warning."""
    elsewhere = workspace.cloud.drive("folder", name="Elsewhere", parent="root")
    workspace.add("far.jpg", parent=elsewhere)
    holidays = workspace.cloud.drive("folder", name="Holidays")
    workspace.cloud.drive("shortcut", name="2024", target=elsewhere, parent=holidays)
    workspace.cloud.faults([{"on": "drive.get", "match": elsewhere, "do": {"html": 503}, "times": None}])
    done = workspace.run(retries=1)
    done.failed()
    assert done.lines[-1:] == [done.line("cannot list", "Holidays/2024", "Drive answered 503")]
    assert not (workspace.results / "listing.json").exists() and not workspace.calls("drive.media")


@pytest.mark.parametrize(
    ("fault", "said"),
    [({"error": {"status": 404, "reason": "notFound"}}, "it is gone, or not shared"), ({"html": 502}, "answered 502")],
)
def test_a_listing_that_fails_names_the_folder(workspace: Workspace, fault: dict[str, Any], said: str) -> None:
    holidays = workspace.cloud.drive("folder", name="Holidays")
    year = workspace.cloud.drive("folder", name="2024", parent=holidays)
    workspace.add("one.jpg", parent=year)
    workspace.cloud.faults([{"on": "drive.list", "match": year, "do": fault, "times": None}])
    done = run_list(workspace)
    done.failed()
    assert done.lines == [done.line("cannot list Holidays/2024: ", said)]
    assert "the file" not in done.said


@pytest.mark.parametrize(
    "body",
    ['{"kind": "drive#fileList"}', '{"error": {"code": 500, "message": "Internal"}}', '{"files": [{"id": "1abc", "na'],
)
def test_an_answer_that_is_no_list_is_asked_for_again(workspace: Workspace, body: str) -> None:
    workspace.add("one.jpg")
    workspace.cloud.faults([{"on": "drive.list", "do": {"body": body}, "times": 1}])
    assert len(listed(workspace, retries=1)) == 1
    assert workspace.calls("drive.list") == 2


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
        '{"files": [{"id": "x", "name": "x", "mimeType": "image/png", "imageMediaMetadata": {"width": "8"}}]}',
        '{"files": [{"id": "x", "name": "x", "mimeType": "image/png", "imageMediaMetadata": {"height": -8}}]}',
        '{"files": [{"id": "x", "name": "x", "mimeType": "image/png", "imageMediaMetadata": {"width": 4294967296}}]}',
        '{"files": [{"id": "x", "name": "x", "mimeType": "image/png", "imageMediaMetadata": [8, 8]}]}',
        '{"files": [{"id": "x", "name": "x", "mimeType": "image/png", "description": 7}]}',
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
    """Also with that of the URL alone: of the folder itself Drive does not repeat it."""
    cloud = workspace.cloud
    key: dict[str, Any] = {"resourceKey": "0-album", "resource_key_required": True, "resource_key_told": False}
    album = cloud.drive("folder", name="Album", parent="root", **key)
    workspace.add("one.jpg", parent=album, resourceKey="0-one", resource_key_required=True)
    inner = cloud.drive("folder", name="Inner", parent=album, resourceKey="0-inner", resource_key_required=True)
    workspace.add("two.jpg", parent=inner)
    url = f"https://drive.google.com/drive/folders/{album}?resourcekey=0-album&usp=sharing"
    done = workspace.run(folder_id=url)
    done.succeeded()
    assert sorted(cloud.assets()) == ["Album/Inner/two", "Album/one"]
    assert (workspace.path / "results" / album / "mapping.csv").exists()
    workspace.run(folder_id=album).failed()
    (workspace.path / "folders.csv").write_text(f"folder_name,link\nOther,{url}\n")
    many = workspace.dry_run(folder_id=None, folders="folders.csv", results="many")
    many.line("2 of 2 images to move")


def test_include_and_exclude_leave_images_out_and_say_so_in_the_mapping(workspace: Workspace) -> None:
    drafts = workspace.cloud.drive("folder", name="drafts")
    workspace.add("draft.jpg", parent=drafts)
    one, two, three, four = workspace.add("one.jpg", "two.jpg", "three.png", "four.gif", mime="image/jpeg")
    for image, mime in ((three, "image/png"), (four, "image/gif")):
        workspace.cloud.drive("set", id=image, mimeType=mime)
    settings: dict[str, Any] = {"include": '["image/jpeg","image/gif"]', "exclude": f'["drafts/*","*.gif","{two}"]'}
    dry = workspace.dry_run(**settings)
    assert [line.split() for line in dry.lines[:-2]] == [["new", "one.jpg"]], dry.said
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

    again = workspace.run(**settings | {"exclude": '["drafts/*","*.gif","one.*"]'})
    again.line("5 images listed: 1 to move, 1 moved before, 3 skipped")


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
