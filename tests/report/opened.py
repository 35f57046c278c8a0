"""A report in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page

from tests.harness import wait_for
from tests.synthetic import results


class Opened:
    """A report in the browser, with what it has asked the network for, and said on the console, so far."""

    def __init__(self, page: Page, report: Path) -> None:
        self.page = page
        self.asked: list[str] = []
        self.said: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("dialog", lambda dialog: self.said.append(dialog.message))
        page.goto(report.as_uri())

    def names(self) -> list[str]:
        """The images on the page of the list that is shown."""
        return self.page.locator("#images .name bdi, #gallery .name").all_inner_texts()

    def count(self) -> str:
        return self.page.locator("#count").inner_text()

    def search(self, text: str) -> None:
        """Type into the search field, and wait for what it finds."""
        before = self.count()
        self.page.fill("#search", text)
        wait_for(lambda: self.count() != before)

    def state(self) -> str:
        return self.page.locator(".state").inner_text()

    def as_table(self) -> None:
        self.page.check("[name=view][value=table]")

    def quiet(self) -> bool:
        """Nothing on the console, but for what the browser itself says of a thumbnail that cannot be loaded."""
        return all(line.startswith("Failed to load resource: ") for line in self.said)


Open = Callable[..., Opened]


def written(folder: Path, files: list[tuple[str, str]]) -> Path:
    """The report of such a results folder."""
    listed = results(folder, files)
    return listed.with_name("report.html")
