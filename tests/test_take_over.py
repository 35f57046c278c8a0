"""scripts/take_over.py: what the replaced script has moved keeps its URL, and is not moved a second time."""

from __future__ import annotations

import base64
import json
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cloudinary
import pytest

from drive2cloudinary.cloudinary.original_url import Address, OwnCloud
from drive2cloudinary.delivered import caches
from tests.harness import ROOT, SNAKEMAKE, Finished, Workspace, jpeg, wait_for

LATER = "2026-11-20T10:00:00.123456"
EARLIER = "2024-01-02T03:04:05"


def bytes_of(name: str, size: int = 1000) -> bytes:
    """The bytes of the picture that `Workspace.add` puts into Drive under this name."""
    return base64.b64decode(jpeg(name, size))


def planted(workspace: Workspace, public_id: str, data: bytes, **more: object) -> dict[str, Any]:
    """What the old script's cache says of an image that it has put there."""
    asset = workspace.cloud.plant(public_id, data)
    host = urlsplit(workspace.cloud.drive_endpoint).hostname
    url = f"http://{host}:{workspace.cloud.ports['cloudinary']}/emulated/image/upload/"
    url += f"v{asset['version']}/{asset['public_id']}.{asset['format']}"
    return {"timestamp": LATER, "cloudinary_url": url, "public_id": public_id, "filename": "x", **more}


def cache(workspace: Workspace, moved: object, name: str = "cache.json", **more: object) -> str:
    value = {"folder_path": "Old", "last_run": LATER, "successful_uploads": moved, "failed_uploads": {}, **more}
    (workspace.path / name).write_text(json.dumps(value))
    return name


def take_over(workspace: Workspace, *arguments: str, folder_id: str = "") -> Finished:
    cloud = workspace.cloud
    # The emulated CDN is the account's own host, as the client's setting for that says.
    workspace.environment["CLOUDINARY_URL"] = (
        f"{cloud.cloudinary_url}&secure_distribution=127.0.0.1:{cloud.ports['cloudinary']}"
    )
    options = ["--folder-id", folder_id or cloud.folder_id, "--token", cloud.token]
    return workspace.script("take_over.py", *options, "--drive-endpoint", cloud.drive_endpoint, *arguments)


def test_what_was_moved_keeps_its_name_and_url_and_only_the_rest_is_moved(workspace: Workspace) -> None:
    names = ["same", "altered", "gone", "other", "new", "failed"]
    ids = dict(zip(names, workspace.add(*(f"{name}.jpg" for name in names)), strict=True))
    same, altered, gone, other = (ids[name] for name in names[:4])
    moved = {
        same: planted(workspace, "Old/some name", bytes_of("same.jpg")),
        altered: planted(workspace, "Old/altered", bytes_of("smaller", 700), timestamp=EARLIER),
        gone: {**planted(workspace, "Old/gone", bytes_of("gone.jpg")), "public_id": "Old/deleted"},
        other: {"timestamp": LATER, "cloudinary_url": "http://127.0.0.1:9/x/image/upload/v1/o.jpg", "public_id": "o"},
        "deletedInDrive": planted(workspace, "Old/x", bytes_of("x")),
        "nothing": {},
    }
    moved[gone]["cloudinary_url"] = moved[gone]["cloudinary_url"].replace("/gone", "/deleted")
    name = cache(workspace, moved, failed_uploads={ids["failed"]: {"timestamp": LATER, "error": "x"}, same: {}})
    (workspace.path / "cut.json").write_text('{"successful_uploads": {"a"')
    (workspace.path / "list.json").write_text("[]")
    # A dry run before it has given other names, under which nothing was moved.
    workspace.dry_run().succeeded()
    workspace.cloud.reset()
    done = take_over(workspace, name, "cut.json", "list.json", "nowhere.json").succeeded()
    for bad in ("cut.json is left out: it is cut", "list.json is left out", "nowhere.json"):
        done.line("warning: ", bad)
    done.line("1 cache: 5 images moved, 1 failed; 1 entry without an ID or a URL; 1 image not in the Drive folder")
    done.line("taken over: 2 (1 with Drive's md5, 0 with its size, 1 with other bytes); already in the results: 0")
    done.line("not taken over: gone.jpg: missing: ")
    done.line("not taken over: other.jpg: not an original image's URL of this cloud: http://127.0.0.1:9/")
    done.line("not taken over: 2 (", "1 missing", "1 not an original")
    done.line("to be moved: 4 of 6 images: snakemake --cores 8")
    assert not workspace.calls("cloudinary.upload") and not workspace.calls("drive.media")
    assert workspace.calls("delivery.head") == 3 and workspace.calls("delivery") == 1, "for a size that differs"

    workspace.cloud.reset()
    take_over(workspace, name).line("taken over: 0 ", "already in the results: 2")
    assert workspace.calls("delivery.head") == 1, "only of what is missing"

    workspace.run().succeeded()
    assert workspace.calls("cloudinary.upload") == workspace.calls("drive.media") == 4
    rows = {row["file_id"]: row for row in workspace.mapping()}
    for file_id in (same, altered):
        assert rows[file_id]["cloudinary_url"] == rows[file_id]["jpg_url"] == moved[file_id]["cloudinary_url"]
        assert rows[file_id]["status"] == "existing"
    public_ids = {name: rows[file_id]["public_id"] for name, file_id in ids.items()}
    kept = {"same": "Old/some_name", "altered": "Old/altered", "gone": "Old/deleted"}
    assert public_ids == kept | {name: f"Photos/{name}" for name in ("other", "new", "failed")}
    assert rows[same]["error"] == "" and workspace.cloud.assets()["Old/some_name"]["stores"] == 0
    assert rows[altered]["error"] == (
        "taken over: other bytes than in Drive, which changed after its upload (700 bytes, 1,000 in Drive); "
        "take_over.py --replace-altered has it moved again"
    )
    marker = workspace.markers()[f"{same}.{rows[same]['md5']}.json"]
    assert marker["cloudinary"]["etag"] == rows[same]["md5"] and marker["cloudinary"]["bytes"] == 1000
    workspace.run("verify").line("6 URLs asked: 6 answer as they should")


