"""A small chaos run; `make chaos` is the long one."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.chaos import run_chaos


@pytest.mark.timeout(300)
def test_after_faults_kills_and_changes_every_image_is_there_once(tmp_path: Path) -> None:
    """On failure pytest shows the seed and what was wrong; `python -m tests.chaos --seed N` does the same again."""
    assert not run_chaos(tmp_path, minutes=0.6, images=60, seed=random.SystemRandom().randrange(1 << 30))
