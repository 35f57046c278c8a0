"""What import-linter does not see: the scripts lie in no package. `make lint` checks the arrows between the rooms."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

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


def test_nothing_imports_a_script() -> None:
    modules = (ROOT / "scripts").rglob("*.py")
    assert {path.name: found for path in modules if (found := imported(path) & NAMES)} == {}


def test_each_script_says_its_version_and_the_version_is_in_one_place() -> None:
    line = f"drive2cloudinary {drive2cloudinary.__version__}\n"
    said = {path: subprocess.check_output([sys.executable, path, "--version"], text=True) for path in SCRIPTS}
    assert said == dict.fromkeys(SCRIPTS, line)
    assert drive2cloudinary.__version__ not in (ROOT / "pyproject.toml").read_text()
