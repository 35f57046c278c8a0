"""scripts/authenticate.py: the consent in the browser, and the token that comes of it."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

from tests.harness import Workspace

BROWSER = """
import re, sys, html, urllib.request
page = urllib.request.urlopen(sys.argv[2]).read().decode()
link = html.unescape(re.search(rf'id="{sys.argv[1]}" href="([^"]+)"', page)[1])
urllib.request.urlopen(link)
"""


def browse(workspace: Workspace, link: str) -> None:
    """Have a browser that goes to the consent page and follows one of its links."""
    script = workspace.path / "browser.py"
    script.write_text(BROWSER)
    workspace.environment["BROWSER"] = shlex.join([sys.executable, str(script), link, "%s"]) + " &"
    # The emulator cannot do https, without which the library refuses to ask for a token.
    workspace.environment["OAUTHLIB_INSECURE_TRANSPORT"] = "1"


def test_consent_leaves_a_token_that_only_its_owner_can_read_and_that_works(workspace: Workspace) -> None:
    browse(workspace, "allow")
    workspace.add("one.jpg")
    done = workspace.script("authenticate.py", "--credentials", workspace.cloud.credentials)
    assert done.code == 0, done.said
    token = workspace.path / "token.json"
    assert token.stat().st_mode & 0o777 == 0o600
    assert json.loads(token.read_text())["scopes"] == ["https://www.googleapis.com/auth/drive.readonly"]
    workspace.run(token="token.json").succeeded()


def test_a_consent_that_is_refused_is_one_line_and_leaves_nothing(workspace: Workspace) -> None:
    browse(workspace, "deny")
    done = workspace.script("authenticate.py", "--credentials", workspace.cloud.credentials)
    done.failed()
    done.line("did not grant access", "access_denied")
    assert not (workspace.path / "token.json").exists()


def test_missing_or_wrong_credentials_say_where_to_get_them(workspace: Workspace) -> None:
    for content, fragment in ((None, "there is no credentials.json"), ("{}", "is not an OAuth client's JSON")):
        if content:
            Path(workspace.path, "credentials.json").write_text(content)
        done = workspace.script("authenticate.py")
        done.failed()
        done.line(fragment, "console.cloud.google.com")
