"""Results of a newer version are neither misread nor overwritten."""

from __future__ import annotations

import json

from drive2cloudinary.results.format import FORMAT
from tests.harness import Workspace


def test_each_json_file_has_a_format_number(workspace: Workspace) -> None:
    workspace.add("one.jpg")
    workspace.cloud.drive("add", name="no picture.jpg", content_base64="AAAA", parent="")
    workspace.run().failed()
    written = [path for path in workspace.results.rglob("*.json") if path.name != "mapping.json"]
    assert {path.parent.name for path in written} == {workspace.results.name, "failures", "markers", "logs"}
    assert {json.loads(path.read_text())["format"] for path in written} == {FORMAT}


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
