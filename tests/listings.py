"""Lists the Drive folder of a workspace, as the checkpoint does."""

from __future__ import annotations

from drive2cloudinary.cloudinary import formats
from drive2cloudinary.drive.drive_api import Drive
from drive2cloudinary.drive.walk import FoundImage, images_below
from drive2cloudinary.results import listing
from drive2cloudinary.results.listing import Image
from drive2cloudinary.settings import Settings
from tests.harness import Finished, Workspace


def run_list(workspace: Workspace, **config: object) -> Finished:
    """Run the script of the checkpoint."""
    settings = workspace.settings(**{"retries": 0, **config})
    folder = str(config.get("folder_id", workspace.cloud.folder_id))
    return workspace.script("list_images.py", f"--settings={settings}", f"results/{folder}/listing.json")


def listed(workspace: Workspace, **config: object) -> list[Image]:
    """The images of a listing that succeeds without a word."""
    done = run_list(workspace, **config)
    assert (done.code, done.said) == (0, ""), done.said
    folder = str(config.get("folder_id", workspace.cloud.folder_id))
    return list(listing.read(workspace.path / "results" / folder / "listing.json").images)


def paths(images: list[Image]) -> list[str]:
    return sorted(image.path for image in images)


def found_below(workspace: Workspace, **config: object) -> tuple[list[FoundImage], list[int]]:
    """The images of the Drive folder, and what was said meanwhile of how many there are."""
    settings = Settings.from_json(workspace.settings(**config))
    drive, said = Drive.of(settings), list[int]()
    root = drive.file(workspace.cloud.folder_id)
    return images_below(drive, root, settings, formats.mime_type, lambda warning: None, said.append).images, said


def albums(workspace: Workspace, count: int, **more: object) -> list[str]:
    """So many folders with an image each; their IDs."""
    folders = workspace.cloud.drive_all([{"op": "folder", "name": f"album {n}", **more} for n in range(count)])
    for number, folder in enumerate(folders):
        workspace.add(f"{number}.jpg", parent=folder)
    return folders
