"""Tests call no program that a fresh machine may lack, unless tests/needs.py names it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.harness import ROOT, listens
from tests.programs import ESSENTIAL, NAMED, OF_README, programs_in


def test_programs_are_seen_behind_those_that_start_them() -> None:
    for command, programs in (
        ([sys.executable, "-c", "ss"], []),
        (["/usr/bin/ss"], ["ss"]),
        (["setpriv", "--reuid=1", "env", "-u", "USER", "HOME=/", "ps", "aux"], ["setpriv", "env", "ps"]),
        (["bash", "-c", '"$@" 2>&1 | tee x', "bash", "python"], ["bash", "tee"]),
        (["sh", "-c", 'mount -o "$0" "a; b" && echo && exec sleep 5; (rev x)'], ["sh", "mount", "sleep", "rev"]),
    ):
        assert list(programs_in(command)) == programs


def test_a_program_that_is_not_named_cannot_be_called() -> None:
    with pytest.raises(AssertionError, match="'ss'.* may be missing on a fresh machine: see tests/programs.py"):
        subprocess.run(["ss", "-H"])
    with pytest.raises(AssertionError, match="'tmux'"):
        os.system("cat /dev/null | tmux")
    with pytest.raises(AssertionError, match="'ps'"):
        subprocess.run("ps aux", shell=True)
    subprocess.run(["cat", "/dev/null"], check=True)


def test_what_the_readme_installs_is_what_tests_may_call() -> None:
    for page in ("README.md", "CONTRIBUTING.md"):
        (line,) = re.findall(r"apt install (.+?)(?:`|$|#| &&)", (ROOT / page).read_text(), re.MULTILINE)[:1]
        assert set(line.split()) >= OF_README, page
    assert "procps" not in ESSENTIAL.values() and not {"ps", "ss", "pgrep", "pkill", "tmux", "curl"} & NAMED


@pytest.mark.parametrize(
    ("opens", "is_reachable"),
    [
        ("s = socket.create_server(('127.0.0.1', 0))", True),
        ("s = socket.socket(socket.AF_UNIX); s.bind('named')", True),
        ("s = socket.socketpair()", False),
    ],
)
def test_a_process_that_can_be_reached_is_seen(tmp_path: Path, opens: str, is_reachable: bool) -> None:
    program = f"import socket; {opens}; print(flush=True); input()"
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, **pipes) as child:
        assert child.stdout and child.stdout.readline()
        assert listens(child.pid) is is_reachable
        child.kill()
