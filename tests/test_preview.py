"""The warnings of a dry run about unexpected results."""

from __future__ import annotations

import base64
import io
import json
import os
import signal

import pytest
from PIL import Image

from drive2cloudinary.cloudinary import formats
from drive2cloudinary.results.run import Run
from tests.harness import Workspace, jpeg, wait_for


def test_a_dry_run_warns_of_what_would_not_go_as_people_expect(workspace: Workspace) -> None:
    cloud = workspace.cloud
    inner = cloud.drive("folder", name="B")
    workspace.add("a?.jpg", "b%.jpg", "c.jpg", "c.jpg", "c.png", "=fine.jpg")
    workspace.add("étude.jpg", "e\u0301t.jpg", parent=inner)
    workspace.add("raw.CR2", mime="image/x-canon-cr2")
    workspace.add("sony.arw", mime="image/tiff")
    workspace.add("nikon.nef", mime="image/x-nikon-nef")
    workspace.add("locked\n.jpg", parent=inner, capabilities={"canDownload": False})
    cloud.drive("add", name="large.jpg", content_base64=jpeg("large", 3000))
    workspace.add("left out?.nef", mime="image/x-nikon-nef")
    dry = workspace.dry_run(max_bytes=2000, exclude="left*")
    dry.succeeded()

    *lines, destination, summary = dry.lines
    assert destination == "to: the folder Photos in the cloud emulated"
    assert summary.startswith("13 of 14 images to move (13 new")
    warnings = lines[13:]
    assert [line.split() for line in lines[:13]] == [
        ["new", *path.split()]
        for path in [
            *(
                "=fine.jpg",
                "a?.jpg",
                "b%.jpg",
                "c.jpg",
                "c.jpg",
                "c.png",
                "large.jpg",
                "nikon.nef",
                "raw.CR2",
                "sony.arw",
            ),
            *("B/e\u0301t.jpg", "B/locked .jpg", "B/étude.jpg"),
        ]
    ], "ordered by folder and name"
    listed = json.loads((workspace.results / "listing.json").read_text())["images"]
    (second,) = [each["public_id"] for each in listed if each["name"] == "c.jpg" and each["public_id"] != "Photos/c"]
    assert warnings == [
        "warning: 5 images of another name in Cloudinary than in Drive: "
        f"a?.jpg → Photos/a_, b%.jpg → Photos/b_, c.jpg → {second}, …",
        "warning: 1 image of more than 2,000 bytes, which will fail: large.jpg (3.0 kB)",
        "warning: 2 images of a kind that Cloudinary stores, but cannot show as JPG: raw.CR2, sony.arw",
        "warning: 1 image of a kind that Cloudinary does not take, which will fail: nikon.nef (image/x-nikon-nef)",
        "warning: 1 image without download permission, which will fail until their owner gives it: B/locked .jpg",
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
        said = "".join(dry.communicate(timeout=60))
        line = (
            f"another command holds results/{workspace.cloud.folder_id}, and has not listed yet: try again in a moment"
        )
        assert dry.returncode == 1 and said.splitlines()[-1] == line, said
        dry_again = workspace.dry_run()
        dry_again.failed()
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
    dry = workspace.dry_run(folder_name="my_photos", include='["image/*", "application/pdf"]')
    dry.succeeded()
    warnings = [line.removeprefix("warning: ") for line in dry.lines if line.startswith("warning: ")]
    assert warnings.pop(0).startswith("CLOUDINARY_URL is not complete: set CLOUDINARY_URL=cloudinary://KEY")
    assert warnings == [
        "in a URL without a version, Cloudinary takes my_photos/ for a transformation",
        "1 image without a byte, which will fail: empty.jpg",
        "1 image of more than 25 megapixels, of which the free plan makes no JPG and no thumbnail: vast.png (25.5)",
        "1 image that is a PDF, which free accounts do not deliver unless their settings allow it: paper.pdf",
    ]
    assert dry.line("to: the folder my_photos") == "to: the folder my_photos"


@pytest.mark.parametrize(
    ("mime_type", "filename", "fate"),
    [
        ("image/jpeg", "x", "shown"),
        ("image/jpeg", "x.nef", "shown"),
        ("image/x-unheard-of", "X.JPG", "shown"),
        ("image/x-adobe-dng", "x", "only stored"),
        ("image/tiff", "x.DNG", "only stored"),
        ("image/vnd.djvu", "x.djvu", "only stored"),
        ("image/x-nikon-nef", "x.nef", "not taken"),
        ("image/x-xcf", "png", "not taken"),
        ("image/", "", "not taken"),
    ],
)
def test_the_kind_of_an_image_is_told_by_its_mime_type_or_its_extension(
    mime_type: str, filename: str, fate: str
) -> None:
    assert formats.fate(mime_type, filename) == fate
