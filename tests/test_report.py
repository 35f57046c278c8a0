"""report.html, in a real browser: what it shows of a run, finding images in it, and what it never does."""

from __future__ import annotations

import base64
import json
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route

from drive2cloudinary.report.folders import ByFolder
from drive2cloudinary.report.mapping import Row
from drive2cloudinary.report.merging import merge_markers
from drive2cloudinary.report.natural import natural
from drive2cloudinary.results import listing, marker
from drive2cloudinary.results.failure import Failure
from drive2cloudinary.results.run import Run
from tests import browser, needs
from tests.emulator.pictures import flat_jpeg
from tests.harness import Workspace, wait_for
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


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    needs.need(needs.BROWSER)
    with browser.chromium() as started:
        yield started


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


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of 10,000 images."""
    listed = results(tmp_path_factory.mktemp("many"), some_names(10_000))
    return listed.with_name("report.html")


@pytest.fixture(scope="module")
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
    Run(folder).stop_because("the account is full: " + "long " * 40)
    merge_markers(listed)
    return listed.with_name("report.html")


def written(folder: Path, files: list[tuple[str, str]]) -> Path:
    """The report of such a results folder."""
    listed = results(folder, files)
    return listed.with_name("report.html")


def test_it_shows_what_came_of_a_run_also_of_one_that_failed(workspace: Workspace, opened: Open) -> None:
    cloud = workspace.cloud
    workspace.add("sea.jpg", "sky.jpg")
    (text,) = workspace.add("text.jpg", mime="image/jpeg", content_base64=base64.b64encode(b"no image").decode())
    (locked,) = workspace.add("locked.jpg", capabilities={"canDownload": False})
    workspace.run().failed()
    report = workspace.results / "report.html"
    seen = opened(report)
    page = seen.page
    assert "Photos" in page.title() and page.locator("h1").inner_text() == "Photos"
    assert page.locator("#outcome").inner_text() == "2 of 4 images are not in Cloudinary yet"
    assert seen.state() == "Complete: the run came to every image, and 2 failed"
    assert not page.locator("#orphans").count() and not page.locator("#folders").is_visible()
    assert page.locator(".counts div").all_inner_texts()[:4] == [
        f"{status}\n{count}" for status, count in (("uploaded", 2), ("existing", 0), ("failed", 2), ("skipped", 0))
    ]
    assert page.locator(".counts div").last.inner_text() == "in Cloudinary\n2.0 kB", "of 1,000 bytes each"
    causes = page.locator(".cause").all_inner_texts()
    assert "not an image that Cloudinary can read" in causes[0] and "text.jpg" in causes[0]
    assert "exclude" in causes[0] and "Invalid image file" in causes[0]
    assert "Ask the owner" in causes[1] and "locked.jpg" in causes[1]
    page.locator("#gallery").scroll_into_view_if_needed()
    # Not wait_for_function, whose polling needs an eval that the page's policy forbids.
    wait_for(lambda: page.evaluate("[...document.images].every(image => image.naturalWidth === 320)"))
    assert page.locator("#gallery img").count() == 2
    thumbnails = [url for url in seen.asked if not url.startswith("file:")]
    assert len(thumbnails) == 2 and all("/image/upload/c_fill,w_320,h_240,f_auto,q_auto/v" in url for url in thumbnails)
    cloudinary = {urlsplit(row["cloudinary_url"]).netloc for row in workspace.mapping() if row["status"] == "uploaded"}
    assert {urlsplit(url).netloc for url in thumbnails} == cloudinary
    assert page.locator("figure").count() == 3 and page.locator("figure canvas").count() == 3
    assert "Download: half took at most" in page.locator("#latency figcaption").inner_text()
    seen.as_table()
    row = page.locator("#table tbody tr", has_text="sea.jpg")
    moved = next(row for row in workspace.mapping() if row["filename"] == "sea.jpg")
    links = [link.get_attribute("href") for link in row.get_by_role("link").all()]
    assert links == [
        moved["cloudinary_url"],
        moved["jpg_url"],
        f"https://drive.google.com/file/d/{moved['file_id']}/view",
    ]
    assert page.get_by_role("link", name="mapping.csv").get_attribute("href") == "mapping.csv"
    assert not seen.said

    cloud.drive("trash", id=text)
    cloud.drive("set", id=locked, capabilities={"canDownload": True})
    workspace.run().succeeded()
    seen = opened(report)
    assert seen.page.locator("#outcome").inner_text() == "Every image is in Cloudinary"
    assert not seen.page.locator("#failures").count() and not seen.page.get_by_label("Cause").is_visible()
    dry = workspace.dry_run()
    assert "0 of 3 images to move" in dry.said and "merge_markers" not in dry.said

    before = len(cloud.log())
    workspace.run("--report", "snakemake.zip").succeeded()
    with zipfile.ZipFile(workspace.path / "snakemake.zip") as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/raw/report.html") or "/data/raw/" in name)
        assert archive.read(name) == report.read_bytes()
        assert "gallery" in archive.read("snakemake/report.html").decode(), "the caption"
    assert len(cloud.log()) == before and not workspace.workers(), "to look at a run begins none"


def test_it_says_how_the_run_ended_and_what_has_left_drive(workspace: Workspace, opened: Open) -> None:
    cloud = workspace.cloud
    sub = cloud.drive("folder", name="Sub <b>")
    numbered = ["photo 1.jpg", "Photo 2.jpg", "photo 12.jpg"]
    workspace.add(*numbered)
    (gone,) = workspace.add("gone & away.jpg", parent=sub)
    workspace.run().succeeded()
    report = workspace.results / "report.html"
    seen = opened(report)
    assert seen.names() == [*numbered, "gone & away.jpg"], "in natural order"
    assert [row["filename"] for row in workspace.mapping()] == [
        "Photo 2.jpg",
        "photo 1.jpg",
        "photo 12.jpg",
        "gone & away.jpg",
    ]
    assert seen.state() == "Complete: the run came to every image" and not seen.page.locator("#orphans").count()
    url = next(row["cloudinary_url"] for row in workspace.mapping() if row["file_id"] == gone)

    cloud.drive("trash", id=gone)
    workspace.add(*(f"late {number}.jpg" for number in range(3)))
    moment = datetime.now(UTC) + timedelta(hours=1)
    message = f"Rate Limit Exceeded. Limit of 9 api operations reached. Try again on {moment:%Y-%m-%d %H:%M:%S} UTC"
    limit = {"error": {"status": 420, "reason": "", "message": message}}
    cloud.faults([{"on": "cloudinary.upload", "match": None, "times": None, "skip": 1, "do": limit}])
    workspace.run(cores=1).failed()
    seen = opened(report)
    assert seen.state().startswith(f"Stopped: {Run(workspace.results).stopped_because}")
    assert f"after {moment.astimezone():%Y-%m-%d %H:%M}" in seen.state()
    assert "2 images are pending: run the same command again" in seen.state()
    orphan = seen.page.locator("#orphans tbody tr")
    assert [each.inner_text() for each in orphan.get_by_role("cell").all()][:2] == ["gone & away.jpg", "Sub <b>"]
    assert orphan.get_by_role("link").get_attribute("href") == url
    assert seen.page.get_by_role("link", name="Orphans", exact=True).is_visible()

    cloud.reset()
    workspace.run().succeeded()
    seen = opened(report)
    assert seen.state() == "Complete: the run came to every image" and orphan.count() == 1


def test_of_many_folders_each_says_that_the_run_was_stopped(workspace: Workspace, opened: Open) -> None:
    folders = [workspace.cloud.drive("folder", name=name) for name in "ab"]
    for folder in folders:
        workspace.add(f"{folder}.jpg", parent=folder)
    (workspace.path / "folders.csv").write_text("\n".join(["link", *folders]))
    error = {"error": {"status": 401, "reason": "", "message": "Invalid Signature"}}
    workspace.cloud.faults([{"on": "cloudinary.upload", "match": None, "times": None, "do": error}])
    workspace.run(folder_id=None, folders="folders.csv").failed()
    for folder in folders:
        assert opened(workspace.path / "results" / folder / "report.html").state().startswith("Stopped: ")


def test_a_run_that_was_interrupted_says_so(tmp_path: Path, opened: Open) -> None:
    report = written(tmp_path / "results", some_names(30))
    for path in sorted((report.parent / "markers").iterdir())[:2]:
        path.unlink()
    merge_markers(report.with_name("listing.json"))
    seen = opened(report, offline=True)
    assert seen.state().startswith("Interrupted: the run ended before it came to every image\n2 images are pending")


def test_what_has_no_thumbnail_says_why(workspace: Workspace, opened: Open) -> None:
    kinds = {
        "large.jpg": ("image/jpeg", flat_jpeg(6000, 4300)),
        "paper.pdf": ("application/pdf", b"%PDF-1.7\n"),
        "stored.djvu": ("image/vnd.djvu", b"AT&TFORM"),
    }
    for name, (mime, content) in kinds.items():
        workspace.add(name, mime=mime, content_base64=base64.b64encode(content).decode())
    workspace.add("usual.jpg")
    workspace.run(include="*").succeeded()
    seen = opened(workspace.results / "report.html")
    seen.page.locator("#gallery").scroll_into_view_if_needed()
    whys = [
        "25.8 megapixels, a free plan converts up to 25",
        "a free Cloudinary account delivers no PDF, unless it is set to",
        "Cloudinary only stores DJVU",
    ]
    pictures = seen.page.locator("#gallery .picture")
    wait_for(lambda: pictures.all_inner_texts() == [*(f"no thumbnail: {why}" for why in whys), ""])
    assert len([url for url in seen.asked if not url.startswith("file:")]) == 3, "none for what is only stored"
    links = [link.get_attribute("href") for link in seen.page.locator("#gallery a").all()]
    assert links == [row["cloudinary_url"] for row in workspace.mapping()], "the originals"


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
    button.click()
    field = page.locator("input.url")
    if clipboard == "refused":
        assert page.evaluate("getSelection().toString()") == url == field.input_value()
        page.keyboard.press("Control+C")
        page.keyboard.press("Tab")
    else:
        button.get_by_text("Copied").wait_for()
        assert page.get_by_role("status").get_by_text("Copied the URL of").count() == 1
        button.get_by_text("Copy URL").wait_for()
    assert not field.count()
    page.locator("#search").focus()
    page.keyboard.press("Control+V")
    assert page.input_value("#search") == url
    assert seen.quiet(), seen.said


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
    for path, status, size in [
        ("", "failed", None),
        ("a/10", "uploaded", 5),
        ("a/9", "pending", 7),
        ("a b", "skipped", 1),
    ]:
        tally.add(Row("", "", "", status, "", path, "", "", "", size, None))
    found = {path: (dict(each.images), each.bytes) for path, each in tally.counts().items()}
    assert list(found.items()) == [
        ("", ({"failed": 1}, 0)),
        ("a", ({"uploaded": 1, "pending": 1}, 12)),
        ("a/9", ({"pending": 1}, 7)),
        ("a/10", ({"uploaded": 1}, 5)),
        ("a b", ({"skipped": 1}, 1)),
    ]


def test_an_old_browser_says_where_the_list_is(tmp_path: Path, chromium: Browser) -> None:
    page = chromium.new_page()
    page.add_init_script("delete window.DecompressionStream")
    page.goto(written(tmp_path / "results", some_names(10)).as_uri())
    page.locator("#unreadable").get_by_role("link", name="mapping.csv").wait_for()
    assert page.locator(".counts").is_visible() and not page.locator("#images").is_visible()
    page.close()


def test_ten_thousand_images_are_searched_filtered_sorted_and_paged(many: Path, opened: Open) -> None:
    assert many.stat().st_size < 700_000
    # The browser chooses how many thumbnails it asks for, and one that fails gives way to words: so none is answered.
    seen = opened(many, thumbnails=lambda route: None)
    page = seen.page
    assert seen.count() == "10,000 images, 1 to 60 shown" and len(seen.names()) == 60
    rows = json.loads(many.with_name("mapping.json").read_text())
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
    page.select_option("#cause", "")
    page.get_by_role("button", name="Size").click()
    page.get_by_role("button", name="Size").click()
    sizes = {row["filename"]: row["bytes"] for row in rows}
    assert seen.names() == sorted(sizes, key=lambda name: -sizes[name])[:60], "the largest first"
    page.get_by_role("columnheader", name="Name").get_by_role("button").click()
    assert seen.names() == sorted(sizes, key=natural)[:60], "number by number, in upper or lower case"
    assert seen.quiet(), seen.said
    assert all(url.startswith(("file:", "https://res.cloudinary.com/")) for url in seen.asked)
    page.context.route("https://**", lambda route: route.abort())
    page.get_by_label("Gallery").check()
    page.locator("#gallery").scroll_into_view_if_needed()
    page.get_by_text("no thumbnail: ").first.wait_for(timeout=60_000)


def test_hostile_names_show_as_text(tmp_path: Path, opened: Open) -> None:
    names = [*HOSTILE, *ATTACKS]
    listed = results(tmp_path / "results", [(name, name) for name in names])
    folder = listed.parent
    whole = listing.read(listed)
    replace(whole, folder=ATTACKS[1]).write(listed)
    Failure(f"{ATTACKS[1]}\n{ATTACKS[2]}", "2026-03-14T09:26:00+00:00").write(folder, whole.images[0].id)
    Run(folder).stop_because(ATTACKS[0])
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
    merge_markers(listed)
    statuses = {row["file_id"]: row["status"] for row in json.loads((folder / "mapping.json").read_text())}
    assert [statuses[image.id] for image in moved[:3]] == ["pending", "pending", "uploaded"]
    seen = opened(folder / "report.html", offline=True)
    page = seen.page
    assert page.locator("h1").inner_text() == ATTACKS[1] == page.locator("#orphans tbody a").inner_text()
    assert ATTACKS[0] in seen.state()
    seen.as_table()
    text = page.locator("#table").inner_text()
    for name in ATTACKS[:-3]:
        assert name in text
    assert "left⟨U+202E⟩gpj.to right.jpg" in text and "new⟨U+000A⟩line.jpg" in text
    assert "line⟨U+2028⟩paragraph⟨U+2029⟩.jpg" in text and "emoji 👨‍👩‍👧 🎉.jpg" in text
    assert f"{'x' * 300}.jpg" in text
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    links = page.evaluate("[...document.links].map(link => link.href)")
    beside = folder.as_uri()
    assert len(links) > 2 * len(names) - 10
    assert all(
        link.startswith(("https://res.cloudinary.com/demo/", "https://drive.google.com/", beside)) for link in links
    )
    opened_elsewhere = page.locator("a[target=_blank]")
    assert opened_elsewhere.count() == page.locator("a[target=_blank][rel~=noopener]").count() > 0
    assert page.evaluate("document.scripts.length") == 2 and page.evaluate("typeof hacked") == "undefined"
    page.get_by_label("Gallery").check()
    assert page.locator("#gallery li").count() == len(names)
    assert page.evaluate("typeof hacked") == "undefined" and seen.quiet(), seen.said
    assert all(url.startswith(("file:", "https://res.cloudinary.com/demo/")) for url in seen.asked)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("report", ["many", "stopped"])
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


def test_markers_of_an_older_version_and_an_empty_folder_have_their_report_too(tmp_path: Path, opened: Open) -> None:
    report = written(tmp_path / "old", some_names(10))
    for path in (report.parent / "markers").iterdir():
        old = json.loads(path.read_text())
        del old["seconds"]
        path.write_text(json.dumps(old))
        read = marker.read(path)
        assert read and "seconds" not in json.loads(read.to_json())
    merge_markers(report.with_name("listing.json"))
    seen = opened(report, offline=True)
    assert [each.get_attribute("id") for each in seen.page.locator("figure").all()] == ["over-time", "sizes"]
    assert seen.quiet()

    seen = opened(written(tmp_path / "empty", []))
    assert seen.page.locator("#outcome").inner_text() == "There are no images in this folder"
    assert seen.count() == "0 images" and not seen.page.locator("#plots").is_visible() and not seen.said
