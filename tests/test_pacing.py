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
from heapq import heappop, heappush
from itertools import count
from pathlib import Path

import pytest

from drive2cloudinary.drive.drive_api import AT_ONCE
from drive2cloudinary.errors import ImageError, NoAnswer, RateLimited, StopRun, TransientError
from drive2cloudinary.network import limits
from drive2cloudinary.network.limits import ConcurrencyLimit, RateLimit
from drive2cloudinary.network.shared_memory import Shared
from tests import needs
from tests.emulator.client import Emulator
from tests.harness import PATIENCE, Workspace, wait_for


@pytest.fixture
def cloud(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Emulator]:
    """A cloud that allows few Drive calls in a second, 10 unless the test says otherwise, and 2 uploads at once."""
    allowed = {"drive_qps": getattr(request, "param", 10), "uploads_at_once": 2, "upload_delay": 100}
    with Emulator(tmp_path / "Photos", tmp_path / "cloud", **allowed) as emulator:
        yield emulator


def test_a_cloud_that_allows_little_is_no_failure(workspace: Workspace) -> None:
    workspace.add(*(f"{number}.jpg" for number in range(40)))
    workspace.cloud.faults([{"on": "cloudinary.upload", "do": {"hold": 3}, "times": 3}])
    workspace.run(cores=12, retries=0, timeout=PATIENCE).succeeded()
    workspace.audit()
    statuses = workspace.cloud.stats()["statuses"]
    assert statuses["cloudinary.upload 420"], "of three at once, the third is refused"
    refused = statuses.get("drive.media 403", 0) + statuses.get("cloudinary.upload 420", 0)
    assert refused < 40, "each worker found out for itself"


@pytest.mark.parametrize("cloud", [AT_ONCE - 1], indirect=True)
def test_a_listing_by_many_threads_slows_down_as_one(workspace: Workspace) -> None:
    """Of a tree of empty folders, each of which needs a call of its own; no try is left for a refusal."""
    workspace.cloud.drive_all([{"op": "folder", "name": f"album {number}"} for number in range(40)])
    listing = f"results/{workspace.cloud.folder_id}/listing.json"
    root, together, alone = 1, 2, 40
    hold = {"on": "drive.list", "skip": root + together, "do": {"hold": AT_ONCE}, "times": AT_ONCE}
    workspace.cloud.faults([hold])
    settings = workspace.settings(retries=0, timeout=PATIENCE)
    workspace.script("list_images.py", f"--settings={settings}", listing).succeeded()
    statuses = workspace.cloud.stats()["statuses"]
    assert statuses["drive.list 200"] == root + together + alone
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


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The limits' clock: nobody really waits, and no machine is too slow."""
    made = Clock()
    monkeypatch.setattr(limits, "time", made)
    monkeypatch.setattr(limits, "pause", made.sleep)
    return made


def test_a_minutes_units_may_be_spent_at_once_and_no_minute_has_more(clock: Clock) -> None:
    budget = 20
    service = Service(clock, budget)
    assert service.asked_by(RateLimit(per_minute=budget), calls=45) == 0
    at = sorted(service.accepted)
    assert at[budget - 1] - at[0] < 1, "the first twenty need not wait"


def test_a_limit_below_the_setting_costs_a_minute_the_calls_under_way_and_a_few_probes(clock: Clock) -> None:
    service = Service(clock, 20)
    began = clock.monotonic()
    refused = service.asked_by(RateLimit(per_minute=1000), calls=95)
    assert 0 < refused <= 4 * (Service.AT_ONCE + 7)
    assert clock.monotonic() - began < 4 * 70


def test_what_was_spent_before_the_first_call_slows_no_later_minute(clock: Clock) -> None:
    """As by a listing of many folders, which just precedes the first download."""
    budget = 100
    service = Service(clock, budget)
    others = [clock.monotonic()] * 80
    service.accepted += others
    service.asked_by(RateLimit(per_minute=budget), calls=130)
    own = sorted(service.accepted[len(others) :])
    assert max(sum(at <= other < at + 60 for other in own) for at in own) > 80, "the next minute has all of it again"


def test_only_probes_go_out_after_a_refusal_and_all_calls_after_one_is_accepted(clock: Clock) -> None:
    limit = RateLimit(per_minute=1000)

    def refused() -> None:
        with pytest.raises(RateLimited), limit.spending():
            raise RateLimited("too many")

    in_a_child(refused)
    began = clock.monotonic()
    at = []
    for _ in range(7):
        with pytest.raises(RateLimited), limit.spending():
            at.append(clock.monotonic() - began)
            raise RateLimited("too many")
    # Of each probe, the answer comes at once. A waiting process looks ten times a second.
    assert at == pytest.approx([1, 3, 7, 15, 31, 47, 63], abs=RateLimit._POLL * 7)
    for _ in range(50):
        with limit.spending():
            pass
    assert clock.monotonic() - began == pytest.approx(63 + 16, abs=1)


def test_a_probe_without_an_answer_holds_up_nobody(clock: Clock) -> None:
    """Its process may have been killed."""
    limit = RateLimit(per_minute=1000)
    with pytest.raises(RateLimited), limit.spending():
        raise RateLimited("too many")
    limit.spending().__enter__()
    began = clock.monotonic()
    for error in (NoAnswer("nothing came in time"), RateLimited("too many")):
        with suppress(TransientError), limit.spending():
            raise error
    assert clock.monotonic() - began == pytest.approx(2, abs=RateLimit._POLL), "nor does it free the others"


