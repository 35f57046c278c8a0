"""A pool answers each request once, whichever process dies, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, wait
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from snakemake_executor_plugin_pool.pool import TRIES, Crashed, Ended, Lost, Pool
from tests.harness import wait_for

MakePool = Callable[..., Pool]
_LONG = 30


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


def answer(future: Future[str]) -> str:
    return future.result(_LONG)


def host_of(pool: Pool) -> int:
    return int(answer(pool.submit("pid")).split()[1])


def session(number: int) -> set[int]:
    """The processes that live in a session."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == number and fields[0] != "Z":
            found.add(int(path.parent.name))
    return found


def open_files(pid: int) -> list[str]:
    """What a process has open, in the order of its descriptors."""
    numbers = sorted(int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir())
    names = []
    for number in numbers:
        # One may have been closed meanwhile.
        with suppress(FileNotFoundError):
            names.append(str(Path(f"/proc/{pid}/fd/{number}").readlink()))
    return names


def has_one_socket(pid: int) -> bool:
    return sum(name.startswith("socket:") for name in open_files(pid)) == 1


def pids(path: Path, count: int = 1) -> list[int]:
    """Wait until so many processes have written their PIDs there."""
    wait_for(lambda: path.exists() and path.read_text().count("\n") >= count)
    return [int(line) for line in path.read_text().split()]


def test_each_request_gets_its_own_answer(make_pool: MakePool) -> None:
    pool = make_pool(processes=3, threads=2)
    futures = [pool.submit(f"echo {number} \udcff é") for number in range(3000)]
    assert [answer(future) for future in futures] == [f"{number} \udcff é A" for number in range(3000)]
    assert pool.in_hand == pool.waiting == 0


def test_two_threads_of_a_process_work_at_once_and_all_processes_do(make_pool: MakePool) -> None:
    pool = make_pool(processes=2, threads=2)
    assert len({answer(future) for future in [pool.submit("meet") for _ in range(4)]}) == 2


