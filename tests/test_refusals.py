"""A refusal that every image gets stops the run; one that is about an image does not."""

from __future__ import annotations

import base64
import json
from collections import Counter

import pytest

from drive2cloudinary.causes import Cause
from drive2cloudinary.errors import ImageError, TransientError
from drive2cloudinary.results.listing import Image
from drive2cloudinary.upload.refusals import kind_of
from tests.harness import Workspace, jpeg

IMAGES = 40
STOPPED = "pending, because the run was stopped"


def image(number: int) -> Image:
    """One of three images whose names have nothing in common."""
    name = ["IMG_0001.JPG", "Sunset at the beach.png", "a.jpg"][number]
    folders = [(), ("Trip, 2024",), ("Ä", "b")][number]
    file_id = ["1AbCdEfGhIjKlMnOpQrStUvWxYz", "1zZyYxXwWvVuUtTsS", "1b"][number]
    public_id = "/".join(["Photos", *(folders or ["x"]), name.partition(".")[0]])
    return Image(file_id, name, folders, "image/jpeg", 7, "0" * 32, "", public_id)


SAME = [
    ["Moderation kind not supported"] * 3,
    [f"Missing mandatory metadata field 'f{number}' (request id: {number}f-{'ab' * number})" for number in range(3)],
    [f"public_id ({image(number).public_id}) does not fit the preset" for number in range(3)],
    [
        f"{image(number).name} refused at 2026-10-0{number + 1} 14:00:00 UTC, see https://x.io/{number}"
        for number in range(3)
    ],
    [f"the key may not do this. Request-Id: {each}" for each in ("abc", "defg", "hi")],
    [f'Upload of "{each}" denied to qwertyuiopasdfghjklzxcvbn{len(each)}' for each in ("one two", "three", "four")],
    [f"Error {number} of {number + 7}: {10**number} bytes used" for number in range(3)],
]


def test_a_refusal_is_the_same_without_what_differs_from_image_to_image() -> None:
    for messages in SAME:
        kinds = {kind_of(TransientError(text, cause=Cause.REFUSED), image(each)) for each, text in enumerate(messages)}
        assert len(kinds) == 1 and "" not in kinds, messages


def test_different_refusals_are_not_taken_for_one() -> None:
    assert len({kind_of(ImageError(messages[0]), image(0)) for messages in SAME}) == len(SAME)
    renamed = [ImageError(f"about {name}", Cause.RENAMED) for name in ("one", "two")]
    assert len({kind_of(error, image(0)) for error in renamed}) == 1
    counting = {cause for cause in Cause if kind_of(ImageError("x", cause), image(0))}
    assert counting == {Cause.REFUSED, Cause.RENAMED, Cause.ALTERED}


@pytest.mark.parametrize(
    ("how", "more"),
    [((), {}), ((), {"images_per_job": 10}), (("--executor", "local"), {})],
    ids=["pool", "batches", "local"],
)
def test_a_refusal_that_every_image_gets_stops_the_run(
    workspace: Workspace, how: tuple[str, ...], more: dict[str, object]
) -> None:
    workspace.add(*(f"{number}.jpg" for number in range(IMAGES)))
    cores = 2
    done = workspace.run(*how, cores=cores, upload="{moderation: none_such}", **more).failed()
    workspace.agreed(done)
    done.line(STOPPED, "Moderation kind not supported", "the setting upload")
    statuses = Counter(workspace.statuses().values())
    assert 3 <= statuses["failed"] <= 3 + 2 * cores and statuses["failed"] + statuses["pending"] == IMAGES
    assert len(workspace.failures()) == statuses["failed"] == workspace.calls("cloudinary.upload")
    assert workspace.calls("drive.media") <= 3 + 3 * cores
    if not how:
        workspace.run().succeeded()
        workspace.audit()


def test_refusals_about_single_images_do_not_stop_the_run(workspace: Workspace) -> None:
    broken = base64.b64encode(b"no picture").decode()
    for number in range(12):
        workspace.cloud.drive("add", name=f"a{number:02}.jpg", mime="image/jpeg", content_base64=broken)
    workspace.add(*(f"b{number}.jpg" for number in range(10)))
    # Of the good ones, the first upload is refused, and then each third one.
    refusals = [{"error": {"status": 400, "message": f"Not number {number}"}} for number in range(4)]
    workspace.cloud.faults(
        [
            {"on": "cloudinary.upload", "match": "Photos/b", "do": refusal, "skip": 2 * number, "times": 1}
            for number, refusal in enumerate(refusals)
        ]
    )
    done = workspace.run(cores=1, retries=0).failed()
    workspace.agreed(done)
    assert "stopped" not in done.said
    assert Counter(workspace.statuses().values()) == {"failed": 12 + 4, "uploaded": 6}


@pytest.mark.parametrize(
    ("preset", "said", "is_named"),
    [
        ({"public_id_prefix": "Else/where"}, "other names", False),
        ({"transformation": "w_2,h_2,c_fill"}, "other bytes", True),
    ],
    ids=["renames", "alters"],
)
def test_a_preset_that_renames_or_alters_stops_the_run_and_nothing_stays(
    workspace: Workspace, preset: dict[str, str], said: str, is_named: bool
) -> None:
    workspace.cloud.settings(presets={"mine": preset}, default_preset="" if is_named else "mine")
    workspace.cloud.plant("Else/where/Photos/0", base64.b64decode(jpeg("stranger")))
    workspace.add(*(f"{number}.jpg" for number in range(20)))
    done = workspace.run(cores=1, upload="{upload_preset: mine}" if is_named else None).failed()
    workspace.agreed(done)
    where = "the preset mine (upload.upload_preset)" if is_named else "the account's default preset for signed uploads"
    done.line(STOPPED, said, where)
    assert list(workspace.cloud.assets()) == ["Else/where/Photos/0"], "the stranger's stays, ours do not"
    failures = workspace.failures().values()
    assert len(failures) <= 5
    assert all("taken down again" in each["message"] or "look at" in each["message"] for each in failures)


@pytest.mark.parametrize("is_named", [True, False])
def test_asynchronous_upload_stops_the_run_and_names_the_preset(workspace: Workspace, is_named: bool) -> None:
    workspace.cloud.settings(presets={"late": {"async": "true"}}, default_preset="" if is_named else "late")
    workspace.add(*(f"{number}.jpg" for number in range(20)))
    workspace.add("large.jpg", content_base64=jpeg("large", 9_000_000))
    done = workspace.run(cores=1, upload=json.dumps({"upload_preset": "late"}) if is_named else None).failed()
    workspace.agreed(done)
    done.line(STOPPED, "async", "the preset late" if is_named else "the account's default preset for signed uploads")
    assert not workspace.markers() and not workspace.failures() and workspace.calls("cloudinary.upload") <= 2
