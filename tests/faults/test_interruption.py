"""Runs that are interrupted, and runs side by side: nothing is lost, nothing doubled, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.disk import mounted
from tests.emulator.client import Emulator
from tests.harness import Finished, Workspace, processes_of, wait_for

Interrupt = Callable[[Workspace, "subprocess.Popen[str]"], None]


def started(workspace: Workspace, *arguments: str, **config: Any) -> subprocess.Popen[str]:
    """A run of 16 images in the middle: some are done, some are under way, and some have not begun."""
    workspace.add(*(f"{number}.jpg" for number in range(16)))
    workspace.cloud.settings(delay=0.5)
    running = workspace.start(*arguments, **config)
    wait_for(lambda: workspace.results.exists() and len(list((workspace.results / "markers").glob("*.json"))) > 2)
    return running


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
    output = said(running)
    assert "Traceback" not in output
    if "kill -9" not in how:
        assert running.returncode == (130 if how == "Ctrl-C" else 1), output
        statuses = list(workspace.statuses().values())
        assert set(statuses) == {"uploaded", "pending"}, "what was not tried did not fail"
        assert len(statuses) == 16 and statuses.count("uploaded") == len(workspace.markers()) > 2, (
            "the mapping is there"
        )
        assert "16 images: " in output and "mapping.csv, see the rows with status pending" in output, output
        assert "not tried before the run ended. Run the same command again." in output.splitlines()[-1], output
    for marker in (workspace.results / "markers").glob("*.json"):
        json.loads(marker.read_text())
    wait_for(lambda: not workspace.processes(), 20)

    done = len(workspace.markers())
    workspace.cloud.reset()
    again = workspace.run()
    again.succeeded()
    workspace.audit(crashes=1)
    assert workspace.calls("drive.media") == 16 - done, "only what was missing"
    wait_for(lambda: not workspace.processes(), 20)


@pytest.mark.parametrize("dry", [(), ("-n",)], ids=["a run", "a dry run"])
def test_ctrl_c_while_it_is_listed_is_one_line(workspace: Workspace, dry: tuple[str, ...]) -> None:
    workspace.cloud.faults([{"on": "drive.list", "do": {"hang": True}, "times": None}])
    running = workspace.start(*dry, timeout=30)
    wait_for(lambda: workspace.cloud.stats()["connections"].get("drive"))
    # In a connection, and not yet in the log: it hangs there.
    time.sleep(0.2)
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
    workspace.cloud.settings(delay=2)
    running = workspace.start()
    wait_for(lambda: workspace.calls("drive.media") == 2)
    marker.unlink()
    output = said(running)
    assert running.returncode == 1 and "Traceback" not in output, output
    assert workspace.statuses() == {"vanishing.jpg": "pending", "slow.jpg": "uploaded"}
    workspace.run().succeeded()
    assert workspace.statuses() == {"vanishing.jpg": "existing", "slow.jpg": "uploaded"}


def test_a_killed_worker_costs_its_image_one_more_try_and_no_other_any(workspace: Workspace) -> None:
    running = started(workspace)
    os.kill(next(pid for pid in workspace.workers() if pid != host_of(workspace)), signal.SIGKILL)
    output = said(running)
    assert running.returncode == 0, output
    workspace.audit(crashes=1)
    assert workspace.calls("drive.media") <= 16 + 2, "it had two in hand"
    wait_for(lambda: not workspace.workers(), 20)


def test_when_all_workers_are_killed_others_take_their_place(workspace: Workspace) -> None:
    running = started(workspace)
    for pid in workspace.workers():
        os.kill(pid, signal.SIGKILL)
    output = said(running)
    assert running.returncode == 0, output
    workspace.audit(crashes=1)
    wait_for(lambda: not workspace.workers(), 20)


def test_a_killed_host_takes_its_processes_with_it_and_another_one_goes_on(workspace: Workspace) -> None:
    running = started(workspace)
    os.kill(host_of(workspace), signal.SIGKILL)
    output = said(running)
    assert running.returncode == 0, output
    workspace.audit(crashes=1)
    wait_for(lambda: not workspace.workers(), 20)


def test_nothing_is_left_of_a_run_whose_snakemake_and_host_are_killed(workspace: Workspace) -> None:
    running = started(workspace)
    workspace.cloud.settings(delay=3)
    assert len(workspace.workers()) == 1 + 4, "the host and one for each core"
    for pid in (running.pid, host_of(workspace)):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not workspace.processes(), 20)
    workspace.cloud.settings(delay=0)
    said(running)
    workspace.run().succeeded()
    workspace.audit(crashes=1)


def test_a_wedged_process_is_killed_after_its_time(workspace: Workspace) -> None:
    running = started(workspace, "--pool-patience", "3")
    process = next(pid for pid in workspace.workers() if pid != host_of(workspace))
    os.kill(process, signal.SIGSTOP)
    output = said(running)
    assert running.returncode == 0, output
    workspace.audit(crashes=1)
    wait_for(lambda: not workspace.processes(), 20)


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGHUP], ids=["Ctrl-C twice", "Ctrl-C and SIGHUP"])
def test_a_second_signal_ends_a_run_that_waits_for_images(workspace: Workspace, second: signal.Signals) -> None:
    running = started(workspace)
    workspace.cloud.settings(delay=60)
    workspace.cloud.reset()
    wait_for(lambda: workspace.cloud.stats()["max_uploads_at_once"] >= 4)
    os.killpg(running.pid, signal.SIGINT)
    time.sleep(1)
    os.killpg(running.pid, second)
    output = said(running)
    assert running.returncode != 0 and "Traceback" not in output, output
    wait_for(lambda: not workspace.processes(), 20)
    workspace.cloud.settings(delay=0)
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
    workspace.cloud.settings(delay=1)
    running = workspace.start(cores=2)
    workspace.cloud.reset()
    wait_for(lambda: workspace.calls("cloudinary.upload") >= 3)
    kill(workspace)
    said(running)
    workspace.cloud.settings(delay=0)
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
    sockets = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True).stdout
    assert not any(f"pid={pid}," in sockets for pid in workspace.workers()), "nobody can reach them"
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
    workspace.cloud.settings(delay=1.5)
    running = [workspace.start() for _ in range(2)]
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
        running = started(workspace, retries=0, timeout=2, patience=2)
        cloud.kill()
        output = said(running)
        assert running.returncode == 1 and "Traceback" not in output, output
        assert len(workspace.mapping()) == 16
        cloud.start()
        workspace.run().succeeded()
        workspace.audit(crashes=1)


def host_of(workspace: Workspace) -> int:
    """The process that the others of the pool were forked from."""
    processes = workspace.workers()
    return next(pid for pid in processes if _parent_of(pid) not in processes)


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