def test_other_bytes_are_replaced_in_place_only_if_asked_for(workspace: Workspace) -> None:
    ids = workspace.add("photo.jpg", "bare.jpg")
    smaller = bytes_of("smaller", 700)
    moved = {
        ids[0]: planted(workspace, "Old/photo", smaller),
        ids[1]: planted(workspace, "Old/bare", smaller),
    }
    # A URL without a version: only the md5 says which asset is replaced.
    version = moved[ids[1]]["cloudinary_url"].split("/")[6]
    moved[ids[1]]["cloudinary_url"] = moved[ids[1]]["cloudinary_url"].replace(f"/{version}/", "/")
    name = cache(workspace, moved)
    take_over(workspace, name).line("taken over: 2 ", "2 with other bytes")
    workspace.run().succeeded()
    assert workspace.statuses() == {"photo.jpg": "existing", "bare.jpg": "existing"}
    assert not workspace.calls("cloudinary.upload")

    workspace.cloud.faults([{"on": "delivery", "do": {"without": ["ETag"]}, "times": None}])
    for _ in range(2):
        done = take_over(workspace, "--replace-altered", name).succeeded()
        done.line("to be moved: 2 of 2 images")
        done.line("not taken over: 2 (2 to be replaced)")
        assert not workspace.markers()
    assert not workspace.calls("cloudinary.upload")
    workspace.run().succeeded()
    assert workspace.statuses() == {"photo.jpg": "uploaded", "bare.jpg": "uploaded"}
    assert {row["public_id"] for row in workspace.mapping()} == {"Old/photo", "Old/bare"}
    assets = workspace.cloud.assets()
    assert len(assets) == 2 and assets["Old/photo"]["bytes"] == assets["Old/bare"]["bytes"] == 1000
    take_over(workspace, "--replace-altered", name).line("taken over: 0 ", "already in the results: 2")


def test_the_command_that_is_printed_goes_on_with_the_same_settings(workspace: Workspace) -> None:
    """All images are altered, so there is no marker yet that would name the Cloudinary folder."""
    ids = workspace.add("one.jpg", "two.jpg")
    workspace.add("below.jpg", parent=workspace.cloud.drive("folder", name="Sub"))
    smaller = bytes_of("smaller", 700)
    moved = {
        each: planted(workspace, f"Old trip/{name}", smaller) for each, name in zip(ids, ("one", "2"), strict=True)
    }
    before = set(workspace.cloud.assets())
    given = ("--folder-name", "Old trip", "--results", "my results", "--recursive", "no", "--replace-altered")
    done = take_over(workspace, *given, cache(workspace, moved))
    program, *arguments = shlex.split(done.line("to be moved: 2 of 2 images").partition("images: ")[2])
    assert program == "snakemake"
    workspace.run_line([str(SNAKEMAKE), "--snakefile", str(ROOT / "Snakefile"), *arguments]).succeeded()
    assert set(workspace.cloud.assets()) == before
    assert all(asset["bytes"] == 1000 for asset in workspace.cloud.assets().values()), "replaced in place"
    assert [path.name for path in (workspace.path / "my results").iterdir() if path.is_dir()] == [
        workspace.cloud.folder_id
    ]
    assert not (workspace.path / "results").exists()


