"""A small part of each trial of tests/chaos, with a fixed seed; `make chaos` is the whole, with a random one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import needs
from tests.chaos.disks import fill_disks
from tests.chaos.searches import run_searches
from tests.chaos.signals import run_signals
from tests.chaos.storm import run_storm


@pytest.mark.timeout(300)
def test_after_faults_kills_and_changes_every_image_is_there_once(tmp_path: Path) -> None:
    assert not run_storm(tmp_path, minutes=0.3, images=60, seed=1)


def test_a_signal_at_any_moment_leaves_nothing_behind(tmp_path: Path) -> None:
    """Here, while it lists and while it moves images; `make chaos` leaves the moment to the dice."""
    assert not run_signals(tmp_path, 2, seed=4, phases=["listing", "moving"])


def test_a_disk_that_is_full_is_said_once(tmp_path: Path) -> None:
    """Where a failure was recorded, and the log of its job finds no room."""
    needs.need(needs.ROOT)
    assert not fill_disks(tmp_path, [16 * 1024])


def test_a_signature_that_is_refused_and_repeated_brings_no_secret_anywhere(tmp_path: Path) -> None:
    assert not run_searches(tmp_path, 1, seed=0, only="refused signature")
