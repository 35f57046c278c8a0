"""Few queries for many Drive folders: several folders in one query, several queries at once, and no image left out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import Any

import pytest

from drive2cloudinary.drive.drive_api import AT_ONCE
from tests.harness import Workspace, jpeg, wait_for
from tests.listings import albums, listed, paths, run_list

MANY = "' in parents or '"
"""What is in a query of many folders."""


def fill(workspace: Workspace, folders: list[str]) -> None:
    """Put an image into each of these folders."""
    workspace.cloud.drive_all(
        [{"op": "add", "name": "one.jpg", "parent": each, "content_base64": jpeg(each)} for each in folders]
    )


def most_at_once(calls: list[dict[str, Any]]) -> int:
    """How many of these calls were under way at one moment."""
    ends = [(call["at"], 1) for call in calls] + [(call["at"] + call["seconds"], -1) for call in calls]
    return max(accumulate(step for _, step in sorted(ends)))


def test_a_question_for_many_folders_is_as_short_as_a_get_may_be(workspace: Workspace) -> None:
    """In a shared drive, which adds its ID; the emulator's IDs are as long as Drive's."""
    cloud = workspace.cloud
    shared = cloud.drive("shared_drive", name="Team")
    folders = cloud.drive_all([{"op": "folder", "name": str(n), "parent": shared} for n in range(40)])
    assert {len(folder) for folder in folders} == {33}
    fill(workspace, folders)
    assert len(listed(workspace, folder_id=shared)) == 40
    asked = [call for call in cloud.log() if call["op"] == "drive.list"]
    assert len(asked) == 1 + 2 and {call["method"] for call in asked} == {"GET"}


def test_all_subfolders_of_a_level_are_asked_for_in_one_call(workspace: Workspace) -> None:
    cloud = workspace.cloud
    folders = cloud.drive_all([{"op": "folder", "name": f"album {number}"} for number in range(20)])
    fill(workspace, folders)
    deep = folders[0]
    for number in range(3):
        deep = cloud.drive("folder", name=f"deeper {number}", parent=deep)
    workspace.add("deepest.jpg", parent=deep)
    images = listed(workspace)
    assert len(images) == 21
    assert "album 0/deeper 0/deeper 1/deeper 2/deepest.jpg" in paths(images)
    assert cloud.stats()["counts"]["drive.list"] <= 1 + 1 + 3 + 3, "the last folders, empty ones, may be asked singly"
    assert cloud.stats()["counts"]["drive.get"] == 1


def test_folders_that_drive_leaves_out_of_an_answer_are_found(workspace: Workspace) -> None:
    """Three of eleven, and it calls the answer complete (rclone #9810)."""
    folders = albums(workspace, 11)
    inner = workspace.cloud.drive_all([{"op": "folder", "name": f"in {n}", "parent": folders[n]} for n in (0, 4, 5)])
    for folder in inner:
        workspace.add(f"{folder}.jpg", parent=folder)
    leaves_out = {"leave_out": [*folders[4:7], inner[2]]}
    workspace.cloud.faults([{"on": "drive.list", "do": leaves_out, "times": None}])
    workspace.run().succeeded()
    assert len(workspace.audit()) == 14
    lists = [call["key"].count(" in parents") for call in workspace.cloud.log() if call["op"] == "drive.list"]
    # The root, all albums, the three that had no hit; from this proof on, what is inside the albums one by one.
    assert lists == [1, 11, 1, 1, 1, 1, 1, 1]


def test_a_file_in_two_folders_is_no_proof_that_drive_looked_into_both(workspace: Workspace) -> None:
    """As older files can be: it came by way of the one, and the other may have been left out."""
    left, right = workspace.cloud.drive_all([{"op": "folder", "name": name} for name in ("left", "right")])
    workspace.add("both.jpg", parents=[left, right])
    workspace.add("only right.jpg", parent=right)
    fault = {"on": "drive.list", "match": MANY, "do": {"leave_out": [right], "keep_shared": True}, "times": None}
    workspace.cloud.faults([fault])
    assert paths(listed(workspace)) == ["left/both.jpg", "right/only right.jpg"]


@pytest.mark.parametrize(("what", "times"), [({"empty_batches": True}, None), ({"incomplete": True}, 2)])
def test_an_answer_for_many_folders_that_is_empty_or_incomplete_is_asked_for_singly(
    workspace: Workspace, what: dict[str, bool], times: int | None
) -> None:
    albums(workspace, 5)
    workspace.cloud.faults([{"on": "drive.list", "match": MANY, "do": what, "times": times}])
    assert paths(listed(workspace)) == [f"album {number}/{number}.jpg" for number in range(5)]


def test_a_query_that_is_too_complex_for_drive_is_asked_folder_by_folder(workspace: Workspace) -> None:
    albums(workspace, 5)
    refusal = {"status": 400, "reason": "queryTooComplex", "message": "The query is too complex."}
    workspace.cloud.faults([{"on": "drive.list", "match": MANY, "do": {"error": refusal}, "times": None}])
    assert len(listed(workspace)) == 5
    assert workspace.calls("drive.list") == 1 + 1 + 5


def test_folders_per_query_1_asks_for_each_folder_by_itself_from_the_start(workspace: Workspace) -> None:
    albums(workspace, 5)
    assert len(listed(workspace, folders_per_query=1)) == 5
    assert workspace.calls("drive.list") == 1 + 5


def test_a_folder_costs_a_22nd_of_a_call_and_an_empty_one_a_call_more(workspace: Workspace) -> None:
    """There is no cheaper proof."""
    folders = workspace.cloud.drive_all([{"op": "folder", "name": f"album {n:03}"} for n in range(220)])
    fill(workspace, folders[::2])
    assert len(listed(workspace)) == 110
    root, together, alone = 1, 10, 110
    assert workspace.calls("drive.list") == root + together + alone


@pytest.mark.parametrize(("op", "before", "together"), [("drive.list", 1 + 2, 40), ("drive.get", 1, 20)])
def test_folders_are_listed_several_at_a_time_and_no_more_than_that(
    workspace: Workspace, op: str, before: int, together: int
) -> None:
    """Also the empty ones, each of which needs a call of its own, and what shortcuts lead to."""
    cloud = workspace.cloud
    cloud.drive_all([{"op": "folder", "name": f"empty {number}"} for number in range(40)])
    albums(workspace, 3)
    for number, target in enumerate(workspace.add(*(f"{n}.jpg" for n in range(20)), parent="root")):
        cloud.drive("shortcut", name=f"link {number}", target=target)
    hold = {"on": op, "do": {"hold": AT_ONCE}, "skip": before, "times": AT_ONCE}
    # Without a delay, one call more than may be made would hardly meet the others.
    cloud.faults([hold, {"on": op, "do": {"delay": 0.1}, "times": None}])
    assert len(listed(workspace, timeout=120)) == 3 + 20
    calls = [call for call in cloud.log() if call["op"] == op]
    assert len(calls) == before + together
    assert most_at_once(calls) == AT_ONCE
    stats = cloud.stats()
    assert stats["refreshes"] == 1 and stats["connections"]["drive"] <= AT_ONCE


def test_which_answer_comes_first_changes_nothing(workspace: Workspace) -> None:
    """A file in two folders has its path by the first of them."""
    first, *others = albums(workspace, 6)
    workspace.add("both.jpg", parents=[first, others[-1]])
    calmly = listed(workspace, folders_per_query=1)
    assert "album 0/both.jpg" in paths(calmly)
    workspace.cloud.reset()

    def answered() -> str:
        """The queries that have their answers."""
        return " ".join(call["key"] for call in workspace.cloud.log() if call["op"] == "drive.list")

    workspace.cloud.faults([{"on": "drive.list", "match": first, "do": {"hold": 0}, "times": None}])
    with ThreadPoolExecutor(1) as other:
        listing = other.submit(listed, workspace, folders_per_query=1, timeout=120)
        wait_for(lambda: workspace.held("drive.list") and all(each in answered() for each in others))
        workspace.cloud.faults([])
        assert listing.result() == calmly


def test_a_folder_that_cannot_be_listed_ends_the_listing_while_others_do_not_answer(workspace: Workspace) -> None:
    folders = workspace.cloud.drive_all([{"op": "folder", "name": f"album {number}"} for number in range(6)])
    gone = {"on": "drive.list", "match": folders[0], "do": {"error": {"status": 404, "reason": "notFound"}}}
    hang = {"on": "drive.list", "skip": 2, "do": {"hang": True}}
    workspace.cloud.faults([{**gone, "times": None}, {**hang, "times": None}])
    done = run_list(workspace, folders_per_query=1, timeout=300)
    done.failed()
    assert done.lines == [done.line("cannot list album 0: it is gone")]


def test_a_token_that_expires_while_many_threads_list_is_refreshed(workspace: Workspace) -> None:
    albums(workspace, 20)
    workspace.cloud.faults([{"on": "drive.list", "skip": 3, "do": {"hold": 0}, "times": None}])
    with ThreadPoolExecutor(1) as other:
        listing = other.submit(listed, workspace, folders_per_query=1, timeout=120)
        wait_for(lambda: workspace.held("drive.list") == AT_ONCE)
        workspace.cloud.oauth(expire=True)
        workspace.cloud.faults([])
        assert len(listing.result()) == 20
    assert 1 < workspace.cloud.stats()["refreshes"] <= 1 + AT_ONCE
