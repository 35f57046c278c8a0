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
    done = workspace.run(retries=1).failed()
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


def test_shortcuts_that_do_not_say_where_to_are_warnings_and_the_others_go_on(workspace: Workspace) -> None:
    cloud = workspace.cloud
    (far,) = workspace.add("far.jpg", parent="root")
    workspace.add("one.jpg")
    cloud.drive("shortcut", name="whole", target=far)
    details = [{"targetId": None}, {"targetId": "../../x", "targetMimeType": "image/jpeg"}, {"targetId": 7}, [far], {}]
    for number, each in enumerate(details):
        cloud.drive("shortcut", name=f"broken {number}", target=far, shortcutDetails=each)
    for kind in ({"targetId": far}, {"targetId": far, "targetMimeType": ["image/jpeg"]}):
        cloud.drive("shortcut", name="of an unknown kind", target=far, shortcutDetails=kind)
    (gone, binned) = workspace.add("gone.jpg", "binned.jpg", parent="root")
    cloud.drive("shortcut", name="to nothing", target=gone)
    cloud.drive("shortcut", name="to the bin", target=binned)
    cloud.drive("delete", id=gone)
    cloud.drive("trash", id=binned)
    done = run_list(workspace, retries=5).succeeded()
    assert len(done.lines) == len(details) + 2
    for number in range(len(details)):
        done.line(f"warning: the shortcut 'broken {number}' leads nowhere: Drive does not say where to")
    done.line("warning", "'to nothing'", "leads nowhere")
    done.line("warning", "'to the bin'", "in Drive's bin")
    assert paths(list(listing.read(workspace.results / "listing.json").images)) == ["far.jpg", "one.jpg"]


def test_a_shortcut_to_a_folder_serves_as_the_folder(workspace: Workspace) -> None:
    workspace.add("one.jpg")
    shortcut = workspace.cloud.drive("shortcut", name="way in", target=workspace.cloud.folder_id, parent="root")
    assert paths(listed(workspace, folder_id=shortcut)) == ["one.jpg"]