def test_the_proof_is_as_good_as_what_the_cdn_states(workspace: Workspace) -> None:
    names = ["stated.jpg", "unstated.jpg", "odd.jpg", "false.jpg"]
    ids = dict(zip(names, workspace.add(*names), strict=True))
    moved = {ids[name]: planted(workspace, f"Old/{name[:-4]}", bytes_of(name)) for name in names}
    moved[ids["false.jpg"]] = planted(workspace, "Old/false", bytes_of("same size"))
    name = cache(workspace, moved)
    rules: list[dict[str, Any]] = [
        {"on": "delivery.head", "match": f"Old/{each}", "do": {"without": ["ETag"]}} for each in ("unstated", "false")
    ]
    # An etag of the form of an md5 that is none: what is delivered is read.
    odd = {"status": 200, "body": "x" * 1000, "headers": {"ETag": f'"{"0" * 32}"'}}
    workspace.cloud.faults([*rules, {"on": "delivery.head", "match": "Old/odd", "do": odd}])
    done = take_over(workspace, name).succeeded()
    done.line("taken over: 4 (2 with Drive's md5, 2 with its size, 0 with other bytes)")
    assert workspace.calls("delivery.head") == 4 and workspace.calls("delivery") == 1
    markers = {path.partition(".")[0]: marker for path, marker in workspace.markers().items()}
    assert markers[ids["odd.jpg"]].get("remark", "") == markers[ids["stated.jpg"]].get("remark", "") == ""
    assert markers[ids["false.jpg"]]["remark"] == "taken over: its size alone was compared with Drive's"

    workspace.run().succeeded()
    assert set(workspace.statuses().values()) == {"existing"} and not workspace.calls("cloudinary.upload")

    for path in (workspace.results / "markers").iterdir():
        path.unlink()
    workspace.cloud.reset()
    done = take_over(workspace, "--thorough", name)
    done.line("taken over: 4 (3 with Drive's md5, 0 with its size, 1 with other bytes)")
    assert workspace.calls("delivery") == 4


def test_what_gets_no_answer_keeps_its_name_and_is_asked_again(workspace: Workspace) -> None:
    one, two = workspace.add("one.jpg", "two.jpg")
    moved = {
        each: planted(workspace, f"Old/{each}", bytes_of(f"{name}.jpg")) for each, name in ((one, "one"), (two, "two"))
    }
    name = cache(workspace, moved)
    busy = {"error": {"status": 503, "headers": {"Retry-After": "1"}}}
    workspace.cloud.faults(
        [
            {"on": "delivery", "match": f"Old/{one}", "do": busy, "times": None},
            {"on": "delivery", "match": f"Old/{two}", "do": {"error": {"status": 401, "message": "deny"}}},
        ]
    )
    done = take_over(workspace, name).failed()
    done.line("not taken over: one.jpg: no answer: ", "the CDN answered 503")
    done.line("not taken over: two.jpg: refused: ", "deny")
    done.line("run the same command again")
    workspace.cloud.faults([])
    take_over(workspace, name).succeeded()
    assert len(workspace.markers()) == 2


def test_of_two_images_with_one_name_the_one_whose_bytes_are_there_has_it(workspace: Workspace) -> None:
    """The old script gave photo.jpg and photo.png one public_id. Names of images that were moved since stay theirs."""
    [one] = workspace.add("one.jpg")
    album = workspace.cloud.drive("folder", name="Photos")
    workspace.add("beside.jpg", parent=album)
    workspace.run(recursive=False).succeeded()
    workspace.run(folder_id=album).succeeded()
    two, three, first, second = workspace.add("two.jpg", "three.jpg", "photo.jpg", "photo.jpeg")
    moved = {
        one: planted(workspace, "Old/one", bytes_of("one.jpg")),
        two: planted(workspace, "Photos/one", bytes_of("two.jpg")),
        three: planted(workspace, "Photos/beside", bytes_of("three.jpg")),
        first: planted(workspace, "Old/photo", bytes_of("photo.jpg")),
        second: planted(workspace, "Old/photo", bytes_of("photo.jpeg"), timestamp=EARLIER),
    }
    done = take_over(workspace, cache(workspace, moved), "--recursive", "false")
    for name, public_id in (("two", "Photos/one"), ("three", "Photos/beside"), ("photo", "Old/photo")):
        done.line(f"not taken over: {name}.jpg: another image has its name: {public_id}")
    done.line("taken over: 1 (1 with Drive's md5", "already in the results: 1")
    done.line("to be moved: 3 of 5 images")
    workspace.run(recursive=False, overwrite=True).succeeded()
    names = {row["file_id"]: row["public_id"] for row in workspace.mapping()}
    assert names[second] == "Old/photo" != names[first]
    assert workspace.cloud.assets()["Old/photo"]["stores"] == 0


