"""report.html for everybody: hostile names, keyboards and screen readers, old browsers, no JavaScript."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from drive2cloudinary.report.merging import merge_markers
from drive2cloudinary.results import listing, marker
from drive2cloudinary.results.failure import Failure
from drive2cloudinary.results.run import Run, new_id
from tests.harness import wait_for
from tests.report.opened import Open, written
from tests.synthetic import results, some_names
from tests.test_names import HOSTILE

# One browser serves them all, in one process.
pytestmark = pytest.mark.xdist_group("report")


ATTACKS = [
    "<script>hacked=1</script>.jpg",
    "</script><script>hacked=1</script>.jpg",
    '"><img src=x onerror=hacked=1>.jpg',
    "' onmouseover='hacked=1'.jpg",
    "<!--<script>.jpg",
    "]]>&lt;b&amp;.jpg",
    "javascript:hacked=1",
    "{{ 7*7 }} ${7*7}.jpg",
    "line\u2028paragraph\u2029.jpg",
    "right to left שלום.jpg",
    f"{'x' * 300}.jpg",
]


NAMES = [*HOSTILE, *ATTACKS]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run in which every text is hostile: names, URLs, errors, orphans, why it was stopped."""
    listed = results(tmp_path_factory.mktemp("hostile") / "results", [(name, name) for name in NAMES])
    folder = listed.parent
    whole = listing.read(listed)
    replace(whole, folder=ATTACKS[1]).write(listed)
    Failure(f"{ATTACKS[1]}\n{ATTACKS[2]}", "2026-03-14T09:26:00+00:00").write(folder, whole.images[0].id)
    Run(folder).begin(new_id())
    Run(folder).note(stopped_because=ATTACKS[0])
    moved = [image for image in whole.images if not image.skipped][1:]
    urls = ["javascript:hacked=1//upload/x", "data:text/html,<script>/upload/x", "https://x;img-src*/upload/x"]
    changes: list[dict[str, Any]] = [
        {"cloudinary": {"public_id": "x", "secure_url": url}, "jpg_url": url} for url in urls
    ]
    for image, change in zip(moved, [*changes, {"remark": f"{ATTACKS[0]}{ATTACKS[2]}"}], strict=False):
        path = marker.path_of(folder, image.id, image.fingerprint)
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    gone = {**json.loads(path.read_text()), "drive": {**moved[3].to_dict(), "id": "gone", "name": ATTACKS[1]}}
    (folder / "markers" / f"gone.{moved[3].fingerprint}.json").write_text(json.dumps(gone))
    merge_markers(listed.parent)
    statuses = {row["file_id"]: row["status"] for row in json.loads((folder / "mapping.json").read_text())}
    assert [statuses[image.id] for image in moved[:3]] == ["pending", "pending", "uploaded"]
    return folder / "report.html"


def test_hostile_names_show_as_text(hostile: Path, opened: Open) -> None:
    seen = opened(hostile, offline=True)
    page = seen.page
    assert page.locator("h1").inner_text() == ATTACKS[1] == page.locator("#orphans tbody a").inner_text()
    assert ATTACKS[0] in seen.state()
    seen.as_table()
    text = page.locator("#table").inner_text()
    shown = [*ATTACKS[:-3], "left⟨U+202E⟩gpj.to right.jpg", "new⟨U+000A⟩line.jpg"]
    shown += ["line⟨U+2028⟩paragraph⟨U+2029⟩.jpg", "emoji 👨‍👩‍👧 🎉.jpg", f"{'x' * 300}.jpg"]
    assert [name for name in shown if name not in text] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_hostile_names_lead_nowhere_and_run_nothing(hostile: Path, opened: Open) -> None:
    seen = opened(hostile, offline=True)
    page = seen.page
    seen.as_table()
    ours = ("https://res.cloudinary.com/demo/", "https://drive.google.com/", hostile.parent.as_uri())
    links = page.evaluate("[...document.links].map(link => link.href)")
    assert len(links) > 2 * len(NAMES) - 10 and all(link.startswith(ours) for link in links)
    elsewhere = page.locator("a[target=_blank]")
    assert elsewhere.count() == page.locator("a[target=_blank][rel~=noopener]").count() > 0
    assert page.evaluate("document.scripts.length") == 2 and page.evaluate("typeof hacked") == "undefined"
    page.get_by_label("Gallery").check()
    assert page.locator("#gallery li").count() == len(NAMES)
    assert page.evaluate("typeof hacked") == "undefined" and seen.quiet(), seen.said
    assert all(url.startswith(("file:", "https://res.cloudinary.com/demo/")) for url in seen.asked)


