"""scripts/authenticate.py: the consent in a real browser, and the token that comes of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page

from drive2cloudinary.drive.consent import consent
from drive2cloudinary.drive.drive_http import ConsentHttp
from drive2cloudinary.errors import MigrationError
from drive2cloudinary.settings import Settings
from tests import browser, needs
from tests.harness import ROOT, Finished, Workspace, wait_for

SCOPE = "https://www.googleapis.com/auth/drive.readonly"
# One Chromium serves the whole module, so its tests stay in one process.
pytestmark = pytest.mark.xdist_group("authenticate")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    needs.need(needs.BROWSER)
    with browser.chromium() as started:
        yield started


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    page = chromium.new_page()
    page.set_default_timeout(20_000)
    yield page
    page.close()


class Asking:
    """A running authenticate.py, whose address is known."""

    def __init__(self, process: subprocess.Popen[str], url: str, said: str) -> None:
        self.process = process
        self.url = url
        self._said = said

    @property
    def comes_back_to(self) -> str:
        """The address that the browser is sent to with the answer."""
        return parse_qs(urlsplit(self.url).query)["redirect_uri"][0]

    def paste(self, text: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()

    def end(self) -> Finished:
        assert self.process.stdout and self.process.stderr
        # Not communicate(), which does not know what readline() has put aside.
        stdout, stderr = self.process.stdout.read(), self.process.stderr.read()
        return Finished(self.process.wait(60), self._said + stdout, stderr)


@contextmanager
def asking(workspace: Workspace, *arguments: str, **environment: str) -> Iterator[Asking]:
    """Start authenticate.py and wait for the address that it prints."""
    process = subprocess.Popen(
        [
            sys.executable,
            str(ROOT / "scripts" / "authenticate.py"),
            *("--credentials", workspace.cloud.credentials, "--drive-endpoint", workspace.cloud.drive_endpoint),
            *arguments,
        ],
        cwd=workspace.path,
        # The emulator cannot do https, without which the library refuses to ask for a token.
        env={**os.environ, "OAUTHLIB_INSECURE_TRANSPORT": "1", **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    try:
        said = ""
        while not (found := re.search(r"^http\S+$", said, re.M)):
            line = process.stdout.readline()
            assert line, f"it ended without an address: {said}"
            said += line
        yield Asking(process, found[0], said)
    finally:
        process.kill()
        process.wait()


def grant(script: Asking, page: Page, button: str = "Allow", *, ticked: bool = True) -> Finished:
    """Answer the consent in the browser; what the script has said at its end."""
    page.goto(script.url)
    page.get_by_label(SCOPE).set_checked(ticked)
    page.get_by_role("button", name=button).click()
    return script.end()


def assert_signed_in(workspace: Workspace, done: Finished) -> None:
    done.succeeded()
    done.line("token.json is written", "the Drive of Emulated Owner <owner@example.com>", "can do nothing else")
    token = workspace.path / "token.json"
    assert token.stat().st_mode & 0o777 == 0o600
    assert json.loads(token.read_text())["scopes"] == [SCOPE]


def test_allow_leaves_a_token_that_only_its_owner_can_read_and_that_works(workspace: Workspace, page: Page) -> None:
    workspace.add("one.jpg")
    opened = workspace.path / "opened.txt"
    with asking(workspace, BROWSER=f"sh -c 'echo \"$1\" > {opened}' sh %s") as script:
        wait_for(lambda: opened.exists() and opened.read_text() == f"{script.url}\n")
        page.goto(script.url)
        assert page.locator("#account").inner_text() == "Emulated Owner <owner@example.com>"
        assert page.get_by_label(SCOPE).is_checked()
        page.get_by_role("button", name="Allow").click()
        page.get_by_text("the terminal says how it went").wait_for()
        done = script.end()
    assert_signed_in(workspace, done)
    workspace.run(token="token.json").succeeded()


def test_the_clients_secret_goes_nowhere_that_an_answer_points_to(workspace: Workspace, page: Page) -> None:
    elsewhere = {"redirect": workspace.cloud.drive_endpoint, "status": 307}
    workspace.cloud.faults([{"on": "oauth.token", "do": elsewhere, "times": None}])
    with asking(workspace, BROWSER="true") as script:
        done = grant(script, page)
    done.failed()
    done.line("Google's sign-in redirects to 127.0.0.1")
    assert not workspace.calls("drive.other") and not (workspace.path / "token.json").exists()


@pytest.mark.parametrize(
    ("button", "ticked", "refuse", "said"),
    [
        ("Cancel", True, "", ("did not grant access", "access_denied")),
        ("Allow", False, "", ("the consent leaves out reading Drive", "leave its box ticked")),
        (
            "Allow",
            True,
            "deleted_client",
            ("create a new one of the type 'Desktop app'", "credentials.json", "authenticate.py"),
        ),
    ],
    ids=["cancelled", "box not ticked", "deleted client"],
)
def test_a_consent_that_is_not_given_is_one_line_and_leaves_nothing(
    workspace: Workspace, page: Page, button: str, ticked: bool, refuse: str, said: tuple[str, ...]
) -> None:
    workspace.cloud.oauth(refuse=refuse)
    with asking(workspace, BROWSER="true") as script:
        done = grant(script, page, button, ticked=ticked)
    done.failed()
    done.line(*said)
    assert not (workspace.path / "token.json").exists()


def test_on_a_server_the_address_that_does_not_load_is_pasted(workspace: Workspace, chromium: Browser) -> None:
    with asking(workspace, "--no-browser", BROWSER=f"touch {workspace.path}/opened") as script:
        # The browser of another computer, which reaches Google, but not the server.
        google = urlsplit(script.url).netloc
        context = chromium.new_context(proxy={"server": "http://127.0.0.1:9", "bypass": f"<-loopback>,{google}"})
        page = context.new_page()
        page.goto(script.url)
        with page.expect_event("requestfailed") as failed:
            page.get_by_role("button", name="Allow").click()
        answer = failed.value.url
        context.close()
        assert answer.startswith(script.comes_back_to)
        script.paste("")
        script.paste("what?")
        script.paste(answer.replace("state=", "state=another"))
        script.paste(f"  {answer.removeprefix('http://')} ")
        done = script.end()
    assert_signed_in(workspace, done)
    assert done.said.count("This is not the address.") == 2
    assert f"ssh -L {urlsplit(answer).port}:127.0.0.1:{urlsplit(answer).port} " in done.said
    assert not (workspace.path / "opened").exists()


def test_on_a_server_a_forwarded_port_will_do(workspace: Workspace, page: Page) -> None:
    with asking(workspace, "--no-browser") as script:
        assert script.process.stdin
        script.process.stdin.close()
        done = grant(script, page)
    assert_signed_in(workspace, done)


def test_without_any_browser_the_address_is_for_another_one(workspace: Workspace) -> None:
    with asking(workspace, PATH="/nonexistent", BROWSER="", DISPLAY="") as script:
        port = urlsplit(script.comes_back_to).port
        # Nobody else can have it while the script waits.
        done = workspace.script(
            "authenticate.py", "--port", str(port), "--credentials", workspace.cloud.credentials, "--no-browser"
        ).failed()
        done.line(f"port {port}", "choose another --port")
        script.process.send_signal(2)
        done = script.end()
    done.failed()
    done.line("cancelled: there is no new token")
    assert "paste it here" in done.stdout


def test_missing_or_wrong_credentials_say_what_they_are_and_where_to_get_them(workspace: Workspace) -> None:
    path = workspace.path / "credentials.json"
    workspace.script("authenticate.py").failed().line("there is no credentials.json", "console.cloud.google.com")
    service_account, token = (
        Path(file).read_text() for file in (workspace.cloud.service_account, workspace.cloud.token)
    )
    for content, fragment in (
        ("<!DOCTYPE html><html></html>", "is not JSON"),
        (b"\x89PNG\xff", "is not JSON"),
        ("{}", "is not an OAuth client's JSON"),
        ("[1]", "is not an OAuth client's JSON"),
        ('{"installed": {"client_id": "1"}}', "is not an OAuth client's JSON"),
        ('{"web": {"client_id": "1"}}', "of the type 'Web application'"),
        (service_account, "is a service account's key"),
        (token, "is a token"),
    ):
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(MigrationError, match=f"{fragment}.*console.cloud.google.com"):
            consent(path, browser=False, port=0, connection=ConsentHttp(Settings()))
    path.unlink()
    path.mkdir()
    with pytest.raises(MigrationError, match="cannot be read: Is a directory"):
        consent(path, browser=False, port=0, connection=ConsentHttp(Settings()))
    # It holds a copy of secrets that this test made.
    path.rmdir()


def test_without_need_there_is_no_consent_and_nothing_is_overwritten(workspace: Workspace) -> None:
    """A service account's key, Application Default Credentials, and the OAuth client itself as the token file."""
    key, client = workspace.cloud.service_account, workspace.cloud.credentials
    before = [Path(path).read_text() for path in (key, client)]
    done = workspace.script("authenticate.py", "--token", key, "--credentials", client).succeeded()
    done.line("is a service account's key", "client_email")
    workspace.script("authenticate.py", "--token", client, "--credentials", client).failed().line("would overwrite")
    workspace.environment["GOOGLE_APPLICATION_CREDENTIALS"] = key
    done = workspace.script("authenticate.py").succeeded()
    done.line("There is no token.json", "Application Default Credentials", "no consent")
    assert [Path(path).read_text() for path in (key, client)] == before


def test_a_consent_that_grants_more_is_taken_and_a_token_that_expires_says_when(
    workspace: Workspace, page: Page
) -> None:
    workspace.cloud.oauth(testing=True, also_grants=["https://www.googleapis.com/auth/drive.metadata.readonly"])
    with asking(workspace, BROWSER="true") as script:
        done = grant(script, page)
    assert_signed_in(workspace, done)
    done.line("It expires on 20", "in the state Testing", "Publish app")
    expires = datetime.fromisoformat(json.loads((workspace.path / "token.json").read_text())["refresh_token_expires"])
    assert timedelta(days=6) < expires - datetime.now(UTC) <= timedelta(days=7)
    workspace.add("one.jpg")
    workspace.run(token="token.json").succeeded()
