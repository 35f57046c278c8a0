"""A run that finds nothing new leaves the results as they are, and looks at each marker without opening it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.harness import Workspace, wait_for

NOTHING = "nothing has changed since the last run: mapping and report stay as they are"
RESULTS = ("listing.json", "mapping.csv", "mapping.json", "orphans.csv", "report.html")


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """The time and the content of each file of the results."""
    return {name: ((folder / name).stat().st_mtime_ns, (folder / name).read_bytes()) for name in RESULTS}


def a_marker(workspace: Workspace, name: str) -> Path:
    (row,) = [row for row in workspace.mapping() if row["filename"] == name]
    return workspace.results / "markers" / f"{row['file_id']}.{row['md5']}.json"


def test_a_run_that_finds_nothing_new_leaves_all_as_it_is_and_says_so(workspace: Workspace) -> None:
    workspace.add("1.jpg", "2.jpg", "left out.jpg")
    first = workspace.run(exclude="left*")
    first.succeeded()
    assert NOTHING not in first.lines
    before = state(workspace.results)
    log = workspace.results / "logs" / "merge_markers.log"
    log.write_text("of the first run")
    again = workspace.run(exclude="left*")
    again.succeeded()
    assert NOTHING in again.lines and state(workspace.results) == before
    assert log.read_text() == "of the first run", "what is downstream does not run"
    assert again.line("2 images in Cloudinary, none uploaded now, in ")
    # A dry run that lists knows when the listing was last found to be right, and leaves it alone, too.
    assert workspace.dry_run("-R", "list_images", exclude="left*").line("listed just now")
    assert state(workspace.results) == before
    other = workspace.run()
    other.succeeded()
    assert NOTHING not in other.lines and other.line("3 images in Cloudinary, 1 uploaded now")


def test_what_changed_by_hand_is_seen(workspace: Workspace) -> None:
    workspace.add("1.jpg", "2.jpg", "3.jpg")
    workspace.run().succeeded()
    rows = workspace.mapping()

    (workspace.results / "mapping.csv").write_text("mine")
    workspace.run().succeeded()
    assert workspace.mapping() == rows, "an edited mapping is made again"
    (workspace.results / "report.html").unlink()
    workspace.run().succeeded()
    assert (workspace.results / "report.html").exists()

    kept = a_marker(workspace, "1.jpg")
    shutil.copy(kept, workspace.path / "kept.json")
    value = json.loads(kept.read_text())
    kept.write_text(json.dumps({**value, "remark": "by hand"}))
    workspace.run().succeeded()
    assert [row["error"] for row in workspace.mapping()] == ["by hand", "", ""], "a marker that was edited"
    shutil.copy(workspace.path / "kept.json", kept)
    workspace.cloud.reset()
    workspace.run().succeeded()
    assert workspace.mapping() == rows and not workspace.calls("drive.media"), "one that was put back"

    a_marker(workspace, "2.jpg").unlink()
    a_marker(workspace, "3.jpg").write_bytes(b"half of i")
    workspace.run().succeeded()
    assert workspace.calls("drive.media") == 2
    assert NOTHING in workspace.run().lines


def test_no_marker_is_opened_that_is_known_to_be_valid_and_the_record_may_be_deleted(workspace: Workspace) -> None:
    workspace.add("1.jpg", "2.jpg")
    workspace.run().succeeded()
    record = workspace.results / "logs" / "merged.json"
    value = json.loads(record.read_text())
    damaged = a_marker(workspace, "1.jpg")
    damaged.write_text("{")
    found = damaged.stat()
    # A record that says the damaged marker is valid is believed: so the marker is not opened.
    value["markers"][damaged.name] = f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"
    record.write_text(json.dumps(value))
    assert workspace.dry_run().line("0 of 2 images to move")
    for damage in (b"", b"\xff\x00 1 2", b"[]", b'{"markers": 1}'):
        record.write_bytes(damage)
        assert workspace.dry_run().line("1 of 2 images to move")
    workspace.run().succeeded()
    assert workspace.calls("drive.media") == 3


def test_of_many_folders_only_those_with_a_change_are_merged_again(workspace: Workspace) -> None:
    still, busy = workspace.cloud.drive("folder", name="Still"), workspace.cloud.drive("folder", name="Busy")
    workspace.add("1.jpg", parent=still)
    workspace.add("2.jpg", parent=busy)
    (workspace.path / "folders.csv").write_text(f"folder_name,folder_id\nStill,{still}\nBusy,{busy}\n")
    config: dict[str, Any] = {"folder_id": None, "folders": "folders.csv"}
    results = workspace.path / "results"
    workspace.run(**config).succeeded()
    before = state(results / still), state(results / busy), (results / "mapping.csv").stat().st_mtime_ns
    done = workspace.run(**config)
    done.succeeded()
    assert NOTHING in done.lines
    assert before == (state(results / still), state(results / busy), (results / "mapping.csv").stat().st_mtime_ns)

    workspace.add("3.jpg", parent=busy)
    changed = workspace.run(**config)
    changed.succeeded()
    assert NOTHING not in changed.lines and state(results / still) == before[0]
    combined = json.loads((results / "mapping.json").read_text())
    assert [row["filename"] for row in combined] == ["1.jpg", "2.jpg", "3.jpg"]

    # A folder that was brought up to date by itself: the combined mapping follows, each time.
    for name in ("4.jpg", "5.jpg"):
        workspace.add(name, parent=busy)
        workspace.run(folder_id=busy, folder_name="Busy").succeeded()
        workspace.run(**config).succeeded()
        combined = json.loads((results / "mapping.json").read_text())
        assert combined[-1]["filename"] == name

    (workspace.path / "folders.csv").write_text(f"folder_name,folder_id\nBusy,{busy}\n")
    workspace.run(**config).succeeded()
    combined = json.loads((results / "mapping.json").read_text())
    assert [row["filename"] for row in combined] == ["2.jpg", "3.jpg", "4.jpg", "5.jpg"], "a folder named no more"


def test_a_mapping_that_is_asked_for_is_made_again_if_it_is_outdated(workspace: Workspace) -> None:
    """The image was moved alone, after a run in which it had failed."""
    (image,) = workspace.add("1.jpg", capabilities={"canDownload": False})
    workspace.run().failed()
    assert workspace.statuses() == {"1.jpg": "failed"}
    workspace.cloud.drive("set", id=image, capabilities={"canDownload": True})
    listing = workspace.results / "listing.json"
    workspace.script("list_images.py", f"--settings={workspace.settings()}", str(listing)).succeeded()
    (entry,) = json.loads(listing.read_text())["images"]
    folder = Path("results", workspace.cloud.folder_id)
    workspace.run(str(folder / "markers" / f"{image}.{entry['md5']}.json")).succeeded()
    workspace.run(str(folder / "mapping.csv")).succeeded()
    assert workspace.statuses() == {"1.jpg": "uploaded"}
    report = (workspace.results / "report.html").stat().st_mtime_ns
    workspace.run("-R", "merge_markers").succeeded()
    assert (workspace.results / "report.html").stat().st_mtime_ns > report, "and if it is forced"


def test_a_report_of_a_stopped_run_is_not_kept(workspace: Workspace) -> None:
    """One of two folders is finished when the other stops the run: its report says why, until the next run."""
    done, late = workspace.cloud.drive("folder", name="Done"), workspace.cloud.drive("folder", name="Late")
    workspace.add("1.jpg", parent=done)
    workspace.run(folder_id=done).succeeded()
    (last,) = workspace.add("2.jpg", parent=late)
    workspace.add("3.jpg", parent=done)
    limit = {"error": {"status": 403, "reason": "dailyLimitExceeded", "message": "Daily Limit Exceeded"}}
    workspace.cloud.faults([{"on": "drive.media", "match": last, "do": {"hold": 0, **limit}, "times": None}])
    (workspace.path / "folders.csv").write_text(f"folder_name,folder_id\n,{done}\n,{late}\n")
    config: dict[str, Any] = {"folder_id": None, "folders": "folders.csv", "timeout": 120}
    running = workspace.start(**config)
    moved = workspace.path / "results" / done / "markers"
    wait_for(lambda: len(list(moved.iterdir())) == 2 and workspace.held("drive.media"))
    workspace.cloud.faults([])
    running.communicate(timeout=60)
    report = workspace.path / "results" / done / "report.html"
    assert running.returncode == 1
    assert "Stopped:" in report.read_text() and workspace.calls("cloudinary.upload") == 2, "nothing of it is pending"
    workspace.run(**config).succeeded()
    assert "Stopped:" not in report.read_text()


def test_a_link_that_leads_nowhere_hides_no_marker(workspace: Workspace) -> None:
    workspace.add(*(f"{number}.jpg" for number in range(8)))
    workspace.run().succeeded()
    for number in range(4):
        name = f"nothing{number}.{number:032x}.json"
        (workspace.results / "markers" / name).symlink_to(workspace.path / "nowhere")
    assert workspace.dry_run().line("0 of 8 images to move")
