"""What README.md and the pages in docs/ say is there: tests, links, settings, rooms."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from tests.harness import ROOT

README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = [README, *sorted(DOCS.glob("*.md"))]
PACKAGE = ROOT / "scripts" / "drive2cloudinary"


def test_each_test_that_is_named_exists() -> None:
    named = [found for page in PAGES for found in re.findall(r"(tests/[\w/]+\.py)(?:::(\w+))?", page.read_text())]
    assert [f"{path}::{name}" for path, name in named if not _is_there(ROOT / path, name)] == []


def test_the_guarantees_name_a_test_each() -> None:
    promises = _table((DOCS / "guarantees.md").read_text(), 3)
    assert promises and [row for row in promises if "::test_" not in row[2]] == []


def test_each_relative_link_leads_to_a_file_and_a_heading() -> None:
    links = [(page, link) for page in PAGES for link in re.findall(r"\]\(([^)\s]+)\)", _prose(page.read_text()))]
    assert [
        f"{page.name}: {link}" for page, link in links if "://" not in link and not _leads_somewhere(page, link)
    ] == []


def test_the_readme_is_one_page_that_leads_to_all_others() -> None:
    text = README.read_text()
    assert len(text.splitlines()) <= 120
    assert [page.name for page in PAGES[1:] if f"](docs/{page.name})" not in text] == []


def test_the_settings_have_the_names_defaults_and_limits_that_hold() -> None:
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    schema: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "config.schema.yaml").read_text())["properties"]
    rows = {name.strip("`"): (default, values) for name, default, values, _ in _table(_page("settings"), 4)}
    assert list(rows) == list(schema)
    assert {name: yaml.safe_load(default.strip("`")) for name, (default, _) in rows.items()} == config
    assert {name: rule["default"] for name, rule in schema.items() if rule.get("default")}.items() <= config.items()
    limits = {name: [str(rule[key]) for key in LIMITS if key in rule] for name, rule in schema.items()}
    assert {name: re.findall(r"\d+", values) for name, (_, values) in rows.items()} == limits


LIMITS = ("exclusiveMinimum", "minimum", "maximum")


def test_the_columns_and_statuses_of_the_mapping_are_those_of_the_code() -> None:
    from drive2cloudinary.results.mapping import COLUMNS, STATUSES

    named = [row[0].strip("`") for row in _table(_section(_page("results"), "The mapping"), 2)]
    assert named == [*COLUMNS, *STATUSES]


def test_the_readme_shows_a_mapping_with_the_columns_of_the_code() -> None:
    from drive2cloudinary.results.mapping import COLUMNS

    lines = _section(README.read_text(), "What comes out").partition("```\n")[2].partition("```")[0].splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert [len(line.split(",")) for line in lines] == [len(COLUMNS)] * 5


def test_the_rooms_import_what_the_drawing_says() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    drawing = re.findall(r"^ +(\w+) --> (\w+)$", _section(_page("architecture"), "The rooms"), re.M)
    assert {room for arrow in drawing for room in arrow} == {*rooms, "ground"}
    assert _closure(drawing) == _closure(_imports(rooms))


def _imports(rooms: set[str]) -> set[tuple[str, str]]:
    """The arrows between rooms, by what the modules import."""
    arrows = set()
    for path in PACKAGE.rglob("*.py"):
        here = path.relative_to(PACKAGE).parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE.name):
                # Of `from drive2cloudinary import x`, x is the module.
                there = [*(node.module or "").split("."), node.names[0].name][1]
                arrows.add(tuple(each if each in rooms else "ground" for each in (here, there)))
    return {(here, there) for here, there in arrows if here != there}


def _closure(arrows: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """All pairs of which the second can be reached from the first."""
    reached = set(arrows)
    while True:
        more = {(a, d) for (a, b), (c, d) in product(reached, reached) if b == c} - reached
        if not more:
            return reached
        reached |= more


def _page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text()


def _section(text: str, title: str) -> str:
    """What stands under a heading of the second level, up to the next one."""
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def _table(text: str, columns: int) -> list[list[str]]:
    """The rows of all tables with so many columns, without their headings."""
    lines = text.splitlines()
    rules = {number for number, line in enumerate(lines) if re.fullmatch(r"\|( --- \|)+", line)}
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for number, line in enumerate(lines)
        if line.startswith("| ") and number not in rules and number + 1 not in rules
    ]
    return [row for row in rows if len(row) == columns]


def _prose(text: str) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.M | re.S)


def _leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path) if path else page
    return target.exists() and (not anchor or anchor in _anchors(target.read_text()))


def _anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", _prose(text), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _is_there(path: Path, name: str) -> bool:
    return path.exists() and (not name or f"\ndef {name}(" in path.read_text())
