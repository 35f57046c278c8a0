"""What speed depends on besides the machine: the number of calls, refreshes, connections (times: benchmarks/)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulator.client import Emulator
from tests.harness import Workspace

IMAGES, WORKERS = 100, 4


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Emulator]:
    """A Drive folder with so many images of 100 KB."""
    options = {"generate": IMAGES, "generate_bytes": 100_000}
    with Emulator(tmp_path / "Photos", tmp_path / "cloud", **options) as emulator:
        yield emulator


def test_an_image_costs_one_call_of_each_service_and_workers_keep_token_and_connections(workspace: Workspace) -> None:
    workspace.run(cores=WORKERS).succeeded()
    stats = workspace.cloud.stats()
    assert stats["counts"]["drive.media"] == stats["counts"]["cloudinary.upload"] == IMAGES
    assert stats["refreshes"] <= WORKERS + 1, "one for each worker, one for the listing"
    assert stats["connections"]["drive"] <= WORKERS + 1
    assert stats["connections"]["cloudinary"] <= WORKERS
