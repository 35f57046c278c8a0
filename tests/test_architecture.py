"""What import-linter does not see: the scripts lie in no package. `make lint` checks the arrows between the rooms."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import drive2cloudinary
from tests.harness import ROOT

SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))
NAMES = {path.stem for path in SCRIPTS}


def imported(path: Path) -> set[str]:
    """The top-level packages and modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "scripts").rglob("*.py")), ids=lambda path: path.stem)
def test_nothing_imports_a_script(path: Path) -> None:
    assert not imported(path) & NAMES


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_each_script_says_its_version_and_the_version_is_in_one_place(path: Path) -> None:
    said = subprocess.run([sys.executable, path, "--version"], capture_output=True, text=True, check=True).stdout
    assert said == f"drive2cloudinary {drive2cloudinary.__version__}\n"
    assert re.escape(drive2cloudinary.__version__) not in (ROOT / "pyproject.toml").read_text()
