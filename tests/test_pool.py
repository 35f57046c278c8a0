"""A pool answers each request once, whichever process dies, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from snakemake_executor_plugin_pool import Answer, Status
from snakemake_executor_plugin_pool.pool import TRIES, Pool
from tests.harness import wait_for

MakePool = Callable[..., Pool]
_LONG = 30
_DROPPED = Answer(Status.DROPPED)


@pytest.fixture
def make_pool(tmp_path: Path) -> Iterator[MakePool]:
    made: list[Pool] = []

    def make(
        task: str = "toys", argument: str = "A", processes: int = 1, threads: int = 1, patience: float = 600
    ) -> Pool:
        pool = Pool(f"tests.pool_tasks:{task}", argument, processes, threads, tmp_path / "log", patience)
        made.append(pool)
        return pool

    yield make
    for pool in made:
        pool.kill()
        pool.close()


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """Where the toys note which process has begun."""
    return tmp_path / "begun"


@pytest.fixture
def go(tmp_path: Path) -> Path:
    """The file that `until` waits for."""
    return tmp_path / "go"


def submit(pool: Pool, name: str, *arguments: object) -> Future[Answer]:
    return pool.submit([name, *map(str, arguments)])


def done(future: Future[Answer]) -> str:
    """What a request that is done has found."""
    answer = future.result(_LONG)
    assert answer.status is Status.DONE, answer
    return answer.line


def lost(future: Future[Answer]) -> str:
    """Why a request is lost."""
    answer = future.result(_LONG)
    assert answer.status is Status.LOST, answer
    return answer.line


def process_and_host(pool: Pool) -> list[int]:
    return [int(pid) for pid in done(submit(pool, "pids")).split()]


def session(number: int) -> set[int]:
    """The processes that live in a session."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[3]) == number and fields[0] != "Z":
                found.add(int(path.parent.name))
    return found


def open_files(pid: int) -> list[str]:
    """What a process has open."""
    found = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        # One may have been closed meanwhile.
        with suppress(FileNotFoundError):
            found.append(str(path.readlink()))
    return found


def has_one_socket(pid: int) -> bool:
    return sum(name.startswith("socket:") for name in open_files(pid)) == 1


def noted(path: Path, count: int = 1) -> list[int]:
    """Wait until so many processes have noted their PIDs."""
    wait_for(lambda: path.exists() and path.read_text().count("\n") >= count)
    return [int(line) for line in path.read_text().split()]


def test_each_request_gets_its_own_answer_of_any_size(make_pool: MakePool) -> None:
    pool = make_pool(processes=3, threads=2)
    texts = [*(f"{number} \udcff é" for number in range(3000)), "", *12 * [1_000_000 * "x"]]
    futures = [submit(pool, "echo", text) for text in texts]
    assert [done(future) for future in futures] == [f"{text} A" for text in texts]


def test_all_threads_of_all_processes_work_at_once(make_pool: MakePool) -> None:
    pool = make_pool(processes=2, threads=2)
    assert len({done(future) for future in [submit(pool, "meet") for _ in range(4)]}) == 2


def test_all_processes_share_what_the_task_made_before_them(make_pool: MakePool, go: Path, begun: Path) -> None:
    pool = make_pool(processes=2)
    first, one = done(submit(pool, "count")).split()
    blocked = submit(pool, "until", go, begun)
    second, other = done(submit(pool, "count")).split()
    go.touch()
    done(blocked)
    assert (first, second) == ("1", "2") and one != other


def test_a_killed_process_costs_its_own_requests_one_try(
    make_pool: MakePool, tmp_path: Path, go: Path, begun: Path
) -> None:
    pool = make_pool(processes=2, threads=2)
    others = [submit(pool, "until", go, tmp_path / "others") for _ in range(3)]
    killed = submit(pool, "sleep_once", begun)
    [pid] = noted(begun)
    assert noted(tmp_path / "others", 3).count(pid) == 1
    os.kill(pid, signal.SIGKILL)
    assert int(done(killed)) != pid and len(noted(begun)) == 2
    go.touch()
    assert {done(future) for future in others} == {"done"}
    assert len(noted(tmp_path / "others")) == 3 + 1, "only the request in the other thread was tried again"
    assert f"process {pid} was killed by SIGKILL" in (tmp_path / "log").read_text()


