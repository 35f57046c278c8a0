"""The setting `limit`: a small trial of a large folder."""

from __future__ import annotations

import pytest

from tests.harness import Workspace

LEFT = "not tried: limit=2"


@pytest.fixture
def five(workspace: Workspace) -> Workspace:
    """A workspace whose Drive folder has five images; the mapping's order is that of their paths."""
    inner = workspace.cloud.drive("folder", name="a")
    workspace.add("5.jpg", "4.jpg", parent=inner)
    workspace.add("3.jpg", "2.jpg", "1.jpg")
    return workspace


def statuses(workspace: Workspace) -> dict[str, tuple[str, str]]:
    return {row["filename"]: (row["status"], row["error"]) for row in workspace.mapping()}


@pytest.mark.parametrize("how", [{}, {"images_per_job": 2}])
def test_a_trial_moves_the_first_images_and_the_next_run_the_next(five: Workspace, how: dict[str, int]) -> None:
    dry = five.dry_run(limit=2)
    dry.succeeded()
    assert [line for line in dry.lines if line.startswith("new ")] == [f"{'new':<13} 1.jpg", f"{'new':<13} 2.jpg"]
    dry.line("2 of 5 images to move (2 new, 0 changed, 0 failed before), 3 left for later by limit=2, 2.0 kB")

    trial = five.run(limit=2, **how)
    trial.succeeded()
    trial.line("5 images listed: 2 to move, 3 left for later, 0 moved before, 0 skipped")
    trial.line("5 images: 2 uploaded, 0 existing, 0 failed, 3 pending, 0 skipped")
    assert trial.lines[-1] == "to do: 3 images left for later by the setting limit. Run again without it."
    later = ("pending", LEFT)
    done = ("uploaded", "")
    assert statuses(five) == {"1.jpg": done, "2.jpg": done, "3.jpg": later, "4.jpg": later, "5.jpg": later}
    assert five.calls("cloudinary.upload") == five.calls("drive.media") == 2

    second = five.run(limit=2, **how)
    second.succeeded()
    second.line("5 images listed: 2 to move, 1 left for later, 2 moved before, 0 skipped")
    assert statuses(five) == {"1.jpg": done, "2.jpg": done, "3.jpg": done, "4.jpg": done, "5.jpg": later}

    whole = five.run()
    whole.succeeded()
    assert whole.lines[-1] == "to do: nothing, all images are where they should be"
    five.audit()


def test_what_the_limit_leaves_is_no_failure_of_a_run_in_which_others_fail(five: Workspace) -> None:
    message = {"status": 400, "message": "Invalid image file"}
    five.cloud.faults([{"on": "cloudinary.upload", "match": "1.jpg", "times": None, "do": {"error": message}}])
    done = five.run(limit=2)
    done.failed()
    found = statuses(five)
    assert found["1.jpg"][0] == "failed" and found["2.jpg"][0] == "uploaded"
    assert {found[name] for name in ("3.jpg", "4.jpg", "5.jpg")} == {("pending", LEFT)}
    done.line("to do: 3 images left for later by the setting limit")
    assert "the run ended before" not in done.said


def test_an_interrupted_trial_says_of_each_image_why_it_was_not_tried(five: Workspace) -> None:
    refused = {"status": 401, "message": "unknown api_key"}
    five.cloud.faults([{"on": "cloudinary.upload", "times": None, "do": {"error": refused}}])
    done = five.run(limit=2)
    done.failed()
    found = statuses(five)
    assert found["1.jpg"] == found["2.jpg"] == ("pending", "not tried: the run ended before")
    assert found["3.jpg"] == found["4.jpg"] == found["5.jpg"] == ("pending", LEFT)
    done.line("to do: 2 images pending, because the run was stopped")


def test_images_that_failed_before_and_are_left_by_the_limit_are_no_failure_of_this_run(workspace: Workspace) -> None:
    images = workspace.add("1.jpg", "2.jpg", "3.jpg", capabilities={"canDownload": False})
    workspace.run().failed()
    for image in images:
        workspace.cloud.drive("set", id=image, capabilities={"canDownload": True})
    done = workspace.run(limit=1)
    done.succeeded()
    assert workspace.statuses() == {"1.jpg": "uploaded", "2.jpg": "pending", "3.jpg": "pending"}
