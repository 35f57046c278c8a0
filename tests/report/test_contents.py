"""What report.html shows of a run."""

from __future__ import annotations

import base64
import json
import signal
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from drive2cloudinary.report.merging import merge_markers
from drive2cloudinary.results import marker
from drive2cloudinary.results.run import Run
from tests.emulator.client import Emulator
from tests.emulator.pictures import flat_jpeg
from tests.harness import PATIENCE, Workspace, wait_for
from tests.report.opened import Open, written
from tests.synthetic import some_names

# One browser serves them all, in one process.
pytestmark = pytest.mark.xdist_group("report")


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """After a run of four images, two of which failed."""
    folder = tmp_path_factory.mktemp("failed")
    (folder / "work").mkdir()
    with Emulator(folder / "Photos", folder / "cloud") as cloud:
        workspace = Workspace(folder / "work", cloud)
        workspace.add("sea.jpg", "sky.jpg")
        workspace.add("text.jpg", mime="image/jpeg", content_base64=base64.b64encode(b"no image").decode())
        workspace.add("locked.jpg", capabilities={"canDownload": False})
        workspace.run().failed()
        yield workspace


def test_it_shows_what_came_of_a_run_that_failed(failed: Workspace, opened: Open) -> None:
    seen = opened(failed.results / "report.html")
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
    assert "not in a form that Cloudinary can read" in causes[0] and "text.jpg" in causes[0]
    assert "exclude" in causes[0] and "Invalid image file" in causes[0]
    assert "Ask the owner" in causes[1] and "locked.jpg" in causes[1]
    assert page.locator("figure").count() == 3 and page.locator("figure canvas").count() == 3
    assert "Download: half took at most" in page.locator("#latency figcaption").inner_text()
    assert not seen.said


def test_it_shows_each_image_and_leads_to_it(failed: Workspace, opened: Open) -> None:
    seen, rows = opened(failed.results / "report.html"), failed.mapping()
    page = seen.page
    page.locator("#gallery").scroll_into_view_if_needed()
    # Not wait_for_function, whose polling needs an eval that the page's policy forbids.
    wait_for(lambda: page.evaluate("[...document.images].every(image => image.naturalWidth === 320)"))
    assert page.locator("#gallery img").count() == 2
    thumbnails = [url for url in seen.asked if not url.startswith("file:")]
    assert len(thumbnails) == 2 and all("/image/upload/c_fill,w_320,h_240,f_auto,q_auto/v" in url for url in thumbnails)
    cloudinary = {urlsplit(row["cloudinary_url"]).netloc for row in rows if row["status"] == "uploaded"}
    assert {urlsplit(url).netloc for url in thumbnails} == cloudinary
    seen.as_table()
    links = page.locator("#table tbody tr", has_text="sea.jpg").get_by_role("link").all()
    (moved,) = (row for row in rows if row["filename"] == "sea.jpg")
    in_drive = f"https://drive.google.com/file/d/{moved['file_id']}/view"
    assert [link.get_attribute("href") for link in links] == [moved["cloudinary_url"], moved["jpg_url"], in_drive]
    assert page.get_by_role("link", name="mapping.csv").get_attribute("href") == "mapping.csv"
    assert not seen.said


def test_it_says_that_all_went_well_and_is_part_of_the_report_of_snakemake(workspace: Workspace, opened: Open) -> None:
    numbered = ["photo 1.jpg", "Photo 2.jpg", "photo 12.jpg"]
    workspace.add(*numbered)
    workspace.run().succeeded()
    report = workspace.results / "report.html"
    seen = opened(report)
    page = seen.page
    assert page.locator("#outcome").inner_text() == "Every image is in Cloudinary"
    assert seen.names() == numbered, "in natural order, which is not that of the mapping"
    assert [row["filename"] for row in workspace.mapping()] == ["Photo 2.jpg", "photo 1.jpg", "photo 12.jpg"]
    assert not page.locator("#failures").count() and not page.get_by_label("Cause").is_visible()
    before = len(workspace.cloud.log())
    workspace.run("--report", "snakemake.zip").succeeded()
    with zipfile.ZipFile(workspace.path / "snakemake.zip") as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/raw/report.html") or "/data/raw/" in name)
        assert archive.read(name) == report.read_bytes()
        assert "gallery" in archive.read("snakemake/report.html").decode(), "the caption"
    assert len(workspace.cloud.log()) == before, "to look at a run begins none"
    wait_for(lambda: not workspace.workers())


def test_a_run_that_did_not_try_failed_images_again_is_not_complete(workspace: Workspace, opened: Open) -> None:
    workspace.add(*(f"{number}.jpg" for number in range(12)))
    quota = {"error": {"status": 403, "reason": "downloadQuotaExceeded", "message": "Too many downloads"}}
    workspace.cloud.faults([{"on": "drive.media", "do": quota, "times": None}])
    workspace.run().failed()
    report = workspace.results / "report.html"
    assert opened(report).state() == "Complete: the run came to every image, and 12 failed"

    workspace.cloud.reset()
    workspace.hold_uploads()
    running = workspace.start(cores=1, timeout=PATIENCE)
    workspace.wait_until_held(0, cores=1)
    running.send_signal(signal.SIGINT)
    workspace.wait_until_ending()
    workspace.cloud.faults([])
    running.communicate(timeout=60)
    left = list(workspace.statuses().values()).count("failed")
    assert 0 < left < 12
    assert opened(report).state() == (
        "Interrupted: the run ended before it came to every image\n"
        f"{left} images that failed before were not tried again: run the same command again, and it goes on from here."
    )


def test_it_says_that_the_run_was_stopped_and_what_has_left_drive(workspace: Workspace, opened: Open) -> None:
    cloud = workspace.cloud
    (gone,) = workspace.add("gone & away.jpg", parent=cloud.drive("folder", name="Sub <b>"))
    workspace.run().succeeded()
    report = workspace.results / "report.html"
    seen = opened(report)
    assert seen.state() == "Complete: the run came to every image" and not seen.page.locator("#orphans").count()
    (row,) = workspace.mapping()
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
    assert orphan.get_by_role("link").get_attribute("href") == row["cloudinary_url"]
    assert seen.page.get_by_role("link", name="Orphans", exact=True).is_visible()


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
    merge_markers(report.parent)
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


def test_old_markers_and_an_empty_folder_have_a_report_too(tmp_path: Path, opened: Open) -> None:
    report = written(tmp_path / "old", some_names(10))
    for path in (report.parent / "markers").iterdir():
        old = json.loads(path.read_text())
        del old["seconds"]
        path.write_text(json.dumps(old))
        read = marker.read(path)
        assert read and "seconds" not in json.loads(read.to_json())
    merge_markers(report.parent)
    seen = opened(report, offline=True)
    assert [each.get_attribute("id") for each in seen.page.locator("figure").all()] == ["over-time", "sizes"]
    assert seen.quiet()

    seen = opened(written(tmp_path / "empty", []))
    assert seen.page.locator("#outcome").inner_text() == "There are no images in this folder"
    assert seen.count() == "0 images" and not seen.page.locator("#plots").is_visible() and not seen.said