def test_the_newest_of_several_caches_counts_and_one_without_a_name(workspace: Workspace) -> None:
    one, two = workspace.add("one.jpg", "two.jpg")
    old = planted(workspace, "Old/one", bytes_of("one.jpg"), timestamp=EARLIER)
    new = planted(workspace, "New/one", bytes_of("one.jpg"))
    nameless = {**planted(workspace, "Old/two", bytes_of("two.jpg"), timestamp="yesterday"), "public_id": None}
    files = [cache(workspace, {one: new}, "new.json"), cache(workspace, {one: old, two: nameless}, "old.json")]
    take_over(workspace, *files).line("taken over: 2 (2 with Drive's md5")
    workspace.run().succeeded()
    assert {row["public_id"] for row in workspace.mapping()} == {"New/one", "Old/two"}
    assert not workspace.calls("cloudinary.upload")


def test_a_wrong_call_is_one_line_and_a_run_is_not_disturbed(workspace: Workspace) -> None:
    workspace.script("take_over.py", "x.json").failed().line("folder_id is missing: take_over.py --folder-id")
    take_over(workspace, "x.json").failed().line("no cache could be read")
    assert not workspace.results.exists()
    workspace.add("one.jpg")
    workspace.cloud.faults([{"on": "drive.media", "do": {"hang": True}, "times": None}])
    running = workspace.start(timeout=60)
    try:
        wait_for(workspace.workers)
        take_over(workspace, cache(workspace, {})).failed().line("another run holds ")
    finally:
        running.kill()
        running.communicate()


OWN = "https://res.cloudinary.com/mine/image/upload"


@pytest.mark.parametrize(
    ("url", "public_id", "read"),
    [
        (f"{OWN}/v12/a/b.jpg", "a/b", Address("a/b", 12, "jpg")),
        ("http://res-3.cloudinary.com/mine/image/upload/v12/a/b.JPEG", "a/b", Address("a/b", 12, "jpg")),
        (f"{OWN}/a%20b.png?_a=x", "a b", Address("a b", None, "png")),
        (f"{OWN}/v1/a.b", "a.b", Address("a.b", 1, None)),
        (f"{OWN}/v1/a.b.gif", "", Address("a.b", 1, "gif")),
        (f"{OWN}/v1/%E6%9D%B1.tif", "東", Address("東", 1, "tiff")),
        (f"{OWN}/v1/a_b.gif", "a b", Address("a_b", 1, "gif")),
        (f"{OWN}/a.gif", "", None),
        (f"{OWN}/f_jpg/v1/a.gif", "a", None),
        (f"{OWN}/v1/b.gif", "a", None),
        (OWN.replace("image", "video") + "/v1/a.mp4", "a", None),
        (OWN.replace("mine", "theirs") + "/v1/a.gif", "a", None),
        (OWN.replace(".com", ".com.example.com") + "/v1/a.gif", "a", None),
        (OWN.replace("res.", "me@res.") + "/v1/a.gif", "a", None),
        (OWN.replace(".com", ".com:81") + "/v1/a.gif", "a", None),
        (f"{OWN}/v1/a/../../../../theirs/a.gif", "a/../../../../theirs/a", None),
        (f"{OWN}/v1/a/%2e%2e/a.gif", "", None),
        (f"{OWN}/v1/%ed%a0%80.gif", "", None),
        (f"{OWN}/v1/a%0Ab.gif", "a\nb", None),
        (f"{OWN}/v1/a%E2%80%AEb.gif", "a\u202eb", None),
        (f"{OWN}/v1/{'a' * 256}.gif", "a" * 256, None),
        (OWN.replace("https", "ftp") + "/v1/a.gif", "a", None),
        ("https://[/mine/image/upload/v1/a.gif", "a", None),
        ("", "a", None),
    ],
)
def test_only_urls_of_originals_of_the_own_cloud_are_read(
    url: str, public_id: str, read: Address | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDINARY_URL", "cloudinary://key:secret@mine")
    try:
        assert OwnCloud().read(url, public_id) == read
    finally:
        monkeypatch.undo()
        cloudinary.reset_config()


def test_whatever_stands_in_a_cache_harms_nothing(tmp_path: Path) -> None:
    path = tmp_path / "cache.json"
    for uploads, failed in (
        (None, None),
        ([1], [1]),
        ({"../x": {"cloudinary_url": "u"}, "id": [], "id2": {"cloudinary_url": 1}}, {}),
        ({"id": {}}, {"..": 1}),
    ):
        path.write_text(json.dumps({"successful_uploads": uploads, "failed_uploads": failed}))
        read = caches.read([path], pytest.fail)
        assert (read.entries, read.failed, read.read) == ({}, set(), 1)
