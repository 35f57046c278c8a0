"""How jobs run: in the pool, singly or in batches; with Snakemake's local executor, each in a new process."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.client import Emulator
from tests.harness import PATIENCE, Finished, Workspace, wait_for

LOCAL = ("--executor", "local")
SINGLY, IN_BATCHES = {"images_per_job": 1}, {"images_per_job": 3}
"""Batches are for more than some thousand pending images, with which a test would take long."""
HOWEVER = pytest.mark.parametrize(
    ("arguments", "config"),
    [((), SINGLY), ((), IN_BATCHES), (LOCAL, SINGLY), (LOCAL, IN_BATCHES)],
    ids=["singly", "in batches", "local, singly", "local, in batches"],
)


def images_of(arguments: tuple[str, ...]) -> int:
    """How many images a run has that is interrupted. A process for each takes long."""
    return 8 if arguments == LOCAL else 16


def interrupted(
    workspace: Workspace, arguments: tuple[str, ...], config: dict[str, Any], interrupt: Callable[[int], None]
) -> Finished:
    """A run on two cores that is interrupted when one image is done; the uploads under way end after that."""
    workspace.add(*(f"{number}.jpg" for number in range(images_of(arguments))))
    workspace.hold_uploads(after=1)
    running = workspace.start(*arguments, cores=2, timeout=PATIENCE, **config)
    if arguments == LOCAL:
        wait_for(lambda: workspace.held() == 2 and workspace.count_markers() == 1)
    else:
        workspace.wait_until_held(done=1, cores=2)
    interrupt(running.pid)
    workspace.cloud.faults([])
    stdout, stderr = running.communicate(timeout=60)
    return Finished(running.returncode, stdout, stderr)


@pytest.mark.parametrize("images_per_job", [1, 3])
@pytest.mark.parametrize(("cores", "uploads_at_once"), [(2, 8), (8, 2)])
def test_without_the_pool_each_job_is_a_process_and_the_lower_limit_holds(
    workspace: Workspace, images_per_job: int, cores: int, uploads_at_once: int
) -> None:
    workspace.add(*(f"{number}.jpg" for number in range(6)))
    workspace.cloud.settings(delay=0.5)
    workspace.run(*LOCAL, cores=cores, uploads_at_once=uploads_at_once, images_per_job=images_per_job).succeeded()
    workspace.audit()
    stats = workspace.cloud.stats()
    assert stats["max_uploads_at_once"] <= 2
    if cores == 2:
        assert stats["refreshes"] == 6 // images_per_job + 1, "each job signs in, and so does the listing"


def test_one_marker_can_be_asked_for_by_its_path(workspace: Workspace) -> None:
    workspace.add("1.jpg", "2.jpg")
    workspace.dry_run().succeeded()
    image = json.loads((workspace.results / "listing.json").read_text())["images"][0]
    marker = f"results/{workspace.cloud.folder_id}/markers/{image['id']}.{image['md5']}.json"
    workspace.cloud.reset()
    workspace.run(marker).succeeded()
    assert list(workspace.markers()) == [Path(marker).name]
    assert workspace.calls("drive.list") == 0, "the listing at hand is taken"


@HOWEVER
def test_a_failure_costs_no_other_image_and_is_tried_again(
    workspace: Workspace, arguments: tuple[str, ...], config: dict[str, Any]
) -> None:
    workspace.add(*(f"{number}.jpg" for number in range(5)))
    workspace.cloud.drive("add", name="no picture.jpg", content_base64="AAAA", parent="")
    assert workspace.dry_run(**config).line("6 of 6 images to move")
    done = workspace.run(*arguments, **config)
    done.failed()
    assert done.line("failed: no picture.jpg: ")
    assert "6 images: 5 uploaded, 0 existing, 1 failed, 0 skipped" in done.lines
    assert done.line("5 of 6 images in Cloudinary, 5 uploaded now, 5.0 kB in ")
    (failure,) = workspace.failures()

    assert workspace.dry_run(**config).line("1 of 6 images to move")
    workspace.cloud.reset()
    again = workspace.run(*arguments, **config)
    again.failed()
    assert again.line("failed: no picture.jpg: ") and again.line("5 of 6 images in Cloudinary, none uploaded now")
    assert workspace.calls("drive.media", failure) == workspace.calls("drive.media") == 1


@HOWEVER
def test_a_reason_to_stop_is_said_once_and_no_other_image_begins(
    workspace: Workspace, arguments: tuple[str, ...], config: dict[str, Any]
) -> None:
    done = interrupted(workspace, arguments, config, lambda pid: workspace.cloud.oauth(revoke=True, expire=True))
    done.failed()
    assert done.said.count("run python scripts/authenticate.py") == 1, done.said
    assert "failed: " not in done.said and not workspace.failures()
    assert workspace.calls("drive.media") < min(12, images_of(arguments))
    statuses = list(workspace.statuses().values())
    assert len(statuses) == images_of(arguments) and statuses.count("uploaded") == len(workspace.markers())
    wait_for(lambda: not workspace.processes())


@HOWEVER
def test_ctrl_c_lets_images_under_way_finish_and_begins_no_other(
    workspace: Workspace, arguments: tuple[str, ...], config: dict[str, Any]
) -> None:
    def press_ctrl_c(pid: int) -> None:
        os.killpg(pid, signal.SIGINT)
        workspace.wait_until_ending()

    done = interrupted(workspace, arguments, config, press_ctrl_c)
    done.failed(130)
    assert "failed: " not in done.said and not workspace.failures(), done.said
    statuses = list(workspace.statuses().values())
    assert len(statuses) == images_of(arguments) and statuses.count("uploaded") == len(workspace.markers())
    # The terminal's Ctrl-C reaches the jobs of the local executor, too.
    finished = 1 if arguments == LOCAL else 1 + 4
    assert finished <= len(workspace.markers()) < images_of(arguments)
    wait_for(lambda: not workspace.processes())
    workspace.run(*arguments, **config).succeeded()
    workspace.audit(crashes=1)


@pytest.mark.parametrize(
    ("option", "forced", "images_per_job"),
    [("-R", "upload_image", 1), ("-R", "upload_image", 2), ("-R", "a marker", 1), ("-f", "a marker", 1)],
)
def test_a_forced_image_is_copied_again(workspace: Workspace, option: str, forced: str, images_per_job: int) -> None:
    workspace.add("1.jpg", "2.jpg")
    workspace.run().succeeded()
    name, _ = workspace.markers()
    marker = (workspace.results / "markers" / name).relative_to(workspace.path)
    workspace.cloud.reset()
    target = str(marker) if forced == "a marker" else forced
    workspace.run(option, target, images_per_job=images_per_job).succeeded()
    assert workspace.calls("drive.media") == (1 if forced == "a marker" else 2) and len(workspace.markers()) == 2
    if forced == "upload_image":
        workspace.audit()


@pytest.mark.parametrize(("images_per_job", "arguments"), [(1, ()), (6, ()), (6, LOCAL)])
def test_a_forced_image_keeps_its_marker_until_its_turn_comes(
    workspace: Workspace, images_per_job: int, arguments: tuple[str, ...]
) -> None:
    """A run that stops at its first image leaves the other markers as they were: a process has two threads."""
    workspace.add(*(f"{number}.jpg" for number in range(12)))
    workspace.run().succeeded()
    error = {"error": {"status": 401, "reason": "", "message": "Invalid Signature"}}
    workspace.cloud.faults([{"on": "cloudinary.upload", "match": None, "times": None, "do": error}])
    done = workspace.run(*arguments, "--forcerun", "upload_image", images_per_job=images_per_job, cores=1)
    done.failed()
    done.line("of 12 images in Cloudinary, none uploaded now")
    assert 10 <= len(workspace.markers()) < 12
    workspace.cloud.reset()
    workspace.run().succeeded()
    workspace.audit()


def test_a_log_that_cannot_be_written_costs_no_marker(workspace: Workspace) -> None:
    workspace.add("1.jpg", "2.jpg")
    (workspace.results / "logs" / "images.log").mkdir(parents=True)
    workspace.run().succeeded()
    assert len(workspace.markers()) == 2 and not workspace.failures()


def test_many_pending_images_of_many_drive_folders_go_in_batches(tmp_path: Path) -> None:
    options = {"generate": 2_200, "generate_bytes": 900, "generate_per_album": 1_100}
    with Emulator(tmp_path / "photos", tmp_path / "cloud", **options) as cloud:
        workspace = Workspace(tmp_path, cloud)
        albums = {parent for node in cloud.nodes() if node["name"].endswith(".jpg") for parent in node["parents"]}
        (tmp_path / "folders.csv").write_text("\n".join(["link", *albums]))
        error = {"error": {"status": 401, "reason": "", "message": "Invalid Signature"}}
        cloud.faults([{"on": "cloudinary.upload", "match": None, "times": None, "do": error}])
        workspace.run(folder_id=None, folders="folders.csv").failed()
        assert len(albums) == 2
        for album in albums:
            assert len(list((tmp_path / "results" / album / "batches").glob("*.txt"))) == 11
