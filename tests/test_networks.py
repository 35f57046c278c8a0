"""The workflow in the networks where it is used: the services under their real names, over TLS, through proxies.

Everything that is said of a proxy or of certificates is in the environment; no setting names an address.
"""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote
from urllib.request import Request

import pytest

from tests.emulator.client import OPENER, Emulator
from tests.harness import Finished, Workspace, jpeg
from tests.proxy import API, CDN, DRIVE, OAUTH, SERVICES, Flaw, Proxy, closed_port
from tests.test_authenticate import asking, assert_signed_in

pytestmark = pytest.mark.networks

LOGIN = {"user": "someone", "password": "p@ss:word%2F"}
LIBRARIES = re.compile(
    r"Traceback|\w+Error\b|\bssl\.|_ssl\.c|\[SSL|urllib3|ConnectionPool|object at 0x|Max retries|errno"
)
"""What no user should have to read."""


@pytest.fixture
def cloud(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """A test that asks for a proxy has a cloud with the services' real names, another one has it on loopback."""
    real_names = "proxy" in request.fixturenames
    with Emulator(tmp_path / "Photos", tmp_path / "cloud", real_names=real_names) as emulator:
        yield emulator


@pytest.fixture
def proxy(tmp_path: Path, cloud: Emulator) -> Iterator[Proxy]:
    with Proxy(tmp_path / "proxy", cloud) as started:
        yield started


def run(workspace: Workspace, *arguments: str, **config: object) -> Finished:
    """The command with the default endpoints."""
    return workspace.run(*arguments, cores=2, drive_endpoint=None, **config)


def folders(workspace: Workspace) -> Finished:
    """The folders of the Drive, with the default endpoint."""
    return workspace.script("drive_folders.py", "--token", workspace.cloud.token)


def consent(workspace: Workspace) -> Finished:
    """scripts/authenticate.py, with a browser that is in no such network."""
    environment = {"OAUTHLIB_INSECURE_TRANSPORT": "", **workspace.environment}
    with asking(workspace, "--drive-endpoint", f"https://{DRIVE}", "--no-browser", **environment) as script:
        google, _, rest = script.url.partition("/o/")
        assert google == "https://accounts.google.com"
        url = f"http://127.0.0.1:{workspace.cloud.ports['oauth']}/o/{rest}"
        with OPENER.open(url) as answer:
            page = answer.read().decode()
        form = [(name, value) for name, value in re.findall(r'name="(request|scope)" value="([^"]*)"', page)]
        data = "&".join(f"{name}={quote(value, safe='')}" for name, value in [*form, ("answer", "allow")])
        with OPENER.open(Request(url.partition("?")[0], data=data.encode())):
            pass
        return script.end()


def assert_nobody_went_around(workspace: Workspace, proxy: Proxy) -> None:
    """What the cloud was asked for is what came through the proxy, and nobody wanted anything else of it."""
    counts = workspace.cloud.stats()["counts"]
    kinds = {DRIVE: ("drive",), OAUTH: ("oauth",), API: ("cloudinary",), CDN: ("delivery",)}
    for host, names in kinds.items():
        asked = sum(count for op, count in counts.items() if op.split(".")[0] in names)
        # The consent page is asked for by the browser.
        asked -= counts.get("oauth.consent", 0) if host == OAUTH else 0
        assert proxy.seen[host].requests == asked, (host, counts)
    assert sorted(proxy.seen) == sorted(SERVICES)
    assert not any(seen.direct for seen in proxy.seen.values()) and not proxy.plain


def assert_nothing_tells_the_password(workspace: Workspace, *outputs: Finished) -> None:
    login = f"{LOGIN['user']}:{LOGIN['password']}"
    forms = [LOGIN["password"], quote(LOGIN["password"], safe=""), base64.b64encode(login.encode()).decode()]
    for text in forms:
        assert not [done.said for done in outputs if text in done.said]
        files = [path for path in workspace.path.rglob("*") if path.is_file()]
        assert not [path for path in files if text.encode() in path.read_bytes()]


def assert_stopped(workspace: Workspace, done: Finished, *fragments: str) -> None:
    """The run ended at once with one line that a user understands, and no image is to blame."""
    done.failed()
    done.line(*fragments)
    assert not LIBRARIES.search(done.said), done.said
    assert len(done.lines) <= 8, done.said
    assert not workspace.failures()


def test_all_of_it_goes_through_a_proxy_that_wants_user_and_password(workspace: Workspace, proxy: Proxy) -> None:
    proxy.user, proxy.password = LOGIN["user"], LOGIN["password"]
    workspace.environment = proxy.behind(HTTPS_PROXY=proxy.url, SSL_CERT_FILE=str(proxy.authority))
    workspace.add(*(f"{number}.jpg" for number in range(5)))
    done = [run(workspace, "-n"), run(workspace), run(workspace, "verify"), folders(workspace)]
    for each in done:
        each.succeeded()
    assert "5 of 5 images to move" in done[0].lines[-1]
    workspace.audit()
    assert done[2].lines[-1].startswith("5 URLs asked: 5 answer as they should")
    assert "5 images" in done[3].stdout
    signed_in = consent(workspace)
    assert_signed_in(workspace, signed_in)
    service = workspace.script("drive_folders.py", "--token", workspace.cloud.service_account, "--shared")
    service.succeeded()
    assert_nobody_went_around(workspace, proxy)
    assert not any(seen.refused for seen in proxy.seen.values()), "user and password are sent without being asked for"
    assert_nothing_tells_the_password(workspace, *done, signed_in, service)


@pytest.mark.parametrize(
    ("proxy_variable", "ca_variable"),
    [("https_proxy", "REQUESTS_CA_BUNDLE"), ("ALL_PROXY", "SSL_CERT_FILE"), ("all_proxy", "REQUESTS_CA_BUNDLE")],
)
def test_each_variable_leads_to_the_proxy(
    workspace: Workspace, proxy: Proxy, proxy_variable: str, ca_variable: str
) -> None:
    workspace.environment = proxy.behind(**{proxy_variable: proxy.url, ca_variable: str(proxy.authority)})
    workspace.add("one.jpg", "two.jpg")
    run(workspace).succeeded()
    workspace.audit()
    run(workspace, "verify").succeeded()
    assert_nobody_went_around(workspace, proxy)


def test_a_socks_proxy_resolves_the_names(workspace: Workspace, proxy: Proxy) -> None:
    workspace.environment = proxy.behind(ALL_PROXY=proxy.socks_url, SSL_CERT_FILE=str(proxy.authority))
    workspace.add("one.jpg", "two.jpg")
    run(workspace).succeeded()
    workspace.audit()
    run(workspace, "verify").succeeded()
    assert_nobody_went_around(workspace, proxy)


@pytest.mark.parametrize(
    ("no_proxy", "around"),
    [
        ("www.googleapis.com,oauth2.googleapis.com", True),
        (".googleapis.com", True),
        ("googleapis.com", True),
        ("example.com, GoogleApis.com", True),
        ("googleapis.com:443", True),
        ("*", True),
        ("googleapis.com:8443, apis.com, .example.com", False),
    ],
)
def test_what_no_proxy_names_is_called_directly(
    workspace: Workspace, proxy: Proxy, no_proxy: str, around: bool
) -> None:
    variable = "no_proxy" if around else "NO_PROXY"
    workspace.environment = proxy.beside(
        HTTPS_PROXY=proxy.url, SSL_CERT_FILE=str(proxy.authority), **{variable: no_proxy}
    )
    folders(workspace).succeeded()
    assert sorted(proxy.seen) == [OAUTH, DRIVE]
    for seen in proxy.seen.values():
        assert (seen.direct > 0, seen.asked > 0) == (around, not around)


@pytest.mark.parametrize("no_proxy", ["", "127.0.0.1, localhost"])
def test_loopback_is_never_asked_of_a_proxy(workspace: Workspace, no_proxy: str) -> None:
    dead = f"http://127.0.0.1:{closed_port()}"
    names = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
    workspace.environment = {**dict.fromkeys(names, dead), "NO_PROXY": no_proxy}
    workspace.add("one.jpg", "two.jpg")
    workspace.run(cores=2).succeeded()
    workspace.audit()
    workspace.run("verify").succeeded()
    workspace.script(
        "drive_folders.py", "--token", workspace.cloud.token, "--drive-endpoint", workspace.cloud.drive_endpoint
    ).succeeded()


def with_api_proxy(workspace: Workspace, address: str) -> str:
    """The value of CLOUDINARY_URL that names this proxy, too."""
    url = workspace.cloud.cloudinary_url
    return f"{url}{'&' if '?' in url else '?'}api_proxy={quote(address, safe='')}"


@pytest.mark.parametrize("where", ["the environment", ".env"])
def test_cloudinarys_own_proxy_is_used_for_all_of_cloudinary(workspace: Workspace, proxy: Proxy, where: str) -> None:
    url = with_api_proxy(workspace, proxy.url)
    if where == ".env":
        (workspace.path / ".env").write_text(f"CLOUDINARY_URL={url}\n")
    workspace.environment = proxy.beside(
        CLOUDINARY_URL="" if where == ".env" else url, SSL_CERT_FILE=str(proxy.authority)
    )
    workspace.add("one.jpg", "two.jpg")
    run(workspace).succeeded()
    workspace.audit()
    run(workspace, "verify").succeeded()
    for host, seen in proxy.seen.items():
        assert (seen.asked > 0, seen.direct > 0) == ((True, False) if host in (API, CDN) else (False, True)), host
    assert sorted(proxy.seen) == sorted(SERVICES)


@pytest.mark.parametrize("way", ["another proxy", "no proxy"])
def test_cloudinarys_own_proxy_is_not_used_if_the_environment_says_another_way(
    workspace: Workspace, proxy: Proxy, way: str
) -> None:
    says = {"HTTPS_PROXY": proxy.url} if way == "another proxy" else {"NO_PROXY": ".cloudinary.com"}
    dead = with_api_proxy(workspace, f"http://127.0.0.1:{closed_port()}")
    workspace.environment = proxy.beside(**says, CLOUDINARY_URL=dead, SSL_CERT_FILE=str(proxy.authority))
    workspace.add("one.jpg", "two.jpg")
    run(workspace, patience=20).succeeded()
    workspace.audit()
    run(workspace, "verify").succeeded()
    for host in (API, CDN):
        assert (proxy.seen[host].asked > 0) == (way == "another proxy") == (not proxy.seen[host].direct)


def test_cloudinarys_own_proxy_is_not_asked_for_loopback(workspace: Workspace) -> None:
    dead = f"http://127.0.0.1:{closed_port()}"
    workspace.environment["CLOUDINARY_URL"] = with_api_proxy(workspace, dead)
    workspace.add("one.jpg", "two.jpg")
    workspace.run(cores=2, patience=20).succeeded()
    workspace.audit()
    workspace.run("verify").succeeded()


@pytest.mark.parametrize(
    ("host", "flaw", "said"),
    [
        (DRIVE, "unknown issuer", ("Drive's certificate is not trusted", "SSL_CERT_FILE")),
        (DRIVE, "other host", ("Drive's certificate is not trusted", "not valid for")),
        (OAUTH, "expired", ("Google's sign-in", "certificate is not trusted", "expired")),
        (API, "unknown issuer", ("Cloudinary's certificate is not trusted", "SSL_CERT_FILE")),
        (API, "expired", ("Cloudinary's certificate is not trusted", "expired")),
    ],
)
def test_a_certificate_that_is_not_trusted_stops_the_run(
    workspace: Workspace, proxy: Proxy, host: str, flaw: Flaw, said: tuple[str, ...]
) -> None:
    workspace.environment = proxy.behind(HTTPS_PROXY=proxy.url, SSL_CERT_FILE=str(proxy.authority))
    workspace.add(*(f"{number}.jpg" for number in range(12)))
    proxy.present(host, flaw)
    assert_stopped(workspace, run(workspace), *said)
    # Each process finds it out by itself, and none tries again.
    assert proxy.seen[host].handshakes == 0 and 1 <= proxy.seen[host].rejected <= 5

    proxy.present(host)
    run(workspace).succeeded()
    workspace.audit()


@pytest.mark.parametrize("bundle", ["other authority", ""])
def test_an_authority_that_is_not_known_stops_every_command(workspace: Workspace, proxy: Proxy, bundle: str) -> None:
    """With a bundle that lacks it, and with the one at hand, where no variable is set."""
    variables = {"SSL_CERT_FILE": str(proxy.other_authority)} if bundle else {}
    workspace.environment = proxy.behind(HTTPS_PROXY=proxy.url, **variables)
    workspace.add("one.jpg")
    for done in (run(workspace, "-n"), run(workspace), folders(workspace)):
        assert_stopped(workspace, done, "certificate is not trusted", "SSL_CERT_FILE")
    assert sum(seen.handshakes for seen in proxy.seen.values()) == 0


def test_a_certificate_of_the_cdn_that_is_not_trusted_stops_verify(workspace: Workspace, proxy: Proxy) -> None:
    workspace.environment = proxy.behind(HTTPS_PROXY=proxy.url, SSL_CERT_FILE=str(proxy.authority))
    workspace.add(*(f"{number}.jpg" for number in range(30)))
    run(workspace).succeeded()
    proxy.present(CDN, "expired")
    assert_stopped(workspace, run(workspace, "verify"), "Cloudinary's CDN", "certificate is not trusted", "expired")
    assert proxy.seen[CDN].rejected <= 4, "as many as there are threads"
    assert not workspace.leftovers()


def test_a_bundle_that_is_not_there_is_named(workspace: Workspace, proxy: Proxy) -> None:
    for text in (None, "no certificate\n"):
        path = workspace.path / "bundle.pem"
        if text:
            path.write_text(text)
        workspace.environment = proxy.behind(HTTPS_PROXY=proxy.url, SSL_CERT_FILE=str(path))
        assert_stopped(workspace, folders(workspace), "SSL_CERT_FILE", "bundle.pem")


@pytest.mark.parametrize("password", ["", "wr%40ng"])
def test_a_proxy_that_wants_another_login_stops_the_run(workspace: Workspace, proxy: Proxy, password: str) -> None:
    outside = proxy.url
    proxy.user, proxy.password = LOGIN["user"], LOGIN["password"]
    address = outside.replace("//", f"//{LOGIN['user']}:{password}@") if password else outside
    workspace.environment = proxy.behind(HTTPS_PROXY=address, SSL_CERT_FILE=str(proxy.authority))
    workspace.add(*(f"{number}.jpg" for number in range(4)))
    done = [run(workspace), folders(workspace)]
    for each in done:
        assert_stopped(workspace, each, "proxy", "user", "password")
    assert all(seen.asked == seen.refused <= 5 for seen in proxy.seen.values()), "none tries again"
    shown = [text for text in ("wr%40ng", "wr@ng") if password]
    for path in (path for path in workspace.path.rglob("*") if path.is_file()):
        assert not [text for text in shown if text.encode() in path.read_bytes()], path
    assert not [each.said for each in done for text in shown if text in each.said]


@pytest.mark.parametrize("way", ["through a proxy", "directly"])
def test_a_process_has_one_connection_to_a_service_until_the_service_closes_it(
    workspace: Workspace, proxy: Proxy, way: str
) -> None:
    variables = {"SSL_CERT_FILE": str(proxy.authority)}
    if way == "directly":
        workspace.environment = proxy.beside(**variables)
    else:
        workspace.environment = proxy.behind(HTTPS_PROXY=proxy.url, **variables)
    workspace.add(*(f"{number}.jpg" for number in range(20)))
    run(workspace).succeeded()
    workspace.audit()
    drive, api = proxy.seen[DRIVE], proxy.seen[API]
    assert drive.requests > 20 and api.requests == 20
    # Two cores, each of which may have two processes; and one that lists.
    assert 1 <= api.handshakes <= 4 and 1 <= drive.handshakes <= 5
    assert (drive.direct > 0) == (way == "directly") == (not drive.asked)

    # Servers close each connection after a while.
    proxy.limit = 2
    workspace.add(*(f"more {number}.jpg" for number in range(20)))
    before = [drive.handshakes, api.handshakes]
    run(workspace).succeeded()
    workspace.audit()
    anew = [drive.handshakes - before[0], api.handshakes - before[1]]
    assert min(anew) >= 10 and not workspace.failures()


def test_only_a_download_may_be_redirected_within_googles_hosts_and_without_the_token(
    workspace: Workspace, proxy: Proxy
) -> None:
    got: list[tuple[str, str | None]] = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            got.append((self.path, self.headers["Authorization"]))
            body = base64.b64decode(jpeg("near.jpg"))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    workspace.environment |= proxy.behind(HTTPS_PROXY=proxy.url, SSL_CERT_FILE=str(proxy.authority))
    workspace.add("near.jpg", "far.jpg")
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for host in ("doc-00.googleusercontent.com", "googleusercontent.com.example"):
            proxy.serve(host, server.server_port)
        near, far = "https://doc-00.googleusercontent.com/near", "https://googleusercontent.com.example/far"
        workspace.cloud.faults(
            [
                {"on": "drive.media", "match": name, "do": {"redirect": url}, "times": None}
                for name, url in (("near", near), ("far", far))
            ]
        )
        done = run(workspace, retries=0)
        server.shutdown()
    done.failed()
    assert workspace.statuses() == {"near.jpg": "uploaded", "far.jpg": "failed"}
    done.line("far.jpg", "redirects to googleusercontent.com.example")
    assert got == [("/near", None)]
