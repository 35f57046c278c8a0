"""Runs that are interrupted, and runs side by side: nothing is lost, nothing doubled, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.disk import mounted
from tests.emulator.client import Emulator
from tests.harness import PATIENCE, Finished, Workspace, catches, listens, processes_of, wait_for
from tests.proxy import closed_port, resolver

Interrupt = Callable[[Workspace, "subprocess.Popen[str]"], None]


IMAGES = 24
DONE, IN_HAND = 4, 8
"""In the middle of a run: each of four processes has two images in hand."""


def started(workspace: Workspace, *arguments: str, **config: Any) -> subprocess.Popen[str]:
    """A run in the middle: some images are done, some have not begun, and no upload ends before `go_on`."""
    workspace.add(*(f"{number}.jpg" for number in range(IMAGES)))
    workspace.hold_uploads(after=DONE)
    running = workspace.start(*arguments, timeout=PATIENCE, **config)
    workspace.wait_until_held(done=DONE)
    return running


def go_on(workspace: Workspace, again: int = 0) -> None:
    """Let the held uploads end, as soon as so many images have been downloaded again."""
    wait_for(lambda: workspace.calls("drive.media") == DONE + IN_HAND + again)
    workspace.cloud.faults([])


def said(running: subprocess.Popen[str]) -> str:
    """What a run has said when it has ended."""
    stdout, stderr = running.communicate(timeout=60)
    return stdout + stderr


def kill(workspace: Workspace) -> None:
    """kill -9 of all that runs in the working directory, also of what begins meanwhile."""
    while pids := workspace.processes():
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


INTERRUPTS: dict[str, Interrupt] = {
    "Ctrl-C": lambda workspace, running: os.killpg(running.pid, signal.SIGINT),
    "SIGTERM": lambda workspace, running: running.terminate(),
    "SIGHUP": lambda workspace, running: os.killpg(running.pid, signal.SIGHUP),
    "kill -9 of snakemake": lambda workspace, running: running.kill(),
    "kill -9 of everything": lambda workspace, running: kill(workspace),
}


@pytest.mark.parametrize("how", INTERRUPTS)
def test_the_plain_command_finishes_what_was_interrupted(workspace: Workspace, how: str) -> None:
    running = started(workspace)
    INTERRUPTS[how](workspace, running)
    if "kill -9" not in how:
        workspace.wait_until_ending()
        go_on(workspace)
    output = said(running)
    assert "Traceback" not in output
    if "kill -9" not in how:
        assert running.returncode == (130 if how == "Ctrl-C" else 1), output
        statuses = list(workspace.statuses().values())
        assert set(statuses) == {"uploaded", "pending"}, "what was not tried did not fail"
        assert len(statuses) == IMAGES and statuses.count("uploaded") == len(workspace.markers())
        assert DONE + IN_HAND <= len(workspace.markers()) < IMAGES, "what is in hand is finished"
        assert f"{IMAGES} images: " in output and "mapping.csv, see the rows with status pending" in output, output
        assert "not tried before the run ended. Run the same command again." in output.splitlines()[-1], output
    for marker in (workspace.results / "markers").glob("*.json"):
        json.loads(marker.read_text())
    wait_for(lambda: not workspace.processes(), 20)

    done = len(workspace.markers())
    workspace.cloud.reset()
    again = workspace.run()
    again.succeeded()
    workspace.audit(crashes=1)
    assert workspace.calls("drive.media") == IMAGES - done, "only what was missing"
    wait_for(lambda: not workspace.processes(), 20)


@pytest.mark.parametrize("dry", [(), ("-n",)], ids=["a run", "a dry run"])
def test_ctrl_c_while_it_is_listed_is_one_line(workspace: Workspace, dry: tuple[str, ...]) -> None:
    workspace.cloud.faults([{"on": "drive.list", "do": {"hold": 0}, "times": None}])
    running = workspace.start(*dry, timeout=PATIENCE)
    wait_for(lambda: workspace.held("drive.list"))
    os.killpg(running.pid, signal.SIGINT)
    done = Finished(running.wait(20), *running.communicate())
    done.failed(130)
    assert done.lines == [done.line("nothing was moved" if not dry else "before anything was moved")]
    wait_for(lambda: not workspace.processes(), 20)


def test_a_marker_of_an_earlier_run_that_vanishes_before_the_merge_fails_the_run(workspace: Workspace) -> None:
    workspace.add("vanishing.jpg")
    workspace.run().succeeded()
    (marker,) = (workspace.results / "markers").iterdir()
    workspace.add("slow.jpg")
    workspace.hold_uploads()
    running = workspace.start(timeout=PATIENCE)
    wait_for(workspace.held)
    marker.unlink()
    workspace.cloud.faults([])
    output = said(running)
    assert running.returncode == 1 and "Traceback" not in output, output
    assert workspace.statuses() == {"vanishing.jpg": "pending", "slow.jpg": "uploaded"}
    workspace.run().succeeded()
    assert workspace.statuses() == {"vanishing.jpg": "existing", "slow.jpg": "uploaded"}


def test_a_killed_worker_costs_its_image_one_more_try_and_no_other_any(workspace: Workspace) -> None:
    running = started(workspace)
    os.kill(next(pid for pid in workspace.workers() if pid != workspace.host()), signal.SIGKILL)
    go_on(workspace, again=2)
    output = said(running)
    assert running.returncode == 0, output
    workspace.audit(crashes=1)
    assert workspace.calls("drive.media") == IMAGES + 2, "it had two in hand"
    wait_for(lambda: not workspace.workers(), 20)


def test_when_all_workers_are_killed_others_take_their_place(workspace: Workspace) -> None:
    running = started(workspace)
    for pid in workspace.workers():
        os.kill(pid, signal.SIGKILL)
    go_on(workspace, again=IN_HAND)
    output = said(running)
    assert running.returncode == 0, output
    workspace.audit(crashes=1)
    wait_for(lambda: not workspace.workers(), 20)


def test_a_killed_host_takes_its_processes_with_it_and_another_one_goes_on(workspace: Workspace) -> None:
    running = started(workspace)
    os.kill(workspace.host(), signal.SIGKILL)
    go_on(workspace, again=IN_HAND)
    output = said(running)
    assert running.returncode == 0, output
    workspace.audit(crashes=1)
    wait_for(lambda: not workspace.workers(), 20)


def test_nothing_is_left_of_a_run_whose_snakemake_and_host_are_killed(workspace: Workspace) -> None:
    running = started(workspace)
    assert len(workspace.workers()) == 1 + 4, "the host and one for each core"
    for pid in (running.pid, workspace.host()):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not workspace.processes(), 20)
    workspace.cloud.faults([])
    said(running)
    workspace.run().succeeded()
    workspace.audit(crashes=1)


def test_a_wedged_process_is_killed_after_its_time(workspace: Workspace) -> None:
    running = started(workspace, "--pool-patience", "5")
    process = next(pid for pid in workspace.workers() if pid != workspace.host())
    os.kill(process, signal.SIGSTOP)
    workspace.cloud.faults([])
    output = said(running)
    assert running.returncode == 0, output
    assert f"process {process} was killed by SIGKILL" in (workspace.results / "logs" / "pool.log").read_text()
    workspace.audit(crashes=1)
    wait_for(lambda: not workspace.processes(), 20)


def in_retries(workspace: Workspace) -> None:
    error = {"error": {"status": 503, "reason": "", "message": "Service Unavailable"}}
    workspace.cloud.faults([{"on": "cloudinary.upload", "do": error, "times": None}])


def in_a_rate_limit(workspace: Workspace) -> None:
    until = datetime.now(UTC) + timedelta(seconds=250)
    said = f"Rate Limit Exceeded. Limit of 500 api operations reached. Try again on {until:%Y-%m-%d %H:%M:%S} UTC"
    error = {"error": {"status": 420, "reason": "", "message": said}}
    workspace.cloud.faults([{"on": "cloudinary.upload", "do": error, "times": None}])


def in_an_outage(workspace: Workspace) -> None:
    workspace.environment["CLOUDINARY_URL"] = with_prefix(workspace, f"http://127.0.0.1:{closed_port()}")


def without_a_name_server(workspace: Workspace) -> None:
    workspace.environment |= {"CLOUDINARY_URL": with_prefix(workspace, "http://silent.test")}
    workspace.environment |= resolver({"silent.test": 0})


def with_prefix(workspace: Workspace, prefix: str) -> str:
    """The credentials with another root of Cloudinary's API."""
    return f"{workspace.cloud.cloudinary_url.partition('?')[0]}?{urlencode({'upload_prefix': prefix})}"