# Each two of them meet.
@pytest.mark.parametrize(
    ("width", "scheme", "report"),
    [(360, "light", "many"), (360, "dark", "stopped"), (1400, "light", "stopped"), (1400, "dark", "many")],
)
def test_everybody_can_read_it(
    width: int, scheme: str, report: str, opened: Open, request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(report)
    seen = opened(path, offline=True, viewport={"width": width, "height": 800}, color_scheme=scheme)
    for view in ("gallery", "table"):
        seen.page.check(f"[name=view][value={view}]")
        for details in seen.page.locator("summary").all():
            details.click()
        found = Axe().run(seen.page)
        assert not found.violations_count, found.generate_report()
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width, "nothing sticks out"


def test_the_keyboard_and_a_screen_reader_get_everywhere(many: Path, opened: Open) -> None:
    seen = opened(many, offline=True)
    page = seen.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Skip to the images"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.type("kyoto")
    page.get_by_role("status").get_by_text("1,429 of 10,000 images").wait_for()
    for _ in range(5):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.value") == "gallery"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Name"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", "the focus is seen"
    name = page.get_by_role("columnheader", name="Name")
    assert name.get_attribute("aria-sort") == "none"
    page.keyboard.press("Enter")
    assert name.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Enter")
    assert name.get_attribute("aria-sort") == "descending"
    assert page.locator("#table").get_by_role("row").count() == 1 + 60
    assert {page.get_by_role(role).count() for role in ("banner", "main", "search")} == {1}
    for plot in page.locator("[role=img]").all():
        assert plot.evaluate("plot => document.getElementById(plot.getAttribute('aria-describedby')).innerText")


def test_plots_follow_the_scheme_and_the_width(many: Path, opened: Open) -> None:
    seen = opened(many, offline=True, color_scheme="light")
    canvas = "document.querySelector('canvas').toDataURL()"
    light = seen.page.evaluate(canvas)
    seen.page.emulate_media(color_scheme="dark")
    wait_for(lambda: seen.page.evaluate(canvas) != light)
    seen.page.set_viewport_size({"width": 360, "height": 700})
    wait_for(lambda: seen.page.evaluate("document.querySelector('canvas').clientWidth < 360"))
    assert seen.quiet()


def test_without_javascript_it_says_where_the_list_is(tmp_path: Path, opened: Open) -> None:
    report = written(tmp_path / "results", some_names(100))
    seen = opened(report, java_script_enabled=False)
    assert "needs JavaScript" in seen.page.locator("noscript").inner_text()
    assert seen.page.locator("noscript a").get_attribute("href") == "mapping.csv"
    assert seen.page.locator(".counts").is_visible() and seen.page.locator(".cause").first.is_visible()
    assert not seen.page.locator("#images").is_visible()


def test_an_old_browser_says_where_the_list_is(tmp_path: Path, chromium: Browser) -> None:
    page = chromium.new_page()
    page.add_init_script("delete window.DecompressionStream")
    page.goto(written(tmp_path / "results", some_names(10)).as_uri())
    page.locator("#unreadable").get_by_role("link", name="mapping.csv").wait_for()
    assert page.locator(".counts").is_visible() and not page.locator("#images").is_visible()
    page.close()
