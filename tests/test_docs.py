"""What the pages in docs/ say is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_test_that_is_named_exists(page: Path) -> None:
    named = re.findall(r"(tests/[\w/]+\.py)(?:::(\w+))?", page.read_text())
    assert [f"{path}::{name}" for path, name in named if not _is_there(ROOT / path, name)] == []


def test_the_guarantees_name_a_test_each() -> None:
    rows = [line for line in (ROOT / "docs" / "guarantees.md").read_text().splitlines() if line.startswith("| ")]
    promises = [row for row in rows if not row.startswith(("| promise", "| ---"))]
    assert promises and [row for row in promises if "::test_" not in row] == []


def _is_there(path: Path, name: str) -> bool:
    return path.exists() and (not name or f"\ndef {name}(" in path.read_text())
