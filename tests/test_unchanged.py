"""A run that finds nothing new leaves the results as they are, and looks at each marker without opening it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Finished, Workspace, wait_for

NOTHING = "nothing has changed since the last run: mapping and report stay as they are"
RESULTS = ("listing.json", "mapping.csv", "mapping.json", "orphans.csv", "report.html")


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """The time and the content of each file of the results."""
    return {name: ((folder / name).stat().st_mtime_ns, (folder / name).read_bytes()) for name in RESULTS}


def marker_of(workspace: Workspace, name: str) -> Path:
    (row,) = [row for row in workspace.mapping() if row["filename"] == name]
    return workspace.results / "markers" / f"{row['file_id']}.{row['md5']}.json"


@pytest.fixture
def done(workspace: Workspace) -> Workspace:
    """A workspace whose three images are copied."""
    workspace.add("1.jpg", "2.jpg", "3.jpg")
    workspace.run().succeeded()
    workspace.cloud.reset()
    return workspace


MANY: dict[str, Any] = {"folder_id": None, "folders": "folders.csv"}


@pytest.fixture
def folders(workspace: Workspace) -> list[str]:
    """The IDs of two Drive folders that folders.csv names: the first one has 1.jpg, the second one 2.jpg."""
    found = [workspace.cloud.drive("folder", name=name) for name in ("Still", "Busy")]
    for number, folder in enumerate(found, 1):
        workspace.add(f"{number}.jpg", parent=folder)
    (workspace.path / "folders.csv").write_text("\n".join(["folder_id", *found]))
    return found


def run_both(workspace: Workspace) -> tuple[Finished, list[str]]:
    """Run with folders.csv. Out: also the file names in the combined mapping."""
    finished = workspace.run(**MANY)
    finished.succeeded()
    rows = json.loads((workspace.path / "results" / "mapping.json").read_text())
    return finished, [row["filename"] for row in rows]


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
    assert NOTHING in again.lines and again.line("2 images in Cloudinary, none uploaded now, in ")
    assert state(workspace.results) == before and log.read_text() == "of the first run", "no later rule runs"
    # A dry run that lists knows when the listing was last found to be right, and leaves it alone, too.
    assert workspace.dry_run("-R", "list_images", exclude="left*").line("listed just now")
    assert state(workspace.results) == before
    other = workspace.run()
    other.succeeded()
    assert NOTHING not in other.lines and other.line("3 images in Cloudinary, 1 uploaded now")


def test_a_result_that_was_changed_by_hand_is_made_again(done: Workspace) -> None:
    rows = done.mapping()
    (done.results / "mapping.csv").write_text("mine")
    done.run().succeeded()
    assert done.mapping() == rows
    (done.results / "report.html").unlink()
    done.run().succeeded()
    assert (done.results / "report.html").exists()


def test_a_marker_that_was_changed_by_hand_is_seen(done: Workspace) -> None:
    rows, one = done.mapping(), marker_of(done, "1.jpg")
    kept = one.read_text()
    one.write_text(json.dumps({**json.loads(kept), "remark": "by hand"}))
    done.run().succeeded()
    assert [row["error"] for row in done.mapping()] == ["by hand", "", ""]
    one.write_text(kept)
    done.run().succeeded()
    assert done.mapping() == rows and not done.calls("drive.media")
    marker_of(done, "2.jpg").unlink()
    marker_of(done, "3.jpg").write_bytes(b"half of i")
    done.run().succeeded()
    assert done.calls("drive.media") == 2
    assert NOTHING in done.run().lines


def test_a_marker_known_to_be_valid_is_not_opened_and_the_record_may_be_damaged(done: Workspace) -> None:
    record = done.results / "logs" / "merged.json"
    value = json.loads(record.read_text())
    damaged = marker_of(done, "1.jpg")
    damaged.write_text("{")
    found = damaged.stat()
    # A record that says the damaged marker is valid is believed: so the marker is not opened.
    value["markers"][damaged.name] = f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"
    record.write_text(json.dumps(value))
    assert done.dry_run().line("0 of 3 images to move")
    for damage in (b"", b"\xff\x00 1 2", b"[]", b'{"markers": 1}'):
        record.write_bytes(damage)
        assert done.dry_run().line("1 of 3 images to move")
    done.run().succeeded()
    assert done.calls("drive.media") == 1


def test_only_the_folder_with_a_change_is_merged_again(workspace: Workspace, folders: list[str]) -> None:
    still, busy = (workspace.path / "results" / folder for folder in folders)
    combined = workspace.path / "results" / "mapping.csv"
    run_both(workspace)
    before = state(still), state(busy), combined.stat().st_mtime_ns
    again, _ = run_both(workspace)
    assert NOTHING in again.lines and before == (state(still), state(busy), combined.stat().st_mtime_ns)
    workspace.add("3.jpg", parent=busy.name)
    changed, names = run_both(workspace)
    assert NOTHING not in changed.lines and state(still) == before[0]
    assert names == ["1.jpg", "2.jpg", "3.jpg"]


def test_the_combined_mapping_follows_runs_of_one_folder_and_folders_csv(
    workspace: Workspace, folders: list[str]
) -> None:
    names = ["1.jpg", "2.jpg"]
    assert run_both(workspace)[1] == names
    for name in ("3.jpg", "4.jpg"):
        workspace.add(name, parent=folders[1])
        workspace.run(folder_id=folders[1]).succeeded()
        names.append(name)
        assert run_both(workspace)[1] == names
    (workspace.path / "folders.csv").write_text(f"folder_id\n{folders[1]}\n")
    assert run_both(workspace)[1] == names[1:]


def test_an_outdated_mapping_that_is_asked_for_is_made_again(workspace: Workspace) -> None:
    """The image was copied alone, after a run in which it had failed."""
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


def test_a_report_of_a_stopped_run_is_not_kept(workspace: Workspace, folders: list[str]) -> None:
    """One of two folders is finished when the other one stops the run: its report says why, until the next run."""
    finished, late = folders
    limit = {"error": {"status": 403, "reason": "dailyLimitExceeded", "message": "Daily Limit Exceeded"}}
    last = next(node["id"] for node in workspace.cloud.nodes() if node["parents"] == [late])
    workspace.cloud.faults([{"on": "drive.media", "match": last, "do": {"hold": 0, **limit}, "times": None}])
    running = workspace.start(**MANY, timeout=120)
    markers = workspace.path / "results" / finished / "markers"
    wait_for(lambda: markers.exists() and len(list(markers.iterdir())) == 1 and workspace.held("drive.media"))
    workspace.cloud.faults([])
    running.communicate(timeout=60)
    report = workspace.path / "results" / finished / "report.html"
    assert running.returncode == 1
    assert "Stopped:" in report.read_text() and workspace.calls("cloudinary.upload") == 1, "nothing of it is pending"
    workspace.run(**MANY).succeeded()
    assert "Stopped:" not in report.read_text()


def test_a_link_that_leads_nowhere_hides_no_marker(workspace: Workspace) -> None:
    workspace.add(*(f"{number}.jpg" for number in range(8)))
    workspace.run().succeeded()
    for number in range(4):
        name = f"nothing{number}.{number:032x}.json"
        (workspace.results / "markers" / name).symlink_to(workspace.path / "nowhere")
    assert workspace.dry_run().line("0 of 8 images to move")
