"""A clock that was ahead or jumps makes no run fail and no image be missed."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from drive2cloudinary.terminal.preview import how_long_ago
from tests.harness import PATIENCE, Workspace, packed_in, wait_for

NEXT_YEAR = time.time() + 365 * 86_400


def to_next_year(*paths: Path) -> None:
    for path in paths:
        os.utime(path, (NEXT_YEAR, NEXT_YEAR))


@pytest.fixture
def moved(workspace: Workspace) -> Workspace:
    """A folder of which all was moved."""
    workspace.add("one.jpg", "two.jpg")
    workspace.run().succeeded()
    return workspace


def test_results_of_next_year_are_brought_up_to_date_as_any_others(moved: Workspace) -> None:
    """All of them, the listing alone, the mapping alone; with an image to be moved, and with none."""
    changed = next(row for row in moved.mapping() if row["filename"] == "one.jpg")["file_id"]
    moved.cloud.drive("replace", id=changed, picture={"seed": 7})
    moved.add("three.jpg")
    made = [moved.results / name for name in ("mapping.csv", "mapping.json", "orphans.csv", "report.html")]
    everything = [path for path in moved.results.rglob("*") if path.is_file()]
    for number, paths in enumerate((everything, [moved.results / "listing.json"], made)):
        moved.cloud.drive("set", id=changed, name=f"{number}.jpg")
        to_next_year(*paths)
        done = moved.run().succeeded()
        assert moved.agreed(done).counts["uploaded"] == 3
        assert set(moved.statuses()) == {f"{number}.jpg", "two.jpg", "three.jpg"}
    assert "2.jpg" in packed_in(moved.results / "report.html")
    moved.audit(crashes=1)


@pytest.mark.parametrize("ahead", [600, -600])
def test_wrong_file_times_neither_fail_a_run_nor_hide_an_image(workspace: Workspace, ahead: int) -> None:
    """As a clock leaves them that is set: after a jump back, all that was written before lies in the future."""
    workspace.add("one.jpg", "lost.jpg")
    workspace.cloud.faults([{"on": "drive.list", "do": {"hold": 0}, "times": None}])
    running = workspace.start(timeout=PATIENCE)
    wait_for(lambda: workspace.held("drive.list"))
    then = time.time() + ahead
    os.utime(workspace.results / "run.json", (then, then))
    workspace.hold_uploads()
    wait_for(lambda: workspace.held() == 2)
    os.utime(workspace.results / "listing.json", (then, then))
    workspace.cloud.faults([])
    assert workspace.agreed(workspace.finish(running).succeeded()).counts["uploaded"] == 2
    workspace.audit()


def test_the_markers_time_of_a_clock_that_was_ahead_does_not_count(moved: Workspace) -> None:
    """Of two markers of an image, the newer one is that with the higher version, which Cloudinary counts."""
    (row, _) = sorted(moved.mapping(), key=lambda row: row["filename"] != "one.jpg")
    newer = moved.results / "markers" / f"{row['file_id']}.{row['md5']}.json"
    value = json.loads(newer.read_text())
    older = json.loads(json.dumps(value))
    older["drive"]["md5"] = "0" * 32
    older["cloudinary"] |= {"version": value["cloudinary"]["version"] - 1000, "etag": "0" * 32}
    older["uploaded_at"] = "2100-01-01T00:00:00+00:00"
    (moved.results / "markers" / f"{row['file_id']}.{'0' * 32}.json").write_text(json.dumps(older))
    moved.cloud.drive("replace", id=row["file_id"], picture={"seed": 7})
    listed = moved.results / "listing.json"
    moved.script("list_images.py", f"--settings={moved.settings()}", str(listed)).succeeded()
    (image,) = [each for each in json.loads(listed.read_text())["images"] if each["id"] == row["file_id"]]
    assert image["replaces"]["marker"] == newer.name
    assert image["replaces"]["version"] == value["cloudinary"]["version"]


def test_a_time_to_come_is_not_said_as_one_that_has_passed() -> None:
    assert how_long_ago("2100-01-01T00:00:00+00:00") == "at 2100-01-01 00:00 UTC, by a clock that was ahead"
    assert how_long_ago("2020-01-01T00:00:00+00:00").endswith("days ago")