def test_a_process_killed_while_it_answers_gives_no_half_answer(make_pool: MakePool, go: Path, begun: Path) -> None:
    pool = make_pool(threads=2)
    held, killed = threading.Event(), threading.Event()
    large = submit(pool, "large_after", go, begun)

    def hold(_: Future[Answer]) -> None:
        """The pool's thread reads nothing meanwhile, so that the answer cannot be complete."""
        held.set()
        killed.wait(_LONG)

    submit(pool, "pids").add_done_callback(hold)
    assert held.wait(_LONG)
    go.touch()
    [pid] = noted(begun)
    time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    killed.set()
    assert done(large) == 5_000_000 * "x" and len(noted(begun)) == 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("victims", ["one process", "all processes", "the host"])
def test_what_is_killed_is_replaced(make_pool: MakePool, begun: Path, victims: str, number: signal.Signals) -> None:
    pool = make_pool(processes=3)
    _, host = process_and_host(pool)
    future = submit(pool, "sleep_once", begun)
    [busy] = noted(begun)
    wait_for(lambda: len(session(host)) == 4)
    idle = session(host) - {host, busy}
    for pid in {"one process": idle - {min(idle)}, "all processes": idle | {busy}, "the host": {host}}[victims]:
        os.kill(pid, number)
    if victims != "one process":
        assert int(done(future)) != busy
    assert [done(submit(pool, "echo", number)) for number in range(9)] == [f"{number} A" for number in range(9)]
    if victims == "the host":
        wait_for(lambda: not session(host))
    else:
        wait_for(lambda: len(session(host)) == 4)


