"""Reports to open, and the browser that opens them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Route

from drive2cloudinary.report.merging import merge_markers
from drive2cloudinary.results import listing, marker
from drive2cloudinary.results.run import Run, new_id
from tests import browser, needs
from tests.report.opened import Open, Opened
from tests.synthetic import results, some_names


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    needs.need(needs.BROWSER)
    with browser.chromium() as started:
        yield started


@pytest.fixture
def opened(chromium: Browser) -> Iterator[Open]:
    """Opens a report in a fresh browser context. `thumbnails` answers its requests; None: the network does."""
    contexts = []

    def open_it(report: Path, thumbnails: Callable[[Route], object] | None = None, **options: Any) -> Opened:
        context = chromium.new_context(**options)
        context.set_default_timeout(20_000)
        contexts.append(context)
        if thumbnails:
            context.route("https://**", thumbnails)
        seen = Opened(context.new_page(), report)
        if options.get("java_script_enabled", True):
            # The list is unpacked after the page has loaded.
            seen.page.locator("#images").wait_for()
        return seen

    yield open_it
    for context in contexts:
        context.close()


@pytest.fixture(scope="package")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of 10,000 images."""
    listed = results(tmp_path_factory.mktemp("many"), some_names(10_000))
    return listed.with_name("report.html")


@pytest.fixture(scope="package")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run that was stopped, with pending images and orphans."""
    listed = results(tmp_path_factory.mktemp("stopped"), some_names(100))
    folder, images = listed.parent, [image for image in listing.read(listed).images if not image.skipped]
    for number, image in enumerate(images[:20]):
        path = marker.path_of(folder, image.id, image.fingerprint)
        if not path.exists():
            continue
        if number % 2:
            gone = {**json.loads(path.read_text()), "drive": {**image.to_dict(), "id": f"gone{number}"}}
            marker.path_of(folder, f"gone{number}", image.fingerprint).write_text(json.dumps(gone))
        path.unlink()
    Run(folder).begin(new_id())
    Run(folder).note(stopped_because="the account is full: " + "long " * 40)
    merge_markers(listed.parent)
    return listed.with_name("report.html")
