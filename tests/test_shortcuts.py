"""Shortcuts in Drive: followed without a loop, and a broken one costs nobody else anything."""

from __future__ import annotations

from drive2cloudinary.results import listing
from tests.harness import Workspace
from tests.listings import found_below, listed, paths, run_list


def test_images_that_shortcuts_lead_to_are_counted_too(workspace: Workspace) -> None:
    workspace.add("one.jpg", "two.jpg")
    (far,) = workspace.add("far.jpg", parent="root")
    workspace.cloud.drive("shortcut", name="link", target=far)
    assert found_below(workspace)[1] == [2, 3]


def test_a_shortcut_whose_target_does_not_answer_stops_the_run_and_names_it(workspace: Workspace) -> None:
    """It may be a folder full of images; one that is gone is a warning."""
    elsewhere = workspace.cloud.drive("folder", name="Elsewhere", parent="root")
    workspace.add("far.jpg", parent=elsewhere)
    holidays = workspace.cloud.drive("folder", name="Holidays")
    workspace.cloud.drive("shortcut", name="2024", target=elsewhere, parent=holidays)
    workspace.cloud.faults([{"on": "drive.get", "match": elsewhere, "do": {"html": 503}, "times": None}])
    done = workspace.run(retries=1)
    done.failed()
    assert done.lines[-1:] == [done.line("cannot list", "Holidays/2024", "Drive answered 503")]
    assert not (workspace.results / "listing.json").exists() and not workspace.calls("drive.media")


def test_shortcuts_are_followed_without_a_loop_and_each_image_is_there_once(workspace: Workspace) -> None:
    cloud = workspace.cloud
    outside = cloud.drive("folder", name="Outside", parent="root")
    (far,) = workspace.add("far.jpg", parent=outside)
    (near,) = workspace.add("near.jpg")
    inner = cloud.drive("folder", name="Inner")
    workspace.add("inner.jpg", parent=inner)
    album = cloud.drive("folder", name="Album", parent="root")
    workspace.add("in album.jpg", parent=album)
    document = cloud.drive("document", name="Letter", parent="root")
    for name, target, parent in (
        ("to far", far, inner),
        ("to far, too", far, ""),
        ("to near", near, inner),
        ("to album", album, inner),
        ("to album again", album, ""),
        ("to the root", cloud.folder_id, inner),
        ("to its own folder", inner, inner),
        ("back from the album", cloud.folder_id, album),
        ("to a letter", document, ""),
    ):
        cloud.drive("shortcut", name=name, target=target, parent=parent)
    images = listed(workspace)
    assert paths(images) == ["Inner/inner.jpg", "far.jpg", "near.jpg", "to album again/in album.jpg"]


def test_a_shortcut_that_leads_nowhere_is_a_warning_and_the_others_go_on(workspace: Workspace) -> None:
    (gone,) = workspace.add("gone.jpg", parent="root")
    workspace.add("one.jpg")
    workspace.cloud.drive("shortcut", name="broken", target=gone)
    workspace.cloud.drive("delete", id=gone)
    done = workspace.run()
    done.succeeded()
    done.line("warning", "'broken'", "leads nowhere")
    assert workspace.statuses() == {"one.jpg": "uploaded"}


def test_shortcuts_that_do_not_say_where_to_are_warnings_and_the_others_go_on(workspace: Workspace) -> None:
    cloud = workspace.cloud
    (far,) = workspace.add("far.jpg", parent="root")
    workspace.add("one.jpg")
    cloud.drive("shortcut", name="whole", target=far)
    details: list[object] = [
        {"targetMimeType": "image/jpeg"},
        {"targetId": None},
        {"targetId": "../../x", "targetMimeType": "image/jpeg"},
        {"targetId": 7},
        [far],
        "to nowhere",
        {},
    ]
    for number, each in enumerate(details):
        cloud.drive("shortcut", name=f"broken {number}", target=far, shortcutDetails=each)
    kinds: list[object] = [{"targetId": far}, {"targetId": far, "targetMimeType": ["image/jpeg"]}]
    for each in kinds:
        cloud.drive("shortcut", name="of an unknown kind", target=far, shortcutDetails=each)
    cloud.reset()
    done = run_list(workspace, retries=5)
    done.succeeded()
    said = "leads nowhere: Drive does not say where to"
    assert done.lines == [f"warning: the shortcut 'broken {number}' {said}" for number in range(len(details))]
    assert paths(list(listing.read(workspace.results / "listing.json").images)) == ["far.jpg", "one.jpg"]
    assert workspace.calls("drive.list") == 1 and workspace.calls("drive.get") == 2


def test_a_shortcut_to_a_folder_serves_as_the_folder(workspace: Workspace) -> None:
    workspace.add("one.jpg")
    shortcut = workspace.cloud.drive("shortcut", name="way in", target=workspace.cloud.folder_id, parent="root")
    assert paths(listed(workspace, folder_id=shortcut)) == ["one.jpg"]


def test_a_shortcut_to_what_is_in_the_bin_is_a_warning(workspace: Workspace) -> None:
    (binned,) = workspace.add("binned.jpg", parent="root")
    workspace.cloud.drive("shortcut", name="link", target=binned)
    workspace.cloud.drive("trash", id=binned)
    done = run_list(workspace)
    done.succeeded()
    done.line("warning", "'link'", "in Drive's bin")