def test_a_deadly_request_is_lost_after_four_tries_and_costs_no_other_any(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(processes=2)
    deadly = submit(pool, "die", tmp_path / "deaths")
    others = [submit(pool, "echo", number) for number in range(200)]
    assert [done(future) for future in others] == [f"{number} A" for number in range(200)]
    assert lost(deadly) == f"4 processes were lost with it, of which the last died: see {tmp_path / 'log'}"
    assert len(noted(tmp_path / "deaths")) == TRIES
    for kind in ("SystemExit", "MemoryError"):
        assert "processes were lost" in lost(submit(pool, "fail", kind, ""))
    assert done(submit(pool, "echo", 1)) == "1 A"


def test_a_request_that_takes_too_long_loses_its_process(make_pool: MakePool, tmp_path: Path, begun: Path) -> None:
    pool = make_pool(patience=0.5)
    future = submit(pool, "sleep_once", begun)
    [wedged] = noted(begun)
    assert int(done(future)) != wedged
    wait_for(lambda: f"process {wedged} was killed by SIGKILL" in (tmp_path / "log").read_text())
    always = submit(pool, "sleep", tmp_path / "always")
    assert f"{TRIES} processes were lost with it, of which the last was killed after 0.5 s: see " in lost(always)


def test_an_exception_is_one_line_and_its_process_lives_on(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool()
    before = process_and_host(pool)
    line = lost(submit(pool, "fail", "ValueError", "a\n\x1b[31m" + 1000 * "b"))
    assert line.startswith("ValueError: a ?[31mbbb") and len(line) == 300
    assert process_and_host(pool) == before
    assert "Traceback" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("task", "tries", "why"),
    [
        ("missing", 0, "AttributeError: module 'tests.pool_tasks' has no attribute 'missing'"),
        ("broken", 1, "ValueError: no such thing"),
        ("deadly", TRIES, "the program that starts them died"),
    ],
)
def test_a_host_that_cannot_start_is_not_tried_for_ever(
    make_pool: MakePool, begun: Path, tmp_path: Path, task: str, tries: int, why: str
) -> None:
    begun.touch()
    pool = make_pool(task, argument=str(begun), processes=2)
    for future in [submit(pool, "echo", 1) for _ in range(5)]:
        assert lost(future) == f"no process can be started ({why}): see {tmp_path / 'log'}"
    assert lost(submit(pool, "echo", 1)) and len(noted(begun, tries)) == tries


def test_drop_drops_what_waits_and_close_awaits_what_is_under_way(make_pool: MakePool, go: Path, begun: Path) -> None:
    pool = make_pool(processes=1, threads=2)
    _, host = process_and_host(pool)
    futures = [submit(pool, "until", go, begun) for _ in range(5)]
    noted(begun, 2)
    assert not any(future.cancel() for future in futures)
    assert pool.drop() == pool.drop() == 2
    assert [future.result(_LONG) for future in futures[2:]] == 3 * [_DROPPED]
    assert submit(pool, "echo", 1).result(_LONG) == _DROPPED
    closing = threading.Thread(target=pool.close)
    closing.start()
    time.sleep(0.1)
    assert not futures[0].done() and closing.is_alive()
    go.touch()
    assert [done(future) for future in futures[:2]] == ["done", "done"]
    closing.join(_LONG)
    assert not session(host) and len(noted(begun)) == 2
    pool.close()
    pool.kill()
    assert submit(pool, "echo", 1).result(_LONG) == _DROPPED


def test_drop_tells_the_processes_to_end_what_only_waits(make_pool: MakePool, begun: Path) -> None:
    pool = make_pool(processes=2, threads=2)
    futures = [submit(pool, "wait", begun) for _ in range(4)]
    assert len(set(noted(begun, 4))) == 2
    pool.drop()
    assert [future.result(_LONG) for future in futures] == 4 * [Answer(Status.DROPPED, "dropped")]


def test_a_process_that_dies_after_a_drop_is_not_replaced_and_close_ends(make_pool: MakePool, begun: Path) -> None:
    pool = make_pool(processes=3)
    _, host = process_and_host(pool)
    wait_for(lambda: len(session(host)) == 4)
    before, futures = session(host), [submit(pool, "sleep", begun) for _ in range(2)]
    one, other = noted(begun, 2)
    pool.drop()
    os.kill(one, signal.SIGKILL)
    wait_for(lambda: any(future.done() for future in futures))
    time.sleep(0.5)
    # This wakes the pool's thread when a replacement would be due.
    pool.drop()
    time.sleep(0.2)
    assert session(host) == before - {one}
    closing = threading.Thread(target=pool.close)
    closing.start()
    time.sleep(0.1)
    os.kill(other, signal.SIGKILL)
    assert [future.result(_LONG) for future in futures] == 2 * [_DROPPED]
    closing.join(_LONG)
    assert not closing.is_alive(), "although the third process has nothing to do"


def test_kill_drops_everything_at_once(make_pool: MakePool, begun: Path) -> None:
    pool = make_pool(processes=2, threads=2)
    _, host = process_and_host(pool)
    futures = [submit(pool, "sleep", begun) for _ in range(6)]
    # A stopped process cannot read that it has to end.
    os.kill(noted(begun, 4)[0], signal.SIGSTOP)
    pool.kill()
    assert [future.result(_LONG) for future in futures] == 6 * [_DROPPED]
    pool.close()
    assert not session(host)


def test_a_callback_may_use_the_pool(make_pool: MakePool) -> None:
    pool = make_pool()
    second: list[Future[Answer]] = []
    closed = threading.Event()

    def close(_: Future[Answer]) -> None:
        pool.close()
        closed.set()

    def submit_second(_: Future[Answer]) -> None:
        second.append(submit(pool, "echo", "second"))
        second[0].add_done_callback(close)

    submit(pool, "echo", "first").add_done_callback(submit_second)
    wait_for(lambda: bool(second))
    assert done(second[0]) == "second A"
    pool.close()
    assert closed.is_set()


_PARENT = """
import sys, time
from pathlib import Path
from snakemake_executor_plugin_pool.pool import Pool
begun, log = sys.argv[1:]
pool = Pool("tests.pool_tasks:toys", "", 3, 2, Path(log))
for _ in range(6):
    pool.submit(["sleep", begun])
pool.submit(["echo", ""])
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_the_one_that_made_the_pool(tmp_path: Path, begun: Path, number: signal.Signals) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _PARENT, str(begun), str(tmp_path / "log")]
    with subprocess.Popen(command, env=environment) as parent:
        try:
            one = noted(begun, 6)[0]
            host = os.getsid(one)
            assert len(session(host)) == 4
            # A stopped process cannot read that it has to end.
            os.kill(one, signal.SIGSTOP)
        finally:
            parent.send_signal(number)
    wait_for(lambda: not session(host), seconds=_LONG)


def test_no_process_holds_a_socket_of_another(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(processes=3)
    killed, host = process_and_host(pool)
    # One that is forked later could inherit what those before it have.
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: killed not in session(host) and len(session(host)) == 4)
    assert process_and_host(pool)[1] == host
    for pid in session(host):
        # The host has the socket of a process that it is just forking, and that process has the host's.
        wait_for(partial(has_one_socket, pid))
        assert {name for name in open_files(pid) if "socket:" not in name} == {"/dev/null", str(tmp_path / "log")}