def test_what_the_task_makes_first_is_shared_by_all_processes(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(processes=2)
    first, one = answer(pool.submit("count")).split()
    blocked = pool.submit(f"until {tmp_path / 'go'}")
    second, other = answer(pool.submit("count")).split()
    (tmp_path / "go").touch()
    answer(blocked)
    assert (first, second) == ("1", "2")
    assert one != other


@pytest.mark.parametrize("size", [0, 10, 5_000_000])
def test_messages_may_have_any_size(make_pool: MakePool, size: int) -> None:
    pool = make_pool(argument=1000 * "argument")
    assert answer(pool.submit(f"large {size}")) == size * "x"
    assert answer(pool.submit(f"length {size * 'x'}")) == str(size)


def test_a_process_that_is_killed_costs_its_own_requests_one_more_try(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(processes=2, threads=2)
    go, begun = tmp_path / "go", tmp_path / "begun"
    others = [pool.submit(f"until {go}") for _ in range(3)]
    killed = pool.submit(f"begin_and_sleep {begun}")
    [first] = pids(begun)
    os.kill(first, signal.SIGKILL)
    assert int(answer(killed)) != first
    assert len(pids(begun)) == 2
    go.touch()
    assert {answer(future) for future in others} == {"done"}
    assert f"process {first} was killed by SIGKILL" in (tmp_path / "log").read_text()


def test_a_process_that_is_killed_while_it_answers_gives_no_half_answer(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(threads=2)
    go, held, killed = tmp_path / "go", threading.Event(), threading.Event()
    large = pool.submit(f"large_after {go}")

    def hold(_: Future[str]) -> None:
        """The pool's thread reads nothing meanwhile, so that the answer cannot be complete."""
        held.set()
        killed.wait(_LONG)

    pool.submit("pid").add_done_callback(hold)
    assert held.wait(_LONG)
    go.touch()
    [pid] = pids(tmp_path / "go.seen")
    time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    killed.set()
    assert answer(large) == 5_000_000 * "x"
    assert len(pids(tmp_path / "go.seen")) == 2


def test_an_idle_process_and_all_of_them_are_replaced(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(processes=3)
    host = host_of(pool)
    for victims in (1, 3):
        wait_for(lambda: len(session(host)) == 4)
        for pid in sorted(session(host) - {host})[:victims]:
            os.kill(pid, signal.SIGKILL)
        assert [answer(future) for future in [pool.submit(f"echo {number}") for number in range(9)]] == [
            f"{number} A" for number in range(9)
        ]
    wait_for(lambda: len(session(host)) == 4)


def test_a_host_that_is_killed_takes_its_processes_along_and_is_replaced(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(processes=2)
    begun = tmp_path / "begun"
    future = pool.submit(f"begin_and_sleep {begun}")
    [pid] = pids(begun)
    host = host_of(pool)
    os.kill(host, signal.SIGKILL)
    assert int(answer(future)) != pid
    wait_for(lambda: not session(host))
    assert host_of(pool) != host


def test_sigterm_ends_a_process_or_the_host_like_a_kill(make_pool: MakePool) -> None:
    pool = make_pool()
    pid, host = map(int, answer(pool.submit("pid")).split())
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: pid not in session(host))
    assert host_of(pool) == host
    os.kill(host, signal.SIGTERM)
    wait_for(lambda: not session(host))
    assert host_of(pool) != host


def test_what_kills_its_process_each_time_is_lost_and_nothing_else_is(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(processes=2, threads=1)
    deaths = tmp_path / "deaths"
    deadly = pool.submit(f"die {deaths}")
    others = [pool.submit(f"echo {number}") for number in range(200)]
    assert [answer(future) for future in others] == [f"{number} A" for number in range(200)]
    with pytest.raises(Lost, match=f"^{TRIES} processes were lost with it, of which the last died: see .*log$"):
        answer(deadly)
    assert deaths.read_text() == TRIES * "died\n"
    for word in ("exit", "memory"):
        with pytest.raises(Lost):
            answer(pool.submit(word))
    assert answer(pool.submit("echo 1")) == "1 A"


def test_a_request_that_takes_too_long_loses_its_process(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(patience=0.5)
    begun = tmp_path / "begun"
    future = pool.submit(f"begin_and_sleep {begun}")
    wedged = pids(begun)[0]
    assert int(answer(future)) != wedged
    wait_for(lambda: f"process {wedged} was killed by SIGKILL" in (tmp_path / "log").read_text())
    why = f"^{TRIES} processes were lost with it, of which the last was killed after 0.5 s: see "
    with pytest.raises(Lost, match=why):
        answer(pool.submit(f"sleep {tmp_path / 'always'}"))
    assert len(set(pids(tmp_path / "always"))) <= TRIES


def test_an_exception_is_one_line_and_its_process_lives_on(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool()
    pid = answer(pool.submit("pid"))
    with pytest.raises(Crashed) as crashed:
        answer(pool.submit("fail a\n\x1b[31m" + 1000 * "b"))
    assert str(crashed.value).startswith("ValueError: a ?[31mbbb")
    assert len(str(crashed.value)) == 300
    assert answer(pool.submit("pid")) == pid
    assert "Traceback" in (tmp_path / "log").read_text()


def test_a_process_that_cannot_be_prepared_is_prepared_for_the_next_request(make_pool: MakePool) -> None:
    pool = make_pool("unprepared", threads=2)
    for number in (1, 2):
        with pytest.raises(Crashed, match=f"ValueError: not yet: {number}"):
            answer(pool.submit(""))
    assert answer(pool.submit("")) == answer(pool.submit("")) == "3"


@pytest.mark.parametrize(
    ("task", "why"),
    [
        ("missing", "AttributeError: .*missing.*"),
        ("broken", "ValueError: no such thing"),
        ("deadly", "the program that starts them died"),
    ],
)
def test_a_host_that_cannot_start_is_not_tried_for_ever(
    make_pool: MakePool, tmp_path: Path, task: str, why: str
) -> None:
    tried = tmp_path / "tried"
    pool = make_pool(task, argument=str(tried), processes=2)
    for future in [pool.submit("echo") for _ in range(5)]:
        with pytest.raises(Lost, match=rf"^no process can be started \({why}\): see .*log$"):
            answer(future)
    with pytest.raises(Lost):
        answer(pool.submit("echo"))
    if tried.exists():
        assert tried.read_text().count("tried") == (TRIES if task == "deadly" else 1)


def test_drop_cancels_what_waits_and_close_awaits_what_is_in_hand(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(processes=1, threads=2)
    host, go = host_of(pool), tmp_path / "go"
    futures = [pool.submit(f"until {go}") for _ in range(5)]
    wait_for(lambda: (pool.in_hand, pool.waiting) == (2, 3))
    assert futures[4].cancel()
    pool.drop()
    pool.drop()
    wait(futures[2:], _LONG)
    for future in futures[2:]:
        with pytest.raises(CancelledError):
            answer(future)
    assert (pool.in_hand, pool.waiting) == (2, 0)
    with pytest.raises(CancelledError):
        answer(pool.submit("echo"))
    closing = threading.Thread(target=pool.close)
    closing.start()
    assert not futures[0].done()
    go.touch()
    assert [answer(future) for future in futures[:2]] == ["done", "done"]
    closing.join(_LONG)
    assert not session(host)
    pool.close()
    pool.kill()


def test_drop_tells_the_processes_to_end_what_only_waits(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(processes=2, threads=2)
    begun = tmp_path / "begun"
    futures = [pool.submit(f"wait {begun}") for _ in range(4)]
    assert len(set(pids(begun, 4))) == 2
    pool.drop()
    assert [answer(future) for future in futures] == 4 * ["dropped"]


def test_no_process_takes_the_place_of_one_that_dies_after_a_drop(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(processes=1, threads=2)
    host, begun = host_of(pool), tmp_path / "begun"
    futures = [pool.submit(f"sleep {begun}") for _ in range(2)]
    (killed,) = set(pids(begun, 2))
    pool.drop()
    os.kill(killed, signal.SIGKILL)
    for future in futures:
        with pytest.raises(Ended):
            answer(future)
    assert set(session(host)) <= {host, killed}


def test_kill_loses_what_is_in_hand_and_cancels_what_waits(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(processes=2, threads=2)
    host = host_of(pool)
    futures = [pool.submit(f"sleep {tmp_path / 'begun'}") for _ in range(6)]
    # It cannot read that it has to end.
    os.kill(pids(tmp_path / "begun", 4)[0], signal.SIGSTOP)
    pool.kill()
    for future in futures[:4]:
        with pytest.raises(Ended):
            answer(future)
    for future in futures[4:]:
        with pytest.raises(CancelledError):
            answer(future)
    pool.close()
    assert not session(host)


def test_a_callback_may_use_the_pool(make_pool: MakePool) -> None:
    pool = make_pool()
    second: list[Future[str]] = []
    closed = threading.Event()

    def close(_: Future[str]) -> None:
        pool.close()
        closed.set()

    def submit(_: Future[str]) -> None:
        second.append(pool.submit("echo second"))
        second[0].add_done_callback(close)

    pool.submit("echo first").add_done_callback(submit)
    wait_for(lambda: bool(second))
    assert answer(second[0]) == "second A"
    pool.close()
    assert closed.is_set()


def test_a_request_that_is_cancelled_while_it_waits_is_passed_over(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool()
    blocked = pool.submit(f"until {tmp_path / 'go'}")
    wait_for(lambda: pool.in_hand == 1)
    cancelled, other = pool.submit(f"die {tmp_path / 'deaths'}"), pool.submit("echo other")
    assert cancelled.cancel()
    (tmp_path / "go").touch()
    assert (answer(blocked), answer(other)) == ("done", "other A")
    assert not (tmp_path / "deaths").exists()


_PARENT = """
import sys, time
from pathlib import Path
from snakemake_executor_plugin_pool.pool import Pool
begun, log = sys.argv[1:]
pool = Pool("tests.pool_tasks:toys", "", 3, 2, Path(log))
for _ in range(6):
    pool.submit(f"sleep {begun}")
pool.submit("echo")
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_who_made_the_pool(tmp_path: Path, number: signal.Signals) -> None:
    begun = tmp_path / "begun"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _PARENT, str(begun), str(tmp_path / "log")]
    with subprocess.Popen(command, env=environment) as parent:
        try:
            one = pids(begun, 6)[0]
            host = os.getsid(one)
            assert len(session(host)) == 4
            # It cannot read that it has to end.
            os.kill(one, signal.SIGSTOP)
        finally:
            parent.send_signal(number)
    wait_for(lambda: not session(host), seconds=_LONG)


def test_no_process_and_no_host_holds_what_is_anothers(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(processes=3)
    host = host_of(pool)
    # One that is forked later could inherit what those before it have.
    killed = int(answer(pool.submit("pid")).split()[0])
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: killed not in session(host) and len(session(host)) == 4)
    assert answer(pool.submit("pid"))
    for pid in session(host):
        # The host has the socket of a process that it is just forking, and that process has the host's.
        wait_for(partial(has_one_socket, pid))
        assert set(open_files(pid)[:3]) == {"/dev/null", str(tmp_path / "log")}


def test_what_waits_costs_the_processes_nothing(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(threads=2)
    go = tmp_path / "go"
    pid = int(answer(pool.submit("pid")).split()[0])
    before = int(answer(pool.submit("resident")))
    blocked = pool.submit(f"until {go}")
    futures = [pool.submit(f"length {1_000_000 * 'x'}") for _ in range(100)]
    stopped = pool.submit("resident")
    go.touch()
    answer(blocked)
    assert {answer(future) for future in futures} == {"1000000"}
    assert int(answer(stopped)) - before < 30_000, "KB: 100 MB have passed through"
    assert int(answer(pool.submit("pid")).split()[0]) == pid
