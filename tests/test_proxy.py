"""The proxy that the tests of TLS and proxies use: with plain clients, each as strict as Python's ssl can be."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from tests.emulator.client import Emulator
from tests.proxy import API, CDN, DRIVE, OAUTH, SERVICES, Flaw, Proxy, closed_port


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(tmp_path / "Photos", tmp_path / "cloud", real_names=True) as started:
        yield started


@pytest.fixture
def proxy(tmp_path: Path, emulator: Emulator) -> Iterator[Proxy]:
    with Proxy(tmp_path / "proxy", emulator) as started:
        yield started


def strict(authority: Path) -> ssl.SSLContext:
    """As Python 3.13's default context is."""
    context = ssl.create_default_context(cafile=authority)
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def manager(proxy: Proxy) -> urllib3.ProxyManager:
    parts = urllib3.util.parse_url(proxy.url)
    login = urllib3.make_headers(proxy_basic_auth=f"{proxy.user}:{proxy.password}") if proxy.user else {}
    return urllib3.ProxyManager(
        f"http://127.0.0.1:{parts.port}", proxy_headers=login, ssl_context=strict(proxy.authority), retries=False
    )


def answers(connection: ssl.SSLSocket, path: str = "/nothing") -> int:
    """The status of one GET."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    answer.read()
    return answer.status


def tunnel(proxy: Proxy, host: str, port: int = 443) -> socket.socket:
    """A connection through SOCKS5."""
    connection = socket.create_connection(("127.0.0.1", int(proxy.socks_url.rpartition(":")[2])), timeout=10)
    connection.sendall(b"\x05\x01\x00")
    assert connection.recv(2) == b"\x05\x00"
    name = host.encode()
    connection.sendall(b"\x05\x01\x00\x03" + bytes([len(name)]) + name + port.to_bytes(2, "big"))
    reply = connection.recv(10)
    if reply[1]:
        connection.close()
        raise ConnectionRefusedError(f"SOCKS5 error {reply[1]}")
    return connection


def test_each_service_answers_behind_its_name_and_keeps_the_connection(proxy: Proxy, emulator: Emulator) -> None:
    token = json.loads(Path(emulator.token).read_text())
    assert token["token_uri"] == "https://oauth2.googleapis.com/token"
    assert json.loads(Path(emulator.service_account).read_text())["token_uri"] == token["token_uri"]
    assert "upload_prefix" not in emulator.cloudinary_url
    with manager(proxy) as pool:
        form = {key: token[key] for key in ("client_id", "client_secret", "refresh_token")}
        form["grant_type"] = "refresh_token"
        granted = pool.request("POST", token["token_uri"], fields=form, encode_multipart=False).json()
        headers = {"Authorization": f"Bearer {granted['access_token']}"}
        for _ in range(3):
            about = pool.request("GET", f"https://{DRIVE}/drive/v3/about?fields=user", headers=headers)
            assert about.json()["user"]["emailAddress"] == "owner@example.com"
        large = pool.request("POST", f"https://{API}/v1_1/emulated/image/upload", body=bytes(3_000_000))
        assert large.status == 400 and "error" in large.json()
        assert pool.request("HEAD", f"https://{CDN}/emulated/image/upload/v1/none.jpg").status == 404
    assert {host: seen.requests for host, seen in proxy.seen.items()} == {OAUTH: 1, DRIVE: 3, API: 1, CDN: 1}
    for seen in proxy.seen.values():
        assert (seen.asked, seen.handshakes, seen.refused, seen.direct) == (1, 1, 0, 0)
    assert sum(emulator.stats()["counts"].values()) == 6


def test_a_connection_ends_after_its_share(proxy: Proxy) -> None:
    proxy.limit = 2
    context = strict(proxy.authority)
    for _ in range(3):
        with context.wrap_socket(tunnel(proxy, CDN), server_hostname=CDN) as connection:
            assert answers(connection) == answers(connection) == 404
            assert connection.recv(1) == b""
    seen = proxy.seen[CDN]
    assert (seen.asked, seen.handshakes, seen.requests) == (3, 3, 6)


def test_what_it_refuses(proxy: Proxy) -> None:
    def status(host: str = DRIVE, port: int = 443, login: str = "") -> int:
        headers = urllib3.make_headers(proxy_basic_auth=login) if login else {}
        connection = http.client.HTTPConnection("127.0.0.1", int(proxy.socks_url.rpartition(":")[2]), timeout=10)
        connection.request("CONNECT", f"{host}:{port}", headers=headers)
        answer = connection.getresponse()
        assert (answer.status == 407) == ("Proxy-Authenticate" in answer.headers)
        connection.close()
        return answer.status

    assert (status(), status("example.com"), status(port=8443)) == (200, 502, 403)
    for port in (443, 80):
        with pytest.raises(ConnectionRefusedError):
            tunnel(proxy, DRIVE if port == 80 else "example.com", port)
    for proxy.refuse in (403, 407, 502):
        assert status() == proxy.refuse
    proxy.refuse, proxy.user, proxy.password = 0, "me", "p@ss:word%2F"
    assert proxy.url.startswith("http://me:p%40ss%3Aword%252F@127.0.0.1:")
    logins = ("", "me:wrong", "me", "me:p@ss:word%2F")
    assert [status(login=login) for login in logins] == [407, 407, 407, 200]
    connection = http.client.HTTPConnection("127.0.0.1", int(proxy.socks_url.rpartition(":")[2]), timeout=10)
    connection.request("GET", f"http://{DRIVE}/")
    assert connection.getresponse().status == 403
    connection.close()
    assert proxy.plain == [f"http://{DRIVE}/"]
    assert proxy.seen["example.com"].refused == 2


@pytest.mark.parametrize(
    ("flaw", "said"),
    [("unknown issuer", "unable to get local issuer"), ("expired", "has expired"), ("other host", "not valid for")],
)
def test_a_certificate_with_a_flaw_is_not_trusted(proxy: Proxy, flaw: Flaw, said: str) -> None:
    proxy.present(API, flaw)
    with manager(proxy) as pool, pytest.raises(urllib3.exceptions.SSLError, match=said):
        pool.request("GET", f"https://{API}/")
    with manager(proxy) as pool:
        pool.request("GET", f"https://{DRIVE}/")
    assert (proxy.seen[API].handshakes, proxy.seen[API].rejected) == (0, 1)
    context = strict(proxy.authority)
    context.check_hostname = False
    with pytest.raises(ssl.SSLError), tunnel(proxy, DRIVE) as raw:
        context.wrap_socket(raw, server_hostname="example.com")


def test_names_are_known_only_to_those_beside_the_proxy(proxy: Proxy) -> None:
    program = (
        "import http.client, ssl, sys; "
        "c = http.client.HTTPSConnection(sys.argv[1], timeout=5, context=ssl.create_default_context()); "
        "c.request('GET', '/'); print(c.getresponse().status)"
    )

    def run(environment: dict[str, str], host: str) -> str:
        command = [sys.executable, "-c", program, host]
        environment = {**environment, "SSL_CERT_FILE": str(proxy.authority)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        return (done.stdout + done.stderr).splitlines()[-1]

    for host in SERVICES:
        assert run(proxy.beside(), host) in ("404", "401", "400")
        assert "Name or service not known" in run(proxy.behind(), host)
    assert "Name or service not known" in run(proxy.beside(), "example.com")
    assert "refused" in run(proxy.behind(), f"127.0.0.1:{closed_port()}")
    assert all((seen.direct, seen.handshakes, seen.asked) == (1, 1, 0) for seen in proxy.seen.values())
