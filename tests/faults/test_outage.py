"""An outage of a service: the run waits, the user is told, and no image fails."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from drive2cloudinary.cloudinary.cloudinary_http import Connector
from drive2cloudinary.errors import MigrationError, NoAnswer, StopRun, TransientError
from drive2cloudinary.network import watchdog
from drive2cloudinary.network.contact import Contact
from drive2cloudinary.network.http import Network
from tests.harness import PATIENCE, Finished, Workspace, wait_for
from tests.proxy import closed_port, resolver

IMAGES = 24


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
def workspace(workspace: Workspace) -> Workspace:
    """With images in Drive."""
    workspace.add(*(f"{number}.jpg" for number in range(IMAGES)))
    return workspace


def kill_the_cloud_midway(workspace: Workspace) -> None:
    """When four images are done, and each process has an upload under way."""
    workspace.wait_until_held(done=4)
    workspace.cloud.kill()


def test_a_service_that_is_gone_is_waited_for_and_the_run_goes_on_by_itself(workspace: Workspace) -> None:
    workspace.hold_uploads(after=4)
    with reading(workspace, retries=2, timeout=PATIENCE) as run:
        kill_the_cloud_midway(workspace)
        wait_for(lambda: run.has("waiting for "))
        assert run.has("connection refused, next try in ")
        workspace.cloud.start()
        # The run goes on until it has said so.
        workspace.hold_uploads(after=1)
        wait_for(lambda: run.has("no longer waiting for "))
        workspace.cloud.faults([])
        done = run.end()
    done.succeeded()
    workspace.audit(crashes=1)
    assert not workspace.failures()


def test_outage_beyond_patience_stops_the_run_and_fails_no_image(workspace: Workspace) -> None:
    workspace.hold_uploads(after=4)
    with reading(workspace, retries=2, patience=4, timeout=PATIENCE) as run:
        kill_the_cloud_midway(workspace)
        done = run.end()
    done.failed()
    assert len([line for line in done.lines if "no answer from " in line and "for " in line]) == 1, done.said
    done.line("the run was stopped: no answer from ", " seconds: connection refused; run the same command again")
    assert not workspace.failures()
    workspace.cloud.start()
    workspace.run().succeeded()
    workspace.audit(crashes=1)


@pytest.mark.parametrize(
    ("do", "config", "why"),
    [
        ({"hang": True}, {"retries": 1, "timeout": 1, "patience": 20}, "nothing came in time"),
        # As a load balancer with nobody behind it does.
        ({"refuse": True}, {"retries": 0}, "the connection was lost"),
    ],
    ids=["answers none", "closes it"],
)
def test_service_that_answers_nobody_costs_no_image_its_tries(
    workspace: Workspace, do: dict[str, bool], config: dict[str, int], why: str
) -> None:
    rule = {"do": do, "times": 12}
    workspace.cloud.faults([{"on": "cloudinary.upload", "skip": 2, **rule}, {"on": "delivery", **rule}])
    done = workspace.run(**config).succeeded()
    assert f"waiting for Cloudinary: {why}, and no answer to anybody for " in done.said
    assert not workspace.failures()


@pytest.mark.parametrize("dry", [(), ("-n",)], ids=["run", "dry run"])
def test_outage_at_the_start_is_said_at_once_and_ends_soon(workspace: Workspace, dry: tuple[str, ...]) -> None:
    done = workspace.run(*dry, drive_endpoint=f"http://127.0.0.1:{closed_port()}", patience=4).failed()
    assert [line for line in done.lines if "next try" in line][0].startswith("waiting for Drive: connection refused")
    assert "cannot list" not in done.lines[-1] and done.lines[-1].startswith("no answer from Drive for ")
    assert not (workspace.results / "listing.json").exists()


def test_a_host_that_is_not_known_stops_the_run_at_once(workspace: Workspace) -> None:
    workspace.environment |= resolver({})
    workspace.run(drive_endpoint="http://drive.test", patience=600).refused(
        "Drive cannot be reached: the host drive.test is not known"
    )


def test_all_processes_know_of_an_outage_that_one_of_them_met() -> None:
    told: list[tuple[str, str]] = []
    contact = Contact("Drive", 0.5, lambda service, line, *_: told.append((service, line)))
    contact.answered()
    began = time.monotonic()
    child = os.fork()
    if not child:
        contact.failed(time.monotonic())
        os._exit(0)
    os.waitpid(child, 0)
    wait_for(lambda: contact.failed(time.monotonic()) > 0.05, 5)
    contact.wait_on(0.1, "lost", "next try in 1 s")
    assert told == [("Drive", "waiting for Drive: lost, next try in 1 s")]
    assert not contact.answered_since(began)
    contact.answered()
    assert told[-1] == ("Drive", "") and contact.answered_since(began)
    began = time.monotonic()
    assert contact.failed(began) <= time.monotonic() - began, "what was before does not count"
    with pytest.raises(StopRun, match="no answer from Drive for .*: refused"):
        contact.wait_on(0.6, "refused", "next try in 1 s")


def network(patience: float, timeout: float = 5) -> Network:
    return Network(Contact("Cloudinary", patience, lambda service, line, *_: None), timeout)


class Server:
    """A server of one connection after the other, each of which `serve` gets."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/upload"
        self._serve = serve
        threading.Thread(target=self._live, daemon=True).start()

    def _live(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                with connection:
                    self._serve(connection)


def test_a_body_may_take_longer_to_send_than_a_connection_to_make() -> None:
    """To Python a timeout is one for the whole body; that for connecting is the shortest of all."""

    def slow(connection: socket.socket) -> None:
        left = 20_000_000
        while left > 0 and (part := connection.recv(100_000)):
            left -= len(part)
            time.sleep(0.02)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    server = Server(slow)
    assert network(60, timeout=2).call("POST", server.url, body=b"x" * 20_000_000).body == b"ok"


@pytest.mark.parametrize("proxied", [False, True], ids=["directly", "through a proxy"])
def test_a_request_without_an_answer_is_not_sent_again_by_itself(proxied: bool) -> None:
    """An upload whose answer is lost may have been carried out: who asked for it has to know that."""
    requests = 0

    def lose(connection: socket.socket) -> None:
        nonlocal requests
        requests += connection.recv(100_000).startswith(b"POST")

    server = Server(lose)
    proxy = server.url.removesuffix("/upload") if proxied else ""
    url = "http://api.test/upload" if proxied else server.url
    asked = Network(Contact("Cloudinary", 60, lambda service, line, *_: None), 5, proxy=proxy)
    with pytest.raises(NoAnswer):
        asked.call("POST", url, body=b"x")
    assert requests == 1


def test_a_call_alone_that_gets_no_answer_is_its_own_fault_where_the_service_answers_others() -> None:
    """With one process, too: the simplest of questions tells."""

    def picky(connection: socket.socket) -> None:
        if connection.recv(100_000).startswith(b"HEAD / "):
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with pytest.raises(NoAnswer) as lost:
        network(0.1).call("POST", Server(picky).url, body=b"x")
    assert lost.value.counts
    with pytest.raises(NoAnswer) as gone:
        network(60).call("POST", Server(lambda connection: None).url, body=b"x")
    assert not gone.value.counts


@pytest.mark.parametrize(("hours", "meaning"), [(0, StopRun), (2, TransientError)], ids=["wrong clock", "suspended"])
def test_a_request_that_waited_until_its_signature_was_stale_is_signed_again(
    monkeypatch: pytest.MonkeyPatch, hours: int, meaning: type[Exception]
) -> None:
    """As after a computer was suspended: then its clock is right, and the next try succeeds."""
    now = iter([0.0, hours * 3600.0])
    monkeypatch.setattr(
        "drive2cloudinary.cloudinary.cloudinary_http.time",
        SimpleNamespace(time=lambda: next(now), monotonic=time.monotonic),
    )
    body = b'{"error":{"message":"Stale request - reported time is long ago which is more than 1 hour ago"}}'

    def refuse(connection: socket.socket) -> None:
        connection.recv(100_000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    with pytest.raises(MigrationError) as caught:
        Connector(network(60)).request("POST", Server(refuse).url, [("timestamp", "0")], {})
    assert type(caught.value) is meaning


@contextmanager
def nowhere(family: socket.AddressFamily) -> Iterator[tuple[object, ...]]:
    """An address of this machine, as of getaddrinfo, that neither accepts a connection nor refuses one."""
    host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    with contextlib.ExitStack() as open_until_then:
        full = open_until_then.enter_context(socket.create_server((host, 0), family=family, backlog=0))
        # A full queue drops what else wants to connect, as many a firewall does.
        for _ in range(3):
            held = open_until_then.enter_context(socket.socket(family))
            held.setblocking(False)
            held.connect_ex(full.getsockname())
        yield family, socket.SOCK_STREAM, 6, "", full.getsockname()


def test_many_addresses_that_lead_nowhere_take_no_longer_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with nowhere(socket.AF_INET) as address:
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [address] * 6)
        began = time.monotonic()
        with pytest.raises(StopRun, match="no answer from Cloudinary for .*: no connection in time"):
            network(5, timeout=1).call("GET", "http://api.test/")
        assert time.monotonic() - began < 6 * 1, "one second for all, and not for each"


def test_a_network_whose_ipv6_leads_nowhere_costs_one_short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """And only one for each process, whatever the host, although each answer here ends its connection."""

    def answer(connection: socket.socket) -> None:
        connection.recv(100_000)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    monkeypatch.setattr(watchdog, "_unreachable", set())
    good = (socket.AF_INET, socket.SOCK_STREAM, 6, "", Server(answer).listener.getsockname())
    asked = network(60)
    with nowhere(socket.AF_INET6) as address:
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [address] * 4 + [good])
        took = []
        for host in ("api.test", "api.test", "other.test"):
            began = time.monotonic()
            assert asked.call("GET", f"http://{host}/").body == b"ok"
            took.append(time.monotonic() - began)
    assert 0.9 < took[0] < 2 and max(took[1:]) < 0.5, took
