"""Results of the first version are read; those of a newer one are neither misread nor overwritten."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from drive2cloudinary.report.merging import merge_markers
from drive2cloudinary.results import failure, listing, mapping, marker
from drive2cloudinary.results.format import FORMAT
from drive2cloudinary.results.run import Run
from tests.harness import Workspace

FIRST = Path(__file__).parent / "data" / "first_version"
MOVED, LOCKED = "1B3r2_hHTQ_Az7EPyLi3m1VwN4s_cTdUk", "1lgCrokXQfAZ7Ys6XYyl9bUEzlt_bqfMd"


def test_files_of_the_first_version_are_read_and_taken_over(workspace: Workspace) -> None:
    head = listing.head(FIRST / "listing.json")
    folder = workspace.path / "results" / head.folder_id
    shutil.copytree(FIRST, folder)
    listed = listing.read(folder / "listing.json")
    assert [image.id for image in listed.images] == [MOVED, LOCKED]
    assert listing.Entries(folder / "listing.json").image(LOCKED).no_download
    assert marker.read(next((folder / "markers").iterdir()))
    record = failure.read(folder, LOCKED)
    assert record and record.cause == "not_allowed"
    assert Run(folder).id == "7719e8c606904d768f4cb708632e32bb"

    done = workspace.dry_run(folder_id=head.folder_id).succeeded()
    assert "failed before" in done.said and "moved.jpg" not in done.said, done.said

    before = mapping.read(folder / "mapping.json")
    assert merge_markers(folder / "listing.json") == 1
    assert mapping.read(folder / "mapping.json") == before


def test_each_json_file_has_a_format_number_and_one_without_is_read(workspace: Workspace) -> None:
    workspace.add("one.jpg")
    workspace.cloud.drive("add", name="no picture.jpg", content_base64="AAAA", parent="")
    workspace.run().failed()
    written = [path for path in workspace.results.rglob("*.json") if path.name != "mapping.json"]
    assert sorted(path.parent.name for path in written if path.parent != workspace.results) == ["failures", "markers"]
    for path in written:
        value = json.loads(path.read_text())
        assert value["format"] == FORMAT, path
        path.write_text(path.read_text().replace(f'"format": {FORMAT}, ', "").replace(f'"format": {FORMAT},\n', ""))
        assert "format" not in json.loads(path.read_text()), path
    workspace.run().failed()
    assert workspace.calls("cloudinary.upload") == 3, "the one that failed was tried once more, and no other"
    assert sorted(workspace.statuses().values()) == ["failed", "uploaded"]


def test_what_a_newer_version_has_made_stops_the_run_and_stays_as_it_is(workspace: Workspace) -> None:
    workspace.add("one.jpg")
    workspace.run().succeeded()
    uploads = workspace.calls("cloudinary.upload")
    kept = {path: path.read_bytes() for path in workspace.results.rglob("*.json") if path.name != "mapping.json"}
    workspace.add("two.jpg")
    for path, content in kept.items():
        newer = content.replace(f'"format": {FORMAT}'.encode(), f'"format": {FORMAT + 1}, "unknown": []'.encode(), 1)
        path.write_bytes(newer)
        done = workspace.run().failed()
        line = f"{path.relative_to(workspace.path)} was made by a newer version of drive2cloudinary: update it"
        assert [each for each in done.lines if "newer version" in each] == [line], done.said
        if path.name != "run.json":
            assert "newer version" in (planned := workspace.dry_run()).said, planned.said
        assert path.read_bytes() == newer
        assert not list(workspace.results.rglob("*.corrupt"))
        assert workspace.calls("cloudinary.upload") == uploads, path
        path.write_bytes(content)
    workspace.run().succeeded()
    workspace.audit()
