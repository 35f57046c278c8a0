"""Drive changes between two runs: only what has new bytes is moved again, and no name ever changes its owner."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.emulator.pictures import noise_jpeg
from tests.harness import Workspace, jpeg

FOREIGN = noise_jpeg(2000, 4711)


class Recorder(ThreadingHTTPServer):
    """Stands between the uploads and the emulated Cloudinary, and keeps the fields of each request."""

    def __init__(self, cloudinary_url: str) -> None:
        super().__init__(("127.0.0.1", 0), Passing)
        self.prefix = cloudinary_url.partition("upload_prefix=")[2]
        self.cloudinary_url = cloudinary_url.replace(self.prefix, f"http://127.0.0.1:{self.server_port}")
        self.sent: list[dict[str, str]] = []

    def __enter__(self) -> Recorder:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class Passing(BaseHTTPRequestHandler):
    """Passes a POST on, and the answer back."""

    def do_POST(self) -> None:
        assert isinstance(self.server, Recorder)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        found = re.findall(rb'form-data; name="(\w+)"(?:; filename="(.*?)")?.*?\r\n\r\n(.*?)\r\n--', body, re.S)
        fields = {name.decode(): filename or value for name, filename, value in found}
        self.server.sent.append({name: value.decode() for name, value in fields.items()})
        headers = {"Content-Type": self.headers["Content-Type"]}
        with urllib.request.urlopen(urllib.request.Request(self.server.prefix + self.path, body, headers)) as answer:
            content = answer.read()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


def test_only_an_upload_that_replaces_our_own_asset_overwrites_and_it_clears_the_cdn(workspace: Workspace) -> None:
    changed, _ = workspace.add("changed.jpg", "same.jpg")
    with Recorder(workspace.cloud.cloudinary_url) as recorder:
        workspace.environment["CLOUDINARY_URL"] = recorder.cloudinary_url
        workspace.run().succeeded()
        workspace.cloud.drive("replace", id=changed, content_base64=jpeg("changed"))
        workspace.run().succeeded()
    *first, last = recorder.sent
    assert {fields["overwrite"] for fields in first} <= {"false", "0"} and not any("invalidate" in f for f in first)
    assert {fields["file"] for fields in first} == {"changed.jpg", "same.jpg"}, "a name, and no local path"
    assert last["overwrite"] in ("true", "1") and last["invalidate"] in ("true", "1")
    assert last["public_id"] == "Photos/changed"
    assert last["context"] == f"drive_id={changed}", "an overwriting upload would drop it otherwise"


def test_only_new_bytes_move_and_every_url_stays_what_it_was(workspace: Workspace) -> None:
    cloud = workspace.cloud
    names = ["changed", "renamed", "moved", "deleted", "trashed", "touched", "same"]
    ids = dict(zip(names, workspace.add(*(f"{name}.jpg" for name in names)), strict=True))
    workspace.run().succeeded()
    before = {row["file_id"]: row for row in workspace.audit()}
    markers = workspace.markers()

    cloud.drive("replace", id=ids["changed"], content_base64=jpeg("changed"))
    cloud.drive("rename", id=ids["renamed"], name="new name.jpg")
    cloud.drive("move", id=ids["moved"], parent=cloud.drive("folder", name="Inner"))
    cloud.drive("delete", id=ids["deleted"])
    cloud.drive("trash", id=ids["trashed"])
    cloud.drive("set", id=ids["touched"], modifiedTime=1_700_000_000)
    # New images that want the names which the others have left: the assets that hold them are still there.
    new = workspace.add("new.jpg", "renamed.jpg", "moved.jpg", "deleted.jpg", "trashed.jpg", content_base64=jpeg("new"))
    cloud.reset()
    workspace.run().succeeded()
    rows = {row["file_id"]: row for row in workspace.mapping()}
    assets = cloud.assets()

    moved = sorted(call["key"] for call in cloud.log() if call["op"] == "drive.media")
    assert moved == sorted([ids["changed"], *new]), "only new bytes are moved"
    assert set(rows) == {*ids.values(), *new} - {ids["deleted"], ids["trashed"]}
    for name in ("renamed", "moved", "touched", "same"):
        row, old = rows[ids[name]], before[ids[name]]
        assert (row["cloudinary_url"], row["public_id"]) == (old["cloudinary_url"], old["public_id"])
        assert row["status"] == "uploaded" and assets[row["public_id"]]["stores"] == 1
    assert (rows[ids["renamed"]]["filename"], rows[ids["renamed"]]["local_filename"]) == ("new name.jpg", "new name")
    assert rows[ids["moved"]]["folder_path"] == "Inner"

    row, old = rows[ids["changed"]], before[ids["changed"]]
    asset = assets[row["public_id"]]
    assert row["public_id"] == old["public_id"] and row["md5"] != old["md5"], "replaced in place"
    assert (asset["etag"], asset["stores"]) == (row["md5"], 2)
    assert row["cloudinary_url"].split("/v")[0] == old["cloudinary_url"].split("/v")[0] != row["cloudinary_url"]
    now = workspace.markers()
    assert set(markers) - set(now) == {f"{ids['changed']}.{old['md5']}.json"}, "the old version's marker"
    assert set(now) - set(markers) == {f"{each}.{rows[each]['md5']}.json" for each in [ids["changed"], *new]}

    assert len({row["public_id"] for row in [*rows.values(), *before.values()]}) == len(ids) + len(new)
    assert {assets[before[ids[each]]["public_id"]]["stores"] for each in ("deleted", "trashed")} == {1}
    assert not workspace.calls("cloudinary.destroy"), "nothing is deleted in Cloudinary"


def test_a_dry_run_tells_new_from_changed_from_failed_before(workspace: Workspace) -> None:
    (changed, _) = workspace.add("changed.jpg", "same.jpg")
    workspace.add("failing.jpg", capabilities={"canDownload": False})
    workspace.run().failed()
    workspace.cloud.drive("replace", id=changed, content_base64=jpeg("changed", 1500))
    workspace.add("new.jpg")
    dry = workspace.dry_run("-R", "list_images").succeeded()
    said = ["changed changed.jpg", "failed before failing.jpg", "new new.jpg"]
    assert [" ".join(line.split()) for line in dry.lines[:3]] == said
    assert "3 of 4 images to move (1 new, 1 changed, 1 failed before), 3.5 kB" in dry.lines[-1]


def test_a_changed_image_whose_upload_fails_is_replaced_in_place_later(workspace: Workspace) -> None:
    """Also if it has changed back meanwhile."""
    (image,) = workspace.add("one.jpg")
    workspace.run().succeeded()
    (before,) = workspace.mapping()
    workspace.cloud.drive("replace", id=image, content_base64=jpeg("second"))
    refusal = {"error": {"status": 400, "message": "Invalid image file"}}
    workspace.cloud.faults([{"on": "cloudinary.upload", "do": refusal, "times": None}])
    workspace.run().failed()
    assert workspace.statuses() == {"one.jpg": "failed"}
    assert not workspace.markers(), "the old version's marker is no proof of the new one"
    workspace.cloud.faults([])
    for content in ("second", "one.jpg"):
        workspace.cloud.drive("replace", id=image, content_base64=jpeg(content))
        workspace.run().succeeded()
        (row,) = workspace.mapping()
        assert row["public_id"] == before["public_id"] and len(workspace.markers()) == 1
        assert workspace.cloud.assets()[row["public_id"]]["etag"] == row["md5"]
    assert row["md5"] == before["md5"]


@pytest.mark.parametrize("etag", ["with its etag", "without its etag"])
def test_what_somebody_else_has_put_there_is_never_overwritten_unless_asked(workspace: Workspace, etag: str) -> None:
    cloud = workspace.cloud
    cloud.settings(existing_without_etag=etag == "without its etag")
    taken, same, free = workspace.add("taken.jpg", "same.jpg", "free.jpg")
    cloud.plant("Photos/taken", FOREIGN)
    cloud.plant("Photos/same", base64.b64decode(jpeg("same.jpg")))
    workspace.run().failed().line("failed: taken.jpg", "Photos/taken", "another asset", "overwrite=true")
    assert workspace.statuses() == {"taken.jpg": "failed", "same.jpg": "existing", "free.jpg": "uploaded"}
    assert workspace.failures()[taken]["cause"] == "name_taken"
    rows = {row["file_id"]: row for row in workspace.mapping()}
    assert rows[taken]["cloudinary_url"] == "UPLOAD_FAILED"
    (marker,) = [value for name, value in workspace.markers().items() if name.startswith(same)]
    assert (marker["status"], marker["cloudinary"]["etag"]) == ("existing", rows[same]["md5"])
    assert {name: asset["stores"] for name, asset in cloud.assets().items()} == {
        "Photos/taken": 0,
        "Photos/same": 0,
        "Photos/free": 1,
    }

    cloud.reset()
    workspace.run(overwrite=True).succeeded()
    assert workspace.statuses() == {"taken.jpg": "uploaded", "same.jpg": "existing", "free.jpg": "uploaded"}
    row = next(row for row in workspace.mapping() if row["file_id"] == taken)
    assert (cloud.assets()["Photos/taken"]["etag"], row["public_id"]) == (row["md5"], "Photos/taken")
    assert workspace.calls("drive.media") == 1


def test_our_own_asset_that_somebody_changed_since_is_replaced_only_by_a_changed_image(workspace: Workspace) -> None:
    """The marker stands, so nothing is asked of Cloudinary; a lost results folder makes it a foreign asset."""
    workspace.add("one.jpg")
    workspace.run().succeeded()
    workspace.cloud.plant("Photos/one", FOREIGN)
    workspace.run().succeeded()
    shutil.rmtree(workspace.results)
    workspace.run().failed()
    assert workspace.cloud.assets()["Photos/one"]["stores"] == 0


def test_a_lost_results_folder_costs_downloads_but_stores_nothing_twice(workspace: Workspace) -> None:
    """And nothing at all, if the markers alone were carried to another machine."""
    ids = workspace.add("one.jpg", "two.jpg", "two.jpg", "two.png")
    workspace.run().succeeded()
    before, markers = workspace.mapping(), workspace.markers()
    for path in workspace.path.iterdir():
        shutil.rmtree(path)
    workspace.run().succeeded()
    assert [row["cloudinary_url"] for row in workspace.audit()] == [row["cloudinary_url"] for row in before]
    assert {asset["stores"] for asset in workspace.cloud.assets().values()} == {1}
    assert len(ids) == len(workspace.cloud.assets())

    for path in workspace.path.iterdir():
        shutil.rmtree(path)
    (workspace.results / "markers").mkdir(parents=True)
    for name, value in markers.items():
        (workspace.results / "markers" / name).write_text(json.dumps(value))
    workspace.cloud.reset()
    workspace.run().succeeded()
    assert workspace.mapping() == before
    assert not workspace.calls("drive.media") and not workspace.calls("cloudinary.upload")


def test_a_listing_that_another_program_has_written_is_still_one(workspace: Workspace) -> None:
    workspace.add("a.jpg", "b.jpg")
    workspace.run().succeeded()
    path = workspace.results / "listing.json"
    before = path.read_bytes()
    path.write_text(json.dumps(json.loads(before), indent=2))
    next((workspace.results / "markers").iterdir()).unlink()
    workspace.run().succeeded()
    assert path.read_bytes().splitlines()[1:] == before.splitlines()[1:]
    workspace.audit()


def test_an_excluded_image_that_changes_keeps_its_url_and_its_older_content(workspace: Workspace) -> None:
    (one,) = workspace.add("one.jpg")
    workspace.cloud.drive("set", id=one, md5Checksum=hashlib.md5(b"another").hexdigest())
    workspace.run(trust_checksum=f"{{{one}: false}}").succeeded()
    (before,) = workspace.mapping()
    assert before["error"]
    changed = jpeg("changed")
    workspace.cloud.drive("replace", id=one, content_base64=changed)
    workspace.cloud.drive("set", id=one, md5Checksum=hashlib.md5(base64.b64decode(changed)).hexdigest())
    workspace.run(exclude="one.*").succeeded().line("1 image listed: 0 to move, 1 moved before, 0 skipped")
    (row,) = workspace.mapping()
    assert row["cloudinary_url"] == before["cloudinary_url"] and row["status"] == "uploaded"
    assert row["error"] == f"excluded, and changed in Drive since: Cloudinary has its older content; {before['error']}"
    workspace.run("verify", exclude="one.*").succeeded()
    workspace.run().succeeded()
    assert workspace.mapping()[0]["error"] == "" and workspace.cloud.assets()["Photos/one"]["stores"] == 2
