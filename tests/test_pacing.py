"""All workers together are as fast as the services let them be."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrate.errors import RateLimited
from migrate.pacing import Places, Turns
from tests.emulator.client import Emulator
from tests.harness import Workspace, wait_for


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Emulator]:
    """A cloud that allows 10 Drive calls in a second, and 2 uploads at once."""
    limits = {"drive_qps": 10, "uploads_at_once": 2, "upload_delay": 100}
    with Emulator(tmp_path / "Photos", tmp_path / "cloud", **limits) as emulator:
        yield emulator


def test_a_cloud_that_allows_little_is_no_failure(workspace: Workspace) -> None:
    workspace.add(*(f"{number}.jpg" for number in range(40)))
    workspace.run(cores=12, retries=0).succeeded()
    workspace.audit()
    statuses = workspace.cloud.stats()["statuses"]
    assert statuses.get("drive.media 403") or statuses.get("cloudinary.upload 420"), "the limits were never met"
    refused = statuses.get("drive.media 403", 0) + statuses.get("cloudinary.upload 420", 0)
    assert refused < 40, "each worker found out for itself"


def test_the_settings_keep_below_the_limits_from_the_beginning(workspace: Workspace) -> None:
    workspace.add(*(f"{number}.jpg" for number in range(20)))
    workspace.run(cores=8, drive_qps=8, uploads_at_once=1).succeeded()
    statuses = workspace.cloud.stats()["statuses"]
    assert statuses["cloudinary.upload 200"] == 20
    assert workspace.cloud.stats()["max_uploads_at_once"] == 1
    assert "drive.media 403" not in statuses and "cloudinary.upload 420" not in statuses


def test_one_refusal_slows_every_process_and_they_recover() -> None:
    turns = Turns(1000)

    def refused() -> None:
        with pytest.raises(RateLimited), turns.turn():
            raise RateLimited("too fast")

    in_a_child(refused)
    slow = turns._shared.numbers[Turns._RATE]
    assert slow == 1.0, "nothing had been accepted in the last second"
    with turns.turn():
        pass
    with turns.turn():
        pass
    assert turns._shared.numbers[Turns._RATE] > slow


def test_a_killed_process_keeps_neither_its_place_nor_a_lock() -> None:
    places = Places(1)
    child = os.fork()
    if not child:
        with places.place():
            time.sleep(60)
    wait_for(lambda: places._shared.numbers[Places._PIDS] == child)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with places.place():
        pass


def in_a_child(function: object) -> None:
    """Run a function in a forked process."""
    child = os.fork()
    if not child:
        try:
            function()  # type: ignore[operator]
        finally:
            os._exit(0)
    os.waitpid(child, 0)
