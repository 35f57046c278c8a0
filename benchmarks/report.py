"""What the report of many images costs: `python -m benchmarks.report`, or `make bench-report`.

The results folder is made up (tests/synthetic.py). Its markers are merged by the script that a run calls; then the
report is opened from its file in a fresh, headless Chromium, and its list is filtered and sorted. Each time in the
browser lasts until the images that were asked for are drawn, and is the middle one of several.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, Page

from benchmarks.measuring import cost_of
from benchmarks.workbench import ROOT, heading, row
from tests.browser import chromium
from tests.synthetic import results, some_names

TIMES = 5
UNTIL_DRAWN = """async ([id, value, event]) => {
    const begun = performance.now();
    const found = document.getElementById("count").textContent;
    const field = document.getElementById(id);
    field.value = value;
    field.dispatchEvent(new Event(event));
    while (id === "search" && document.getElementById("count").textContent === found) {
        await new Promise((resolve) => setTimeout(resolve));
    }
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    return (performance.now() - begun) / 1000;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000, help="images in the results folder")
    images: int = parser.parse_args().images
    with tempfile.TemporaryDirectory() as home:
        # In a process of its own: what is started by a large process counts as large.
        made = get_context("spawn").Process(target=results, args=(Path(home), some_names(images)))
        made.start()
        made.join()
        listing = Path(home, "listing.json")
        merged = cost_of([sys.executable, ROOT / "scripts" / "merge_markers.py", listing], Path(home), {**os.environ})
        report = listing.with_name("report.html")
        heading("measure", "wanted", "measured")
        what = f"{merged.seconds:.1f} s (CPU {merged.cpu_seconds:.1f} s), {merged.largest_bytes / 1e6:,.0f} MB"
        row(f"mapping, orphans and report of {images:,} images", "≤ 15 s, ≤ 250 MB", what)
        row("report.html", "≤ 10 MB", f"{report.stat().st_size / 1e6:.1f} MB")
        with chromium() as browser:
            opening = median(opened(browser, report)[1] for _ in range(TIMES))
            row("opening it", "≤ 3 s", f"{opening:.1f} s")
            page, _ = opened(browser, report)
            measure(page, "by a status", "status", ["failed", ""])
            measure(page, "by a folder", "folder", ['{"path":"Family"}', ""])
            measure(page, "by two words, after 0.15 s in which no key was pressed", "search", ["kyoto 9", "oslo 7"])
            sorts = ["bytes true", "uploaded false", "name false", "name true"]
            measure(page, "sorting it by size, time or name, for the first time", "sort", sorts)


def opened(browser: Browser, report: Path) -> tuple[Page, float]:
    """A page that shows the report, and the seconds from its address to its images."""
    page = browser.new_context(offline=True, viewport={"width": 1400, "height": 1000}).new_page()
    begun = time.perf_counter()
    page.goto(report.as_uri())
    page.locator("#gallery li").first.wait_for()
    seconds = time.perf_counter() - begun
    return page, seconds


def measure(page: Page, what: str, field: str, values: list[str]) -> None:
    """Print how long it takes to set a field of the list to one of these values."""
    event = "input" if field == "search" else "change"
    seconds = median(page.evaluate(UNTIL_DRAWN, [field, value, event]) for value in values)
    row(what if field == "sort" else f"filtering it {what}", "≤ 0.3 s", f"{seconds:.2f} s")


if __name__ == "__main__":
    main()
