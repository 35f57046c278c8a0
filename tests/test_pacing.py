"""The rate and concurrency limits, shared by all processes."""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from itertools import count
from pathlib import Path

import pytest

from drive2cloudinary.errors import ImageError, RateLimited
from drive2cloudinary.network import limits
from drive2cloudinary.network.limits import ConcurrencyLimit, RateLimit
from drive2cloudinary.network.shared_memory import Shared
from tests import needs
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


def test_a_listing_by_many_threads_slows_down_as_one(workspace: Workspace) -> None:
    """Of a tree of empty folders, each of which needs a call of its own; no try is left for a refusal."""
    workspace.cloud.drive_all([{"op": "folder", "name": f"album {number}"} for number in range(80)])
    listing = f"results/{workspace.cloud.folder_id}/listing.json"
    workspace.script("list_images.py", f"--settings={workspace.settings(retries=0)}", listing).succeeded()
    statuses = workspace.cloud.stats()["statuses"]
    assert statuses["drive.list 200"] == 1 + 4 + 80
    assert 0 < statuses["drive.list 403"] < 20, "each thread found out for itself"


def test_the_settings_keep_below_the_limits_from_the_beginning(workspace: Workspace) -> None:
    workspace.add(*(f"{number}.jpg" for number in range(8)))
    workspace.run(cores=8, uploads_at_once=1).succeeded()
    statuses = workspace.cloud.stats()["statuses"]
    assert statuses["cloudinary.upload 200"] == 8
    assert workspace.cloud.stats()["max_uploads_at_once"] == 1
    assert "cloudinary.upload 420" not in statuses


def test_a_minute_that_is_spent_is_no_failure_and_few_calls_ask_whether_it_is_over(workspace: Workspace) -> None:
    workspace.add(*(f"{number}.jpg" for number in range(12)))
    workspace.cloud.settings(drive_units_per_minute=105 + 4 * 200)
    running = workspace.start(cores=4, retries=0)
    wait_for(lambda: workspace.cloud.stats()["statuses"].get("drive.media 403", 0) > 1)
    workspace.cloud.settings(drive_units_per_minute=0)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 0, said
    assert workspace.cloud.stats()["statuses"]["drive.media 403"] <= 4 + 3
    workspace.audit()


def test_a_minutes_budget_may_be_spent_at_once_and_no_minute_has_more() -> None:
    minute, budget = 1.2, 20
    service = Service(budget, minute)
    assert service.asked_by(RateLimit(per_minute=budget, minute=minute), calls=45) == 0
    at = sorted(service.accepted)
    assert at[budget - 1] - at[0] < (at[budget] - at[0]) / 2, "the first twenty need not wait"


def test_refusals_alone_teach_what_a_minute_has() -> None:
    minute = 1.8
    service = Service(20, minute)
    refused = service.asked_by(RateLimit(per_minute=120, minute=minute), calls=55)
    assert 0 < refused <= 2 * (Service.THREADS + 3), "twice those under way, and the probes; then it is known"


def test_what_was_spent_before_the_first_call_is_no_lesson_for_the_later_minutes() -> None:
    """As by a listing of many folders, which just precedes the first download."""
    minute, budget = 1.8, 100
    service = Service(budget, minute)
    others = [time.monotonic()] * 80
    service.accepted += others
    service.asked_by(RateLimit(per_minute=budget, minute=minute), calls=130)
    own = sorted(service.accepted[len(others) :])
    most = max(sum(at <= other < at + minute for other in own) for at in own)
    assert most > 80, "the next minute has all of it again"


def test_what_another_program_spends_does_not_stop_us_for_good() -> None:
    """Nothing was accepted in the last minute: that says nothing of what the next will have."""
    turns = RateLimit(per_minute=1000, minute=0.6)
    for _ in range(3):
        with pytest.raises(RateLimited), turns.spending():
            raise RateLimited("too fast")
    service = Service(1000, 0.6)
    assert service.asked_by(turns, calls=100) == 0


def test_a_refusal_slows_every_process_and_they_recover() -> None:
    turns = RateLimit(per_second=1000)
    for _ in range(10):
        with turns.spending():
            pass

    def refused() -> None:
        with pytest.raises(RateLimited), turns.spending():
            raise RateLimited("too fast")

    in_a_child(refused)
    slow = turns._shared.numbers[RateLimit._RATE]
    assert 4 <= slow <= 9, "nine tenths of what was accepted in a second, or in the larger part of two"
    for _ in range(2):
        with turns.spending():
            pass
    assert slow < turns._shared.numbers[RateLimit._RATE] < 2 * slow


def test_refusals_of_calls_that_were_under_way_together_count_once() -> None:
    turns = RateLimit(per_second=1000)
    with turns.spending():
        pass
    with pytest.raises(RateLimited), turns.spending(), turns.spending():
        raise RateLimited("too fast")
    assert turns._shared.numbers[RateLimit._IN_A_ROW] == 1