@pytest.mark.parametrize("prepare", [in_retries, in_a_rate_limit, in_an_outage, without_a_name_server])
def test_ctrl_c_ends_a_run_at_once_in_which_everything_waits(
    workspace: Workspace, prepare: Callable[[Workspace], None]
) -> None:
    workspace.add(*(f"{number}.jpg" for number in range(8)))
    prepare(workspace)
    running = workspace.start(cores=2, retries=20, patience=6000)
    # Each of two processes has an image to upload and the next one downloaded.
    wait_for(lambda: workspace.calls("drive.media") == 4)
    os.killpg(running.pid, signal.SIGINT)
    # Without an end to what waits, each of these takes minutes.
    done = Finished(running.wait(30), *running.communicate())
    done.failed(130)
    assert done.line("stopping: 4 uploads under way are finished; Ctrl-C once more ends them")
    assert set(workspace.statuses().values()) == {"pending"} and not workspace.failures(), done.said
    assert "failed: " not in done.said
    wait_for(lambda: not workspace.processes(), 20)
    workspace.environment.clear()
    workspace.cloud.faults([])
    workspace.run().succeeded()
    workspace.audit()


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGHUP], ids=["Ctrl-C twice", "Ctrl-C and SIGHUP"])
def test_a_second_signal_ends_a_run_that_waits_for_images(workspace: Workspace, second: signal.Signals) -> None:
    running = started(workspace)
    os.killpg(running.pid, signal.SIGINT)
    # Two signals that come together are one. The first has SIGHUP end the run at once, as it does by default.
    wait_for(lambda: not catches(running.pid, signal.SIGHUP))
    os.killpg(running.pid, second)
    output = said(running)
    assert running.returncode != 0 and "Traceback" not in output, output
    wait_for(lambda: not workspace.processes(), 20)
    assert workspace.count_markers() == DONE, "no image was waited for"
    workspace.cloud.faults([])
    workspace.run().succeeded()
    workspace.audit(crashes=1)


