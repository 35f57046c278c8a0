"""The listing: every image of the folder, each once, and complete or not there at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drive2cloudinary.drive.file import DriveFile
from drive2cloudinary.results import listing
from tests.emulator.client import Emulator
from tests.harness import Workspace, jpeg
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
    dry = workspace.dry_run("--quiet")
    dry.succeeded()
    assert "1,300 of 1,300 images to move (1,300 new" in dry.said
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


@pytest.mark.xdist_group("large cloud")
def test_how_many_images_are_found_is_said_page_by_page(large_cloud: Emulator, tmp_path: Path) -> None:
    large_cloud.reset()
    large_cloud.faults([{"on": "drive.list", "skip": 2, "do": {"page": 500, "incomplete": "last"}, "times": 3}])
    images, said = found_below(Workspace(tmp_path, large_cloud))
    assert len(images) == said[-1] == 1300
    assert len(said) >= 3 and said == sorted(set(said)), "a search that is repeated counts nothing twice"


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


@pytest.mark.parametrize(
    ("detail", "value"),
    [
        ("imageMediaMetadata", {"width": "8"}),
        ("imageMediaMetadata", {"height": -8}),
        ("imageMediaMetadata", {"width": 1 << 32}),
        ("imageMediaMetadata", [8, 8]),
        ("description", 7),
        ("fileExtension", ["jpg"]),
        ("capabilities", "all"),
        ("spaces", 1),
    ],
)
def test_a_detail_that_is_not_what_the_api_promises_counts_as_missing(detail: str, value: object) -> None:
    told = {"id": "x", "name": "a.jpg", "mimeType": "image/jpeg", "md5Checksum": "0" * 32}
    assert DriveFile.from_answer({**told, detail: value}) == replace(DriveFile.from_answer(told), odd=(detail,))
    assert DriveFile.from_answer({**told, detail: None}) == DriveFile.from_answer(told)


def test_a_detail_that_counts_as_missing_is_said_once_with_its_files(workspace: Workspace) -> None:
    workspace.add("one.jpg")
    album = workspace.cloud.drive("folder", name="Album")
    workspace.add(*(f"{n}.jpg" for n in range(5)), parent=album, imageMediaMetadata={"width": "wide"})
    done = run_list(workspace)
    done.succeeded()
    assert done.lines == [
        "warning: Drive's imageMediaMetadata is not what its API promises, and counts as missing: Album/0.jpg, "
        "Album/1.jpg, Album/2.jpg and 2 more"
    ]
    assert len(listing.read(workspace.results / "listing.json").images) == 6


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


def test_a_picture_that_is_called_something_else_is_an_image(workspace: Workspace) -> None:
    """Some programs write pictures as a MIME type that says nothing; Drive still knows the extension."""
    cloud = workspace.cloud
    for name in ("a.jpg", "b.PNG", "c.heic"):
        workspace.add(name, mime="application/octet-stream")
    workspace.add("d.jpeg", mime="binary/octet-stream")
    for name in ("data.bin", "no extension", "paper.pdf", "film.mp4"):
        workspace.add(name, mime="application/octet-stream")
    workspace.add("told.dat", mime="application/octet-stream", fileExtension="tif")
    (far,) = workspace.add("far.webp", parent="root", mime="application/octet-stream")
    cloud.drive("shortcut", name="link", target=far)
    (data,) = workspace.add("far.bin", parent="root", mime="application/octet-stream")
    cloud.drive("shortcut", name="link to data", target=data)
    cloud.reset()
    images = {image.name: image.mime_type for image in listed(workspace)}
    assert images == {
        "a.jpg": "image/jpeg",
        "b.PNG": "image/png",
        "c.heic": "image/heif",
        "d.jpeg": "image/jpeg",
        "told.dat": "image/tiff",
        "far.webp": "image/webp",
    }
    assert workspace.calls("drive.list") == 1 and found_below(workspace)[1] == [5, 6]
    done = workspace.run(include='["image/jpeg"]')
    done.succeeded()
    rows = {row["filename"]: (row["status"], row["error"]) for row in workspace.mapping()}
    assert rows["a.jpg"] == rows["d.jpeg"] == ("uploaded", "")
    assert rows["b.PNG"] == ("skipped", "include has no image/png") and len(rows) == 6
    both = listed(workspace, include=("application/pdf", "application/octet-stream"))
    assert {image.mime_type for image in both if image.name != "d.jpeg"} == {"application/octet-stream"}
    assert [image.name for image in both if image.skipped] == ["d.jpeg"] and len(both) == 11
    assert {image.name for image in listed(workspace, include=("application/pdf",)) if not image.skipped} == {
        "paper.pdf"
    }


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


def test_exclude_finds_a_name_in_either_unicode_form(workspace: Workspace) -> None:
    """Drive holds what a Mac uploaded decomposed (e, then an accent); people type it composed, or the other way."""
    for folder, name in (("Entwu\u0308rfe", "one.jpg"), ("\u00dcben", "two.jpg")):
        workspace.add(name, parent=workspace.cloud.drive("folder", name=folder))
    workspace.add("ole\u0301.jpg", "th\u00e9.jpg", "kept.jpg")
    patterns = ["Entw\u00fcrfe/*", "U\u0308ben/*", "ol?.jpg", "the\u0301.*"]
    workspace.run(exclude=json.dumps(patterns)).succeeded()
    assert sorted(workspace.cloud.assets()) == ["Photos/kept"]
    skipped = {row["filename"]: row["error"] for row in workspace.mapping() if row["status"] == "skipped"}
    names = ["one.jpg", "two.jpg", "ole\u0301.jpg", "th\u00e9.jpg"]
    assert skipped == {name: f"exclude has {each}" for name, each in zip(names, patterns, strict=True)}


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


@pytest.mark.parametrize("include", ["application/*", "*", "application/pd?", "application/[pq]df"])
def test_a_wide_include_takes_files_but_neither_folders_nor_google_docs(workspace: Workspace, include: str) -> None:
    inner = workspace.cloud.drive("folder", name="Inner")
    workspace.add("inner.jpg", parent=inner)
    workspace.add("one.jpg")
    workspace.cloud.drive("add", name="paper.pdf", mime="application/pdf", content_base64=jpeg("paper"))
    workspace.cloud.drive("document", name="doc")
    assert paths(listed(workspace, include=(include,), recursive=False)) == ["one.jpg", "paper.pdf"]
