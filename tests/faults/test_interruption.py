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
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.disk import mounted
from tests.harness import PATIENCE, Workspace, catches, listens, processes_of, wait_for
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
    is_kill = "kill -9" in how
    if not is_kill:
        workspace.wait_until_ending()
        go_on(workspace)
    done = workspace.finish(running)
    assert "Traceback" not in done.said
    if not is_kill:
        done.failed(130 if how == "Ctrl-C" else 1)
        counts = workspace.agreed(done).counts
        assert counts["uploaded"] + counts["pending"] == IMAGES, "what was not tried did not fail"
        assert DONE + IN_HAND <= counts["uploaded"] == len(workspace.markers()) < IMAGES, "what is in hand is finished"
        assert done.lines[-1].endswith("not tried before the run ended. Run the same command again."), done.said
    finished = len(workspace.markers())
    wait_for(lambda: not workspace.processes(), 20)

    workspace.cloud.reset()
    workspace.run().succeeded()
    workspace.audit(crashes=1)
    assert workspace.calls("drive.media") == IMAGES - finished, "only what was missing"
    wait_for(lambda: not workspace.processes(), 20)


@pytest.mark.parametrize("dry", [(), ("-n",)], ids=["a run", "a dry run"])
def test_ctrl_c_during_the_listing_is_one_line(workspace: Workspace, dry: tuple[str, ...]) -> None:
    workspace.cloud.faults([{"on": "drive.list", "do": {"hold": 0}, "times": None}])
    running = workspace.start(*dry, timeout=PATIENCE)
    wait_for(lambda: workspace.held("drive.list"))
    os.killpg(running.pid, signal.SIGINT)
    done = workspace.finish(running).failed(130)
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
    workspace.finish(running).failed()
    assert workspace.statuses() == {"vanishing.jpg": "pending", "slow.jpg": "uploaded"}
    workspace.run().succeeded()
    assert workspace.statuses() == {"vanishing.jpg": "existing", "slow.jpg": "uploaded"}


KILLED: dict[str, tuple[Callable[[Workspace], list[int]], int]] = {
    "a process": (lambda workspace: [next(pid for pid in workspace.workers() if pid != workspace.host())], 2),
    "all of them": (Workspace.workers, IN_HAND),
    "their host": (lambda workspace: [workspace.host()], IN_HAND),
}
"""What is killed → how many images it has in hand. Of a killed host, the kernel ends the processes."""


@pytest.mark.parametrize("what", KILLED)
def test_a_killed_process_costs_its_images_one_more_try_and_no_other_any(workspace: Workspace, what: str) -> None:
    pids, again = KILLED[what]
    running = started(workspace)
    for pid in pids(workspace):
        os.kill(pid, signal.SIGKILL)
    go_on(workspace, again)
    workspace.finish(running).succeeded()
    workspace.audit(crashes=1)
    assert workspace.calls("drive.media") == IMAGES + again
    wait_for(lambda: not workspace.workers(), 20)


def test_nothing_is_left_of_a_run_whose_snakemake_and_host_are_killed(workspace: Workspace) -> None:
    running = started(workspace)
    host = workspace.host()
    stopped, *_ = others = [pid for pid in workspace.workers() if pid != host]
    assert len(others) == 4, "one for each core"
    # It cannot see that its socket has ended.
    os.kill(stopped, signal.SIGSTOP)
    for pid in (running.pid, host):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not workspace.processes(), 20)
    workspace.cloud.faults([])
    workspace.finish(running)
    workspace.run().succeeded()
    workspace.audit(crashes=1)


def test_a_wedged_process_is_killed_after_its_time(workspace: Workspace) -> None:
    running = started(workspace, "--pool-patience", "5")
    process = next(pid for pid in workspace.workers() if pid != workspace.host())
    os.kill(process, signal.SIGSTOP)
    workspace.cloud.faults([])
    workspace.finish(running).succeeded()
    assert f"process {process} was killed by SIGKILL" in (workspace.results / "logs" / "pool.log").read_text()
    workspace.audit(crashes=1)
    wait_for(lambda: not workspace.processes(), 20)


def refuse_uploads(workspace: Workspace, status: int, message: str) -> None:
    error = {"error": {"status": status, "reason": "", "message": message}}
    workspace.cloud.faults([{"on": "cloudinary.upload", "do": error, "times": None}])