def test_a_changed_image_that_was_interrupted_is_still_replaced_in_place(workspace: Workspace) -> None:
    """Also when what was killed had stored the new bytes, or only removed the old marker."""
    names = [f"{number}.jpg" for number in range(8)]
    ids = workspace.add(*names)
    workspace.run().succeeded()
    before = {row["file_id"]: row["public_id"] for row in workspace.mapping()}
    workspace.cloud.drive_all([{"op": "replace", "id": each, "picture": {"seed": 1}, "name": "x"} for each in ids[:4]])
    workspace.cloud.drive_all([{"op": "replace", "id": each, "picture": {"seed": 2}} for each in ids[4:]])
    workspace.cloud.reset()
    workspace.hold_uploads(after=3)
    running = workspace.start(cores=2, timeout=PATIENCE)
    wait_for(lambda: workspace.held() == 2 and workspace.calls("cloudinary.upload") == 3)
    kill(workspace)
    said(running)
    workspace.cloud.faults([])
    workspace.run().succeeded()
    assert {row["file_id"]: row["public_id"] for row in workspace.audit(crashes=2)} == before


def test_each_process_signs_in_once_and_shows_no_secret(workspace: Workspace) -> None:
    temporary = workspace.path.parent / "tmp"
    temporary.mkdir()
    workspace.environment["TMPDIR"] = str(temporary)
    running = started(workspace)
    kept = json.loads((workspace.cloud.store / "secrets.json").read_text())
    for text in (kept["api_secret"], kept["refresh_token"], "ya29."):
        assert not processes_of(text), "no secret on a command line"
    assert workspace.workers() and not any(map(listens, workspace.workers())), "nobody can reach them"
    go_on(workspace)
    output = said(running)
    assert running.returncode == 0, output
    workspace.audit()
    assert workspace.cloud.stats()["refreshes"] <= 1 + 4, "the listing and four processes"
    connections = workspace.cloud.stats()["connections"]
    assert connections["cloudinary"] <= 4 and connections["drive"] <= 1 + 4
    assert workspace.cloud.stats()["max_uploads_at_once"] <= 4
    wait_for(lambda: not workspace.workers(), 20)
    assert not list(temporary.iterdir()), "nothing depends on a folder in /tmp"


