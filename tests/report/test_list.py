"""Finding images in report.html: folders, search, filters, order, pages."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from drive2cloudinary.report.folders import ByFolder
from drive2cloudinary.report.natural import natural
from drive2cloudinary.results.mapping import Row
from tests.report.opened import Open, Opened, written
from tests.synthetic import some_names

# One browser serves them all, in one process.
pytestmark = pytest.mark.xdist_group("report")


def test_folders_have_counts_and_show_their_images(many: Path, opened: Open) -> None:
    seen = opened(many, thumbnails=lambda route: None)
    page, rows = seen.page, json.loads(many.with_name("mapping.json").read_text())
    names = [row.get_by_role("button").get_attribute("aria-label") for row in page.locator("#folders tbody tr").all()]
    assert names == [
        "not in a subfolder",
        "Family",
        "Family/Garden",
        "Family/Holiday 2024",
        "Kyoto 京都",
        "Lisbon",
        "Oslo",
        "Work",
        "Work/Posters",
    ]
    headers = page.locator("#folders thead th").all_inner_texts()
    assert headers == ["Folder", "uploaded", "existing", "failed", "skipped", "images", "size in Drive"]
    family = [row for row in rows if row["folder_path"].startswith("Family/")]
    counts = Counter(row["status"] for row in family)
    cells = page.locator("#folders tbody tr").nth(1).get_by_role("cell").all_inner_texts()
    assert cells[:-1] == [f"{number:,}" for number in [*(counts[status] for status in headers[1:5]), len(family)]]
    assert cells[-1] == f"{sum(row['bytes'] for row in family) / 1e9:.3g} GB"

    page.select_option("#status", "failed")
    seen.as_table()
    page.locator("#folders").get_by_role("button", name="Family", exact=True).click()
    assert seen.count().startswith(f"{len(family):,} of 10,000 images")
    assert page.locator("#table tbody tr").count() == 60, "the table stays one"
    assert page.locator("#folders tr.shown [aria-pressed=true]").get_attribute("aria-label") == "Family"
    page.locator("#folders").get_by_role("button", name="not in a subfolder").click()
    assert seen.count().startswith(f"{sum(not row['folder_path'] for row in rows):,} of 10,000 images")
    page.select_option("#folder", "")
    assert not page.locator("#folders tr.shown").count()


def test_of_many_subfolders_the_first_are_shown_until_all_are_wanted(tmp_path: Path, opened: Open) -> None:
    names = [f"{number}/sub" for number in range(1, 31)]
    seen = opened(written(tmp_path / "results", [(name, "x.jpg") for name in names]), offline=True)
    rows = seen.page.locator("#folders tbody tr")
    assert rows.count() == 10 and rows.nth(3).get_by_role("button").get_attribute("aria-label") == "2/sub"
    seen.page.get_by_role("button", name="Show all 60 folders").click()
    assert rows.count() == 60
    rows.last.get_by_role("button", name="30/sub").click()
    assert seen.count() == "1 of 30 images"


def test_folders_count_what_lies_below_them() -> None:
    tally = ByFolder()
    for folders, status, size in [
        ((), "failed", None),
        (("a", "10"), "uploaded", 5),
        (("a", "9"), "pending", 7),
        (("a b",), "skipped", 1),
        (("a/9",), "uploaded", 2),
        (("",), "uploaded", 3),
    ]:
        tally.add(Row("", "", "", status, "", "/".join(folders), "", "", "", size, None), folders)
    found = {path: (dict(each.images), each.bytes) for path, each in tally.counts().items()}
    assert list(found.items()) == [
        ((), ({"failed": 1}, 0)),
        (("",), ({"uploaded": 1}, 3)),
        (("a",), ({"uploaded": 1, "pending": 1}, 12)),
        (("a", "9"), ({"pending": 1}, 7)),
        (("a", "10"), ({"uploaded": 1}, 5)),
        (("a b",), ({"skipped": 1}, 1)),
        (("a/9",), ({"uploaded": 1}, 2)),
    ]


@pytest.fixture
def ten_thousand(many: Path, opened: Open) -> tuple[Opened, list[dict[str, Any]]]:
    """A report of 10,000 images, in which no thumbnail is answered, and the rows of its mapping."""
    return opened(many, thumbnails=lambda route: None), json.loads(many.with_name("mapping.json").read_text())


def test_ten_thousand_images_are_shown_page_by_page(
    many: Path, ten_thousand: tuple[Opened, list[dict[str, Any]]]
) -> None:
    seen, rows = ten_thousand
    page = seen.page
    assert many.stat().st_size < 700_000
    assert seen.count() == "10,000 images, 1 to 60 shown" and len(seen.names()) == 60
    pictures = (
        "[...document.querySelectorAll('#gallery .picture')].map(each => each.firstChild.loading ?? each.innerText)"
    )
    moved = ("uploaded", "existing")
    assert page.evaluate(pictures) == ["lazy" if row["status"] in moved else row["status"] for row in rows[:60]]
    assert seen.names() == [row["filename"] for row in rows[:60]], "in the mapping's order"
    page.fill("#page", "167")
    page.locator("#page").press("Enter")
    assert seen.count() == "10,000 images, 9,961 to 10,000 shown"
    assert seen.names() == [row["filename"] for row in rows[9960:]]
    page.get_by_role("button", name="Next").click(force=True)
    assert page.input_value("#page") == "167", "there is no next page"
    page.get_by_role("button", name="Previous").click()
    assert page.input_value("#page") == "166"
    assert seen.quiet(), seen.said
    assert all(url.startswith(("file:", "https://res.cloudinary.com/")) for url in seen.asked)


def test_ten_thousand_images_are_searched_and_filtered(ten_thousand: tuple[Opened, list[dict[str, Any]]]) -> None:
    seen, rows = ten_thousand
    page = seen.page
    failed = [row for row in rows if row["status"] == "failed"]
    page.select_option("#status", "failed")
    assert seen.count() == f"{len(failed)} of 10,000 images, 1 to 60 shown"
    seen.search("KYOTO invalid")
    assert seen.names() == [
        row["filename"] for row in failed if "Kyoto" in row["folder_path"] and "Invalid" in row["error"]
    ]
    page.select_option("#status", "")
    seen.search("")
    for folder in ("Family", "Family/Garden"):
        below = sum(f"{row['folder_path']}/".startswith(f"{folder}/") for row in rows)
        page.select_option("#folder", label=f"{folder} ({below:,})")
        assert seen.count().startswith(f"{below:,} of "), "with what lies in its subfolders"
    seen.search("no such image")
    assert seen.count() == "0 of 10,000 images: nothing matches" and not seen.names()
    page.locator(".cause", has_text="Cloudinary can read").get_by_role("button").click()
    shown = page.locator("#table tbody tr")
    assert shown.count() == min(60, sum("Invalid image file" in row["error"] for row in failed))
    assert set(page.locator("#table tbody .status").all_inner_texts()) == {"failed"}


def test_ten_thousand_images_are_sorted(ten_thousand: tuple[Opened, list[dict[str, Any]]]) -> None:
    seen, rows = ten_thousand
    page = seen.page
    seen.as_table()
    page.get_by_role("button", name="Size").click()
    page.get_by_role("button", name="Size").click()
    sizes = {row["filename"]: row["bytes"] for row in rows}
    assert seen.names() == sorted(sizes, key=lambda name: -sizes[name])[:60], "the largest first"
    page.get_by_role("columnheader", name="Name").get_by_role("button").click()
    by_name = sorted(sizes, key=natural)[:60]
    assert seen.names() == by_name, "number by number, in upper or lower case"
    page.get_by_label("Gallery").check()
    assert page.locator("#gallery .picture").count() == 60 and seen.names() == by_name


def test_a_thumbnail_that_cannot_be_loaded_gives_way_to_words(many: Path, opened: Open) -> None:
    page = opened(many, thumbnails=lambda route: route.abort()).page
    page.locator("#gallery").scroll_into_view_if_needed()
    page.get_by_text("no thumbnail: ").first.wait_for()


@pytest.mark.parametrize("clipboard", ["there", "missing", "refused"])
def test_a_url_is_copied(clipboard: str, tmp_path: Path, opened: Open) -> None:
    report = written(tmp_path / "results", some_names(3))
    url = json.loads((tmp_path / "results" / "mapping.json").read_text())[1]["cloudinary_url"]
    seen = opened(report, thumbnails=lambda route: None, permissions=["clipboard-read", "clipboard-write"])
    page = seen.page
    if clipboard != "there":
        page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    if clipboard == "refused":
        page.evaluate("document.execCommand = () => false")
    button = page.locator("#gallery li").nth(1).get_by_role("button")
    # What says so is there for two seconds: for how long a machine takes to look, they do not begin to pass.
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    button.click()
    field = page.locator("input.url")
    if clipboard == "refused":
        assert page.evaluate("getSelection().toString()") == url == field.input_value()
        page.keyboard.press("Control+C")
        page.keyboard.press("Tab")
    else:
        button.get_by_text("Copied").wait_for()
        assert page.get_by_role("status").get_by_text("Copied the URL of").count() == 1
        page.clock.run_for(2000)
        button.get_by_text("Copy URL").wait_for()
    assert not field.count()
    page.locator("#search").focus()
    page.keyboard.press("Control+V")
    assert page.input_value("#search") == url
    assert seen.quiet(), seen.said