def in_retries(workspace: Workspace) -> None:
    refuse_uploads(workspace, 503, "Service Unavailable")


def in_a_rate_limit(workspace: Workspace) -> None:
    until = datetime.now(UTC) + timedelta(seconds=250)
    said = f"Rate Limit Exceeded. Limit of 500 api operations reached. Try again on {until:%Y-%m-%d %H:%M:%S} UTC"
    refuse_uploads(workspace, 420, said)


def in_an_outage(workspace: Workspace) -> None:
    workspace.environment["CLOUDINARY_URL"] = with_prefix(workspace, f"http://127.0.0.1:{closed_port()}")


def without_a_name_server(workspace: Workspace) -> None:
    workspace.environment |= {"CLOUDINARY_URL": with_prefix(workspace, "http://silent.test")}
    workspace.environment |= resolver({"silent.test": 0})


def with_prefix(workspace: Workspace, prefix: str) -> str:
    """The credentials with another root of Cloudinary's API."""
    return f"{workspace.cloud.cloudinary_url.partition('?')[0]}?{urlencode({'upload_prefix': prefix})}"


@pytest.mark.parametrize("prepare", [in_retries, in_a_rate_limit, in_an_outage, without_a_name_server])
def test_ctrl_c_ends_a_waiting_run_at_once(workspace: Workspace, prepare: Callable[[Workspace], None]) -> None:
    workspace.add(*(f"{number}.jpg" for number in range(8)))
    prepare(workspace)
    running = workspace.start(cores=2, retries=20, patience=6000)
    # Each of two processes has an image to upload and the next one downloaded.
    wait_for(lambda: workspace.calls("drive.media") == 4)
    os.killpg(running.pid, signal.SIGINT)
    # Without an end to what waits, each of these takes minutes.
    done = workspace.finish(running).failed(130)
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
    done = workspace.finish(running)
    assert done.code != 0 and "Traceback" not in done.said, done.said
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
    workspace.finish(running)
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
    workspace.finish(running).succeeded()
    workspace.audit()
    assert workspace.cloud.stats()["refreshes"] <= 1 + 4, "the listing and four processes"
    connections = workspace.cloud.stats()["connections"]
    assert connections["cloudinary"] <= 4 and connections["drive"] <= 1 + 4
    assert workspace.cloud.stats()["max_uploads_at_once"] <= 4
    wait_for(lambda: not workspace.workers(), 20)
    assert not list(temporary.iterdir()), "nothing depends on a folder in /tmp"


def test_two_folders_side_by_side_do_not_disturb_each_other(workspace: Workspace) -> None:
    folders = [workspace.cloud.drive("folder", name=name) for name in ("Left", "Right")]
    for folder in folders:
        workspace.add(*(f"{number}.jpg" for number in range(6)), parent=folder)
    workspace.cloud.settings(delay=0.3)
    for running in [workspace.start(cores=2, folder_id=folder) for folder in folders]:
        workspace.finish(running).succeeded()
    assert [asset["stores"] for asset in workspace.cloud.assets().values()] == [1] * 12


def test_of_two_runs_that_begin_at_once_exactly_one_is_let_in(workspace: Workspace) -> None:
    """The other one is told who holds the folder."""
    workspace.add(*(f"{number}.jpg" for number in range(6)))
    workspace.hold_uploads()
    running = [workspace.start(timeout=PATIENCE) for _ in range(2)]
    wait_for(lambda: workspace.held() and any(each.poll() is not None for each in running))
    workspace.cloud.faults([])
    (first, good), (_, bad) = sorted(
        ((each, workspace.finish(each)) for each in running), key=lambda pair: pair[1].code
    )
    good.succeeded()
    bad.failed()
    assert bad.lines == [bad.line("another run holds", f"process {first.pid}")]
    workspace.audit()


def test_a_read_only_results_folder_is_a_line_and_goes_on_when_it_can_be_written_to(workspace: Workspace) -> None:
    workspace.add("1.jpg")
    with mounted(workspace.path / "results", "ro") as disk:
        there = disk.workspace(workspace)
        there.run().refused("cannot be the results folder", "Read-only")
        disk.remount("rw")
        there.run().succeeded()
        there.audit()
