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


def names(workspace: Workspace) -> set[str]:
    return {row["filename"] for row in workspace.mapping()}


@pytest.fixture
def moved(workspace: Workspace) -> Workspace:
    """A folder of which all was moved."""
    workspace.add("one.jpg", "two.jpg")
    workspace.run().succeeded()
    return workspace


def test_results_of_next_year_are_brought_up_to_date_as_any_others(moved: Workspace) -> None:
    """All of them, the listing alone, the mapping alone; with an image to be moved, and with none."""
    to_next_year(*(path for path in moved.results.rglob("*") if path.is_file()))
    changed = next(row for row in moved.mapping() if row["filename"] == "one.jpg")
    moved.cloud.drive("replace", id=changed["file_id"], picture={"seed": 7})
    moved.add("three.jpg")
    done = moved.run()
    done.succeeded()
    done.line("3 images: 3 uploaded")
    assert len(moved.audit(crashes=1)) == 3

    to_next_year(moved.results / "listing.json")
    moved.cloud.drive("set", id=changed["file_id"], name="renamed.jpg")
    done = moved.run()
    done.succeeded()
    done.line("3 images: 3 uploaded")
    assert names(moved) == {"renamed.jpg", "two.jpg", "three.jpg"}

    to_next_year(*(moved.results / name for name in ("mapping.csv", "mapping.json", "orphans.csv", "report.html")))
    moved.cloud.drive("set", id=changed["file_id"], name="again.jpg")
    done = moved.run()
    done.succeeded()
    done.line("3 images: 3 uploaded")
    assert names(moved) == {"again.jpg", "two.jpg", "three.jpg"}
    assert "again.jpg" in packed_in(moved.results / "report.html")


@pytest.mark.parametrize("ahead", [600, -600])
def test_times_that_jump_in_the_midst_of_a_run_neither_fail_it_nor_lose_the_mapping(
    workspace: Workspace, ahead: int
) -> None:
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
    said = "".join(running.communicate(timeout=60))
    assert running.returncode == 0, said
    assert "2 images: 2 uploaded" in said
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