def test_refusals_of_calls_that_were_under_way_together_count_once(clock: Clock) -> None:
    limit = RateLimit(per_minute=1000)
    for _ in range(2):
        with suppress(RateLimited), limit.spending(), limit.spending(), limit.spending():
            clock.sleep(0.5)
            raise RateLimited("too many")
        began = clock.monotonic()
        with limit.spending():
            assert clock.monotonic() - began == pytest.approx(1, abs=RateLimit._POLL)
        clock.sleep(0.5)


def test_a_refused_call_costs_nothing_and_one_without_an_answer_may_have_cost_its_units(clock: Clock) -> None:
    limit = RateLimit(per_minute=1)
    with pytest.raises(RateLimited), limit.spending():
        raise RateLimited("too many")
    began = clock.monotonic()
    with limit.spending():
        assert clock.monotonic() - began <= 1 + RateLimit._POLL
    clock.sleep(61)
    began = clock.monotonic()
    with pytest.raises(NoAnswer), limit.spending():
        raise NoAnswer("nothing came in time")
    with limit.spending():
        assert 60 <= clock.monotonic() - began <= 61 + RateLimit._POLL


def test_an_answer_about_one_file_shows_that_the_limit_refuses_no_more(clock: Clock) -> None:
    limit = RateLimit(per_minute=325_000)
    for error in [RateLimited("too many")] * 5 + [ImageError("too many downloads of this file")]:
        with suppress(ImageError), limit.spending(200):
            raise error
    gone = clock.monotonic()
    assert gone > 1030, "the next probe would be 16 seconds later"
    with limit.spending(200):
        pass
    assert clock.monotonic() - gone < 1


def test_a_limit_that_refuses_everybody_for_minutes_stops_the_run(clock: Clock) -> None:
    """As of a network address that Google slows down for hours: else each image would fail after ten minutes."""
    limit = RateLimit(per_minute=325_000)

    def ask(refused: bool) -> None:
        with limit.spending(200):
            if refused:
                raise RateLimited("We're sorry")

    def refusals() -> float:
        began = clock.monotonic()
        for _ in range(50):
            try:
                ask(True)
            except StopRun as stop:
                assert "every call was refused for 9 minutes" in str(stop) and "We're sorry" in str(stop)
                return clock.monotonic() - began
            except RateLimited:
                pass
        raise AssertionError("the run went on")

    ask(False)
    for _ in range(6):
        with pytest.raises(RateLimited):
            ask(True)
    ask(False)
    assert 540 <= refusals() < 600, "from the first refusal after the last accepted call"
    for refused in (False, True, True):
        clock.sleep(3600)
        with suppress(RateLimited):
            ask(refused)


def test_a_retry_after_holds_every_process(clock: Clock) -> None:
    for call in (RateLimit(per_second=1000).spending, ConcurrencyLimit(4).slot):

        def refused(call: Callable[[], AbstractContextManager[None]] = call) -> None:
            with pytest.raises(RateLimited), call():
                raise RateLimited("too fast", retry_after=5.0)

        before = clock.monotonic()
        in_a_child(refused)
        with call():
            assert 5.0 <= clock.monotonic() - before <= 5.0 + RateLimit._POLL


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


def test_after_a_refusal_one_more_upload_is_allowed_every_ten_seconds(clock: Clock) -> None:
    limit = ConcurrencyLimit(3)
    with pytest.raises(RateLimited), limit.slot():
        raise RateLimited("too many at once")
    began = clock.monotonic()
    with limit.slot(), limit.slot(), limit.slot():
        assert clock.monotonic() - began == pytest.approx(20, abs=1)


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


class Clock:
    """A clock that goes on only while somebody sleeps; what is due by then is done at its time."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        end = self._now + seconds
        assert end < 1_000_000, "somebody waits for ever"
        while self._due and self._due[0][0] <= end:
            self._now, _, do = heappop(self._due)
            do()
        self._now = end

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        heappush(self._due, (self._now + seconds, next(self._order), do))


class Service:
    """Accepts so many calls in any minute, and takes a tenth of a second for each."""

    AT_ONCE = 8

    def __init__(self, clock: Clock, per_minute: int) -> None:
        self._clock, self._per_minute = clock, per_minute
        self._left = self._under_way = self._refused = 0
        self.accepted: list[float] = []

    def asked_by(self, turns: RateLimit, calls: int) -> int:
        """Have many callers make so many calls, each until it is accepted; returns how many refusals there were."""
        self._left = calls
        while self._left or self._under_way:
            if self._left and self._under_way < self.AT_ONCE:
                self._left -= 1
                self._under_way += 1
                self._begin(turns)
            else:
                self._clock.sleep(0.01)
        return self._refused

    def _begin(self, turns: RateLimit) -> None:
        call = turns.spending()
        call.__enter__()
        self._clock.after(0.05, lambda: self._decide(call))

    def _decide(self, call: AbstractContextManager[None]) -> None:
        now = self._clock.monotonic()
        if sum(at > now - 60 for at in self.accepted) < self._per_minute:
            self.accepted.append(now)
            self._clock.after(0.05, lambda: self._end(call))
            return
        error = RateLimited("too many in a minute")
        assert not call.__exit__(RateLimited, error, None)
        self._refused += 1
        self._clock.after(0.1, self._ask_again)

    def _ask_again(self) -> None:
        self._left += 1
        self._under_way -= 1

    def _end(self, call: AbstractContextManager[None]) -> None:
        call.__exit__(None, None, None)
        self._under_way -= 1


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


def test_the_units_of_a_second_are_evenly_spread(clock: Clock) -> None:
    limit = RateLimit(per_second=10)
    at = []
    for _ in range(4):
        with limit.spending(5):
            at.append(clock.monotonic())
    assert at == pytest.approx([1000, 1000.5, 1001, 1001.5])
