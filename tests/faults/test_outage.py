"""A service that is gone for a while: it is waited for, the user is told, and no image fails for it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from migrate.contact import Contact
from migrate.errors import StopRun
from tests.emulator.client import Emulator
from tests.harness import Finished, Workspace, wait_for
from tests.proxy import resolver


class Reading:
    """What a running command says, as it says it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.lines: list[str] = []
        self._threads = [
            threading.Thread(target=self._read, args=(stream,)) for stream in (process.stdout, process.stderr)
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, stream: Iterator[str]) -> None:
        for line in stream:
            self.lines.append(line.rstrip("\n"))

    def has(self, text: str) -> bool:
        return any(text in line for line in list(self.lines))

    def end(self) -> Finished:
        code = self._process.wait(60)
        for thread in self._threads:
            thread.join()
        return Finished(code, "\n".join(self.lines), "")


@contextmanager
def reading(workspace: Workspace, **config: object) -> Iterator[Reading]:
    process = workspace.start(cores=4, **config)
    try:
        yield Reading(process)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """With a cloud that can be killed and started again, and takes half a second for an upload."""
    with Emulator(tmp_path / "Photos", tmp_path / "cloud", upload_delay=500) as cloud:
        made = Workspace(tmp_path / "work", cloud)
        made.path.mkdir()
        made.add(*(f"{number}.jpg" for number in range(12)))
        yield made


def moved(workspace: Workspace) -> int:
    return len(list(workspace.results.glob("markers/*.json")))


def test_a_service_that_is_gone_is_waited_for_and_the_run_goes_on_by_itself(workspace: Workspace) -> None:
    with reading(workspace, retries=2) as run:
        wait_for(lambda: moved(workspace) > 2)
        workspace.cloud.kill()
        wait_for(lambda: run.has("waiting for "))
        assert run.has("connection refused, next try in ")
        workspace.cloud.start()
        done = run.end()
    done.succeeded()
    assert run.has("no more waiting for ")
    workspace.audit(crashes=1)
    assert not workspace.failures()


def test_one_that_stays_away_stops_the_run_with_one_line_and_fails_no_image(workspace: Workspace) -> None:
    with reading(workspace, retries=2, patience=4) as run:
        wait_for(lambda: moved(workspace) > 2)
        workspace.cloud.kill()
        done = run.end()
    done.failed()
    assert len([line for line in done.lines if "no answer from " in line and "for " in line]) == 1, done.said
    done.line("the run was stopped: no answer from ", " seconds: connection refused; run the same command again")
    assert not workspace.failures()
    workspace.cloud.start()
    workspace.run().succeeded()
    workspace.audit(crashes=1)


def test_one_that_takes_every_call_and_answers_none_costs_no_image_its_tries(workspace: Workspace) -> None:
    hangs = {"on": "cloudinary.upload", "do": {"hang": True}, "skip": 2, "times": 12}
    workspace.cloud.faults([hangs])
    with reading(workspace, retries=1, timeout=1, patience=20) as run:
        done = run.end()
    done.succeeded()
    assert run.has("waiting for Cloudinary: nothing came in time, and no other answer for ")
    assert not workspace.failures()


@pytest.mark.parametrize("dry", [(), ("-n",)], ids=["run", "dry run"])
def test_at_the_start_it_is_said_at_once_and_ends_soon(workspace: Workspace, dry: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"http://127.0.0.1:{server.getsockname()[1]}"
    done = workspace.run(*dry, drive_endpoint=closed, patience=20)
    done.failed()
    assert [line for line in done.lines if "next try" in line][0].startswith("waiting for Drive: connection refused")
    assert "cannot list" not in done.lines[-1] and done.lines[-1].startswith("no answer from Drive for ")
    assert not (workspace.results / "listing.json").exists()


def test_a_host_that_is_not_known_stops_the_run_at_once(workspace: Workspace) -> None:
    workspace.environment |= resolver({})
    done = workspace.run(drive_endpoint="http://drive.test", patience=600)
    done.failed()
    assert done.lines == [done.line("Drive cannot be reached: the host drive.test is not known")]


def test_what_one_process_finds_out_all_know() -> None:
    told: list[str] = []
    contact = Contact("Drive", 0.5, told.append)
    contact.answered()
    child = os.fork()
    if not child:
        contact.unanswered("lost")
        os._exit(0)
    os.waitpid(child, 0)
    assert contact.unanswered("lost"), "not yet for long enough"
    wait_for(lambda: not contact.unanswered("lost"), 5)
    assert "waiting for Drive: lost" in told[0]
    contact.answered()
    assert told[-1] == "" and contact.unanswered("lost")
    with pytest.raises(StopRun, match="no answer from Drive for .*: refused"):
        for _ in range(20):
            contact.unreachable("refused", 0.1)


def test_a_call_alone_that_is_not_answered_is_its_own_fault() -> None:
    contact = Contact("Drive", 0.1, lambda line: None)
    for _ in range(3):
        assert contact.unanswered("lost")
