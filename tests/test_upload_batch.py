"""A batch's job by itself, without Snakemake and Slurm: all of its markers, and nothing of it that outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from drive2cloudinary.results import listing
from tests.harness import PATIENCE, ROOT, Finished, Workspace, wait_for

IMAGES = 40
"""So many that some are left when those in hand are done."""


@pytest.fixture
def batch(workspace: Workspace) -> Path:
    """The batch of all images of a folder that was listed."""
    workspace.environment["CLOUDINARY_URL"] = workspace.cloud.cloudinary_url
    workspace.add(*(f"{number}.jpg" for number in range(IMAGES)))
    listed = workspace.results / "listing.json"
    workspace.script("list_images.py", f"--settings={workspace.settings()}", str(listed)).succeeded()
    path = workspace.results / "batches" / "1.txt"
    path.parent.mkdir()
    path.write_text("".join(f"{image.id}.{image.fingerprint}.json\n" for image in listing.read(listed).images))
    workspace.cloud.reset()
    return path


def start(workspace: Workspace, batch: Path, **config: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            str(ROOT / "scripts" / "upload_batch.py"),
            f"--settings={workspace.settings(**{'drive_units_per_minute': 10_000_000, **config})}",
            "--at-once=4",
            str(batch),
        ],
        cwd=workspace.path,
        env={**os.environ, "NO_GCE_CHECK": "true", **workspace.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def under_way(workspace: Workspace, batch: Path) -> subprocess.Popen[str]:
    """A batch of which four images are done and eight in hand; no upload ends before the faults are taken away."""
    workspace.hold_uploads(after=4)
    running = start(workspace, batch, timeout=PATIENCE)
    workspace.wait_until_held(done=4)
    return running


def end(running: subprocess.Popen[str]) -> Finished:
    stdout, stderr = running.communicate(timeout=60)
    return Finished(running.returncode, stdout, stderr)


def whole_markers(workspace: Workspace) -> list[str]:
    """The names of the markers; fails if one is not whole."""
    markers = workspace.markers()
    assert [name for name, each in markers.items() if each["cloudinary"]["etag"] != name.split(".")[1]] == []
    return list(markers)


def test_it_makes_the_markers_of_its_images_and_only_those_that_do_not_stand(workspace: Workspace, batch: Path) -> None:
    done = end(start(workspace, batch))
    done.succeeded()
    assert not done.lines
    names = batch.read_text().split()
    assert sorted(whole_markers(workspace)) == sorted(names)
    stats = workspace.cloud.stats()
    assert stats["refreshes"] <= 4 and stats["max_uploads_at_once"] <= 4, "warm workers"
    wait_for(lambda: not workspace.processes(), 20)

    (workspace.results / "markers" / names[0]).unlink()
    workspace.cloud.reset()
    end(start(workspace, batch)).succeeded()
    assert workspace.calls("drive.media") == 1
    assert len(whole_markers(workspace)) == IMAGES


def test_it_keeps_to_its_part_of_the_limits_of_the_run(workspace: Workspace, batch: Path) -> None:
    """Its four uploads of eight at once give it half of the run's forty downloads a second, evenly spread."""
    workspace.cloud.faults([{"on": "oauth.token", "do": {"hold": 4}, "times": 4}])
    running = start(workspace, batch, timeout=PATIENCE, uploads_at_once=8, drive_units_per_minute=40 * 60 * 200)
    end(running).succeeded()
    held_until = max(call["at"] for call in workspace.cloud.log() if call["op"] == "oauth.token")
    last = max(call["at"] for call in workspace.cloud.log() if call["op"] == "drive.media")
    # By then, each process had taken its turn for one download, and the next turn was due at once.
    assert last - held_until >= (IMAGES - 4 - 1) / (40 / 2) * 0.99
    assert workspace.cloud.stats()["max_uploads_at_once"] <= 4


def test_an_image_that_fails_is_a_line_and_costs_no_other(workspace: Workspace, batch: Path) -> None:
    lost = batch.read_text().split()[3].partition(".")[0]
    workspace.cloud.drive("delete", id=lost)
    done = end(start(workspace, batch))
    done.failed()
    assert len(done.lines) == 2 and done.line(f"{lost}: ") and done.line(f"1 of {IMAGES} images failed")
    assert list(workspace.failures()) == [lost]
    assert len(whole_markers(workspace)) == IMAGES - 1


def test_a_killed_worker_costs_its_images_one_more_try(workspace: Workspace, batch: Path) -> None:
    running = under_way(workspace, batch)
    os.kill(next(pid for pid in workspace.workers() if pid != workspace.host()), signal.SIGKILL)
    wait_for(lambda: workspace.calls("drive.media") == 12 + 2)
    workspace.cloud.faults([])
    end(running).succeeded()
    assert len(whole_markers(workspace)) == IMAGES and not workspace.failures()
    assert workspace.calls("drive.media") == IMAGES + 2, "it had two in hand"


def test_when_it_is_killed_its_workers_end_and_its_markers_are_whole(workspace: Workspace, batch: Path) -> None:
    running = under_way(workspace, batch)
    running.kill()
    end(running)
    wait_for(lambda: not workspace.processes(), 20)
    assert len(whole_markers(workspace)) == 4
    workspace.cloud.reset()
    end(start(workspace, batch)).succeeded()
    assert len(whole_markers(workspace)) == IMAGES
    assert workspace.calls("drive.media") == IMAGES - 4


def test_what_nothing_else_can_survive_ends_it_with_one_line_and_the_run_hears_of_it(
    workspace: Workspace, batch: Path
) -> None:
    secret = json.loads((workspace.cloud.store / "secrets.json").read_text())["api_secret"]
    workspace.environment["CLOUDINARY_URL"] = workspace.cloud.cloudinary_url.replace(secret, "wrong")
    done = end(start(workspace, batch))
    done.failed()
    assert done.lines == [done.line("Cloudinary")]
    assert (workspace.results / "logs" / "stop.txt").read_text().strip() == done.lines[0]
    assert not workspace.markers() and workspace.calls("drive.media") <= 8


def test_a_refusal_that_every_image_gets_ends_it_and_the_run_hears_of_it(workspace: Workspace, batch: Path) -> None:
    refusal = {"error": {"status": 403, "message": "API key does not have sufficient permissions"}}
    workspace.cloud.faults([{"on": "cloudinary.upload", "do": refusal, "times": None}])
    done = end(start(workspace, batch, retries=0))
    done.failed()
    reason = (workspace.results / "logs" / "stop.txt").read_text().strip()
    assert "sufficient permissions" in reason and done.lines[-1] == reason
    assert 3 <= len(workspace.failures()) == len(done.lines) - 1 <= 3 + 8


def test_it_ends_when_the_next_run_has_taken_its_file_away(workspace: Workspace, batch: Path) -> None:
    running = under_way(workspace, batch)
    batch.unlink()
    workspace.cloud.faults([])
    done = end(running)
    done.failed()
    assert done.lines == [done.line("the run that made this batch is over")]
    assert 4 + 8 <= len(whole_markers(workspace)) < IMAGES
