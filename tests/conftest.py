"""A fresh cloud and a fresh working directory for each test."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests import needs, programs
from tests.emulator.client import Emulator
from tests.harness import Workspace
from tests.proxy import without_proxies

programs.watch()

# All services are on loopback, but the tests' own clients would use a proxy from the environment.
for name in os.environ.keys() - without_proxies().keys():
    del os.environ[name]


# Under nohup and as a job in a shell's background, these are ignored, and so they would be by all that a test starts.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Emulator]:
    """An emulated Drive with an empty folder, and an empty Cloudinary account."""
    with Emulator(tmp_path / "Photos", tmp_path / "cloud") as emulator:
        yield emulator


@pytest.fixture
def workspace(tmp_path: Path, cloud: Emulator) -> Iterator[Workspace]:
    """An empty working directory beside that cloud. After each test, no file in it may hold a secret."""
    path = tmp_path / "work"
    path.mkdir()
    made = Workspace(path, cloud)
    yield made
    for pid in made.processes():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert not made.secrets_left()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count and name what was left out, and say what brings it."""
    skipped = terminalreporter.getreports("skipped")
    for line in needs.summary(report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple)):
        terminalreporter.write_line(line, yellow=True)
