"""The demo, in a copy of the project: `make demo` in a terminal."""

from __future__ import annotations

import json
import shutil
import sys
import urllib.request
from pathlib import Path

from tests.harness import ROOT, processes_of, wait_for
from tests.proxy import without_proxies
from tests.terminal import Terminal

PARTS = ("Snakefile", "config.yaml", "config.schema.yaml", "profiles", "scripts", "envs", "tests")


def test_the_cloud_of_the_demo_runs_until_enter_is_pressed_so_that_the_report_has_pictures(tmp_path: Path) -> None:
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    environment = {**without_proxies(), "TERM": "xterm-256color", "NO_GCE_CHECK": "true"}
    terminal = Terminal([sys.executable, "-m", "tests.demo"], tmp_path, environment)
    try:
        terminal.wait_for(lambda: "Press Enter to stop it." in terminal.text)
        (report,) = (tmp_path / "results").glob("*/report.html")
        assert report.as_uri() in terminal.text
        rows = json.loads((report.parent / "mapping.json").read_text())
        url = next(row["cloudinary_url"] for row in rows if row["status"] == "uploaded")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        assert opener.open(url, timeout=10).status == 200
        terminal.press("\n")
        assert terminal.end() == 0
    finally:
        terminal.kill()
    assert "Next, your own pictures: README.md" in terminal.text
    wait_for(lambda: not processes_of(str(tmp_path)))
