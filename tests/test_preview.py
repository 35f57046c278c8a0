"""The warnings of a dry run about unexpected results."""

from __future__ import annotations

import base64
import io
import json
import os
import signal

from PIL import Image

from drive2cloudinary.cloudinary import formats
from drive2cloudinary.results.run import Run
from tests.harness import Workspace, jpeg, wait_for


def test_a_dry_run_warns_of_what_would_not_go_as_people_expect(workspace: Workspace) -> None:
    """Of what is wanted, ordered by folder and name."""
    inner = workspace.cloud.drive("folder", name="B")
    workspace.add("a?.jpg", "c.jpg", "c.jpg", "=fine.jpg")
    workspace.add("étude.jpg", "e\u0301t.jpg", parent=inner)
    for name, mime in (
        ("raw.CR2", "x-canon-cr2"),
        ("sony.arw", "tiff"),
        ("n.nef", "x-nikon-nef"),
        ("out?.nef", "jpeg"),
    ):
        workspace.add(name, mime=f"image/{mime}")
    workspace.add("locked\n.jpg", parent=inner, capabilities={"canDownload": False})
    workspace.add("large.jpg", content_base64=jpeg("large", 3000))
    dry = workspace.dry_run(max_bytes=2000, exclude="out*").succeeded()

    names = ["=fine.jpg", "a?.jpg", "c.jpg", "c.jpg", "large.jpg", "n.nef", "raw.CR2", "sony.arw"]
    names += ["B/e\u0301t.jpg", "B/locked .jpg", "B/étude.jpg"]
    *lines, destination, summary = dry.lines
    assert [line.split(maxsplit=1) for line in lines[: len(names)]] == [["new", name] for name in names]
    assert destination == "to: the folder Photos in the cloud emulated"
    assert summary.startswith("11 of 12 images to move (11 new")
    listed = json.loads((workspace.results / "listing.json").read_text())["images"]
    (second,) = [each["public_id"] for each in listed if each["name"] == "c.jpg" and each["public_id"] != "Photos/c"]
    assert [line.removeprefix("warning: ") for line in lines[len(names) :]] == [
        "3 images of another name in Cloudinary than in Drive: "
        f"a?.jpg → Photos/a_, c.jpg → {second}, B/locked .jpg → Photos/B/locked_",
        "1 image of more than 2,000 bytes, which will fail: large.jpg (3.0 kB)",
        "2 images of a kind that Cloudinary stores, but cannot show as JPG: raw.CR2, sony.arw",
        "1 image of a kind that Cloudinary does not take, which will fail: n.nef (image/x-nikon-nef)",
        "1 image without download permission, which will fail until their owner gives it: B/locked .jpg",
    ]


def test_many_images_are_summed_up_by_folder_and_named_on_demand(workspace: Workspace) -> None:
    inner = workspace.cloud.drive("folder", name="album 4")
    workspace.add(*(f"{number}.jpg" for number in range(60)))
    workspace.add(*(f"in {number}.jpg" for number in range(41)), parent=inner)
    dry = workspace.dry_run()
    assert dry.lines == [
        "not in a subfolder: 60 images, 60.0 kB",
        "album 4/: 41 images, 41.0 kB",
        "the option -p names each image",
        "to: the folder Photos in the cloud emulated",
        "101 of 101 images to move (101 new, 0 changed, 0 failed before), 101.0 kB; listed just now",
    ]
    assert workspace.dry_run("-p").line("new           album 4/in 40.jpg")


def test_a_dry_run_says_that_a_run_is_listing_the_folder(workspace: Workspace) -> None:
    """The run begins while the dry run lists, or before."""
    workspace.add("1.jpg")
    stuck = {"on": "drive.get", "do": {"hang": True}, "times": None}
    workspace.cloud.faults([{"on": "drive.list", "do": {"hold": 0}, "times": None}, {**stuck, "skip": 1}])
    dry = workspace.start("-n")
    wait_for(lambda: workspace.calls("drive.get"))
    running = workspace.start(timeout=60)
    try:
        wait_for(Run(workspace.results).is_alive)
        workspace.cloud.faults([stuck])
        done = workspace.finish(dry).failed()
        line = (
            f"another command holds results/{workspace.cloud.folder_id}, and has not listed yet: try again in a moment"
        )
        assert done.lines[-1] == line
        dry_again = workspace.dry_run().failed()
        assert dry_again.lines == [line]
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
    workspace.cloud.faults([])
    workspace.dry_run().line("1 of 1 image to move")


def test_a_dry_run_warns_of_what_the_account_would_not_deliver(workspace: Workspace) -> None:
    workspace.add("paper.pdf", mime="application/pdf")
    workspace.cloud.drive("add", name="empty.jpg", content_base64="", parent="")
    vast = io.BytesIO()
    Image.new("1", (5100, 5000)).save(vast, "PNG")
    workspace.cloud.drive("add", name="vast.png", content_base64=base64.b64encode(vast.getvalue()).decode(), parent="")
    workspace.environment["CLOUDINARY_URL"] = "cloudinary://key:secret"
    dry = workspace.dry_run(folder_name="my_photos", include='["image/*", "application/pdf"]').succeeded()
    warnings = [line.removeprefix("warning: ") for line in dry.lines if line.startswith("warning: ")]
    assert warnings.pop(0).startswith("CLOUDINARY_URL is not complete: set CLOUDINARY_URL=cloudinary://KEY")
    assert warnings == [
        "in a URL without a version, Cloudinary takes my_photos/ for a transformation",
        "1 image without a byte, which will fail: empty.jpg",
        "1 image of more than 25 megapixels, of which the free plan makes no JPG and no thumbnail: vast.png (25.5)",
        "1 image that is a PDF, which free accounts do not deliver unless their settings allow it: paper.pdf",
    ]
    assert dry.line("to: the folder my_photos") == "to: the folder my_photos"


def test_the_kind_of_an_image_is_told_by_its_mime_type_or_its_extension() -> None:
    kinds = {
        "shown": [("image/jpeg", "x"), ("image/jpeg", "x.nef"), ("image/x-unheard-of", "X.JPG")],
        "only stored": [("image/x-adobe-dng", "x"), ("image/tiff", "x.DNG"), ("image/vnd.djvu", "x.djvu")],
        "not taken": [("image/x-nikon-nef", "x.nef"), ("image/x-xcf", "png"), ("image/", "")],
    }
    for fate, images in kinds.items():
        assert {formats.fate(mime_type, name) for mime_type, name in images} == {fate}
