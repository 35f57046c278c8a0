"""The warnings of a dry run about unexpected results."""

from __future__ import annotations

import json

import pytest

from drive2cloudinary.cloudinary import formats
from tests.harness import Workspace, jpeg


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

    *lines, summary = dry.lines
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
        "warning: 1 image of more than 2,000 bytes, which will fail: large.jpg (3,000)",
        "warning: 2 images of a kind that Cloudinary stores, but cannot show as JPG: raw.CR2, sony.arw",
        "warning: 1 image of a kind that Cloudinary does not take, which will fail: nikon.nef (image/x-nikon-nef)",
        "warning: 1 image without download permission, which will fail until their owner gives it: B/locked .jpg",
    ]


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