def test_two_folders_side_by_side_do_not_disturb_each_other(workspace: Workspace) -> None:
    cloud = workspace.cloud
    folders = [cloud.drive("folder", name=name) for name in ("Left", "Right")]
    for folder in folders:
        workspace.add(*(f"{number}.jpg" for number in range(6)), parent=folder)
    cloud.settings(delay=0.3)
    running = [workspace.start(cores=2, folder_id=folder) for folder in folders]
    outputs = [said(each) for each in running]
    assert [each.returncode for each in running] == [0, 0], outputs
    for folder in folders:
        rows = json.loads((workspace.path / "results" / folder / "mapping.json").read_text())
        assert [row["status"] for row in rows] == ["uploaded"] * 6
    assert {asset["stores"] for asset in cloud.assets().values()} == {1} and len(cloud.assets()) == 12


def test_of_two_runs_that_begin_at_once_exactly_one_is_let_in(workspace: Workspace) -> None:
    workspace.add(*(f"{number}.jpg" for number in range(6)))
    workspace.hold_uploads()
    running = [workspace.start(timeout=PATIENCE) for _ in range(2)]
    wait_for(lambda: workspace.held() and any(each.poll() is not None for each in running))
    workspace.cloud.faults([])
    outputs = [said(each) for each in running]
    codes = [each.returncode for each in running]
    assert sorted(codes) == [0, 1], outputs
    assert "another run holds" in outputs[codes.index(1)]
    workspace.audit()


def test_a_read_only_results_folder_is_a_line_and_goes_on_when_it_can_be_written_to(workspace: Workspace) -> None:
    workspace.add(*(f"{number}.jpg" for number in range(4)))
    with mounted(workspace.path / "results", "ro") as disk:
        there = disk.workspace(workspace)
        done = there.run()
        done.failed()
        assert done.lines == [done.line("cannot be the results folder", "Read-only")]
        disk.remount("rw")
        there.run().succeeded()
        there.audit()


def test_a_cloud_that_is_killed_for_good_ends_the_run_and_the_next_one_finishes(tmp_path: Path) -> None:
    with Emulator(tmp_path / "Photos", tmp_path / "cloud") as cloud:
        workspace = Workspace(tmp_path / "work", cloud)
        workspace.path.mkdir()
        running = started(workspace, retries=0, patience=2)
        cloud.kill()
        output = said(running)
        assert running.returncode == 1 and "Traceback" not in output, output
        assert len(workspace.mapping()) == IMAGES
        cloud.start()
        workspace.run().succeeded()
        workspace.audit(crashes=1)
        assert not workspace.secrets_left()