def test_an_answer_about_one_file_shows_that_the_limit_refuses_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(limits, "time", clock)
    limit = RateLimit(per_minute=325_000)
    for error in [RateLimited("too many")] * 5 + [ImageError("too many downloads of this file")]:
        with suppress(ImageError), limit.spending(200):
            raise error
    gone = clock.now
    assert gone > 1060, "the last probe was a minute late"
    with limit.spending(200):
        pass
    assert clock.now - gone < 1


def test_a_retry_after_holds_every_process() -> None:
    for call in (RateLimit(per_second=1000).spending, ConcurrencyLimit(4).slot):

        def refused(call: Callable[[], AbstractContextManager[None]] = call) -> None:
            with pytest.raises(RateLimited), call():
                raise RateLimited("too fast", retry_after=1.0)

        before = time.monotonic()
        in_a_child(refused)
        with call():
            assert time.monotonic() - before >= 1.0


def test_a_refused_upload_leaves_as_many_at_once_as_were_not_refused() -> None:
    places, released = ConcurrencyLimit(8), threading.Event()

    def refused() -> None:
        with pytest.raises(RateLimited), places.slot():
            raise RateLimited("too many at once")

    def upload() -> bool:
        with places.slot():
            return released.is_set()

    with ThreadPoolExecutor() as threads, places.slot():
        in_a_child(refused)
        another = threads.submit(upload)
        # A place that is free is taken within hundredths of a second.
        time.sleep(0.2)
        released.set()
    assert another.result(), "one was not refused, so there was no second place"


def test_a_process_that_is_killed_with_the_lock_in_its_hand_stops_nobody() -> None:
    shared = Shared(1)

    def hold() -> None:
        with shared.locked() as numbers:
            numbers[0] = 1
            time.sleep(60)

    kill_when(_forked(hold), shared)
    with shared.locked():
        pass


def test_threads_of_many_processes_never_wait_for_each_other_for_ever() -> None:
    """The kernel's locks know processes alone: a thread that holds one while another waits looks like a deadlock."""
    shared = [Shared(1), Shared(1)]

    def add(number: int) -> None:
        for _ in range(2000):
            with shared[number].locked() as numbers:
                numbers[0] += 1

    def in_two_threads() -> None:
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(add, range(2)))

    children = [_forked(in_two_threads) for _ in range(4)]
    for child in children:
        _end_of(child)
    assert [each.numbers[0] for each in shared] == [8000, 8000]


def test_a_killed_process_keeps_neither_its_place_nor_a_lock() -> None:
    places, has_place = ConcurrencyLimit(1), Shared(1)

    def upload() -> None:
        with places.slot():
            has_place.numbers[0] = 1
            time.sleep(60)

    kill_when(_forked(upload), has_place)
    with places.slot():
        pass


def test_a_place_whose_process_id_is_now_that_of_another_user_is_free() -> None:
    """As if this process, which root runs, had the process ID of one that was killed in its place."""
    needs.need(needs.ROOT)
    places = ConcurrencyLimit(1)

    def upload_as_nobody() -> None:
        os.setuid(65534)
        with places.slot():
            pass

    with places.slot():
        in_a_child(upload_as_nobody)


class Service:
    """Accepts so many calls in any minute, and takes a few milliseconds for each."""

    THREADS = 8

    def __init__(self, per_minute: int, minute: float) -> None:
        self._per_minute, self._minute = per_minute, minute
        self._lock = threading.Lock()
        self.accepted: list[float] = []

    def asked_by(self, turns: RateLimit, calls: int) -> int:
        """Have many threads make so many calls, each until it is accepted; returns how many refusals there were."""
        with ThreadPoolExecutor(self.THREADS) as pool:
            return sum(pool.map(lambda _: self._refusals(turns), range(calls)))

    def _refusals(self, turns: RateLimit) -> int:
        for refused in count():
            with suppress(RateLimited), turns.spending():
                self._call()
                return refused
            time.sleep(0.01)
        raise AssertionError

    def _call(self) -> None:
        time.sleep(0.002)
        with self._lock:
            now = time.monotonic()
            if sum(at > now - self._minute for at in self.accepted) >= self._per_minute:
                raise RateLimited("too many in a minute")
            self.accepted.append(now)
        time.sleep(0.002)


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def kill_when(child: int, ready: Shared) -> None:
    """kill -9 of a child as soon as the first of these numbers is set."""
    wait_for(lambda: ready.numbers[0])
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def in_a_child(function: Callable[[], object]) -> None:
    """Run a function in a forked process."""
    _end_of(_forked(function))


def _forked(function: Callable[[], object]) -> int:
    """The process ID of a child that calls a function; what it raises is printed there, and is exit code 1."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        function()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _end_of(child: int) -> None:
    _, status = os.waitpid(child, 0)
    assert status == 0, "see the traceback of the child"


def test_a_share_that_grows_is_used_at_once() -> None:
    """As when another batch on a cluster ends: the rate is not one that refusals have taught."""
    a_second = 1.0
    limit = RateLimit(per_second=lambda: a_second, minute=6)

    def seconds(calls: int) -> float:
        begun = time.monotonic()
        for _ in range(calls):
            with limit.spending():
                pass
        return time.monotonic() - begun

    few = seconds(4)
    a_second = 1000.0
    assert seconds(20) < few
