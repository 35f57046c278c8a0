"""What listing a tree of many folders costs: `python -m benchmarks.folders`, or `make bench-folders`.

The cloud is the emulator with its usual delay for each Drive call. Half of the folders have one image, the other half
are empty, so that each of those needs a query of its own. Printed as a table.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.measuring import cost_of
from benchmarks.workbench import DRIVE, ROOT, cloud, environment, heading, row, workspace
from tests.emulator.client import Emulator
from tests.harness import jpeg

sys.path.insert(0, str(ROOT / "scripts"))

from drive2cloudinary.settings import Settings

A_YEAR = 100
"""Folders in a folder."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folders", type=int, default=5000)
    folders = parser.parse_args().folders
    heading("measure", "wanted", "measured")
    with cloud(0, delayed=False, drive_delay=DRIVE) as emulator:
        plant(emulator, folders)
        settings = Settings(folder_id=emulator.folder_id, drive_endpoint=emulator.drive_endpoint, token=emulator.token)
        script = ROOT / "scripts" / "list_images.py"
        listing = f"results/{emulator.folder_id}/listing.json"
        command: list[str | Path] = [sys.executable, script, f"--settings={settings.to_json()}", listing]
        cost = cost_of(command, workspace(emulator), environment(emulator))
        calls = emulator.stats()["counts"]["drive.list"]
    if cost.code:
        sys.exit("the listing failed: what was measured means nothing")
    row(f"{folders:,} folders, half of them empty: searches for each", "≤ 0.6", f"{calls / folders:.2f}")
    row(f"the same, {DRIVE} ms a call", f"a fifth of {calls * DRIVE / 1000:.0f} s", f"{cost.seconds:.0f} s")
    row("CPU of the same", "", f"{cost.cpu_seconds:.1f} s")


def plant(emulator: Emulator, folders: int) -> None:
    """Make so many folders, with an image in every other one of the lowest."""
    years = emulator.drive_all([{"op": "folder", "name": f"year {n}"} for n in range(folders // A_YEAR)])
    albums = emulator.drive_all(
        [{"op": "folder", "name": f"album {n}", "parent": years[n % len(years)]} for n in range(folders - len(years))]
    )
    emulator.drive_all(
        [{"op": "add", "name": "one.jpg", "parent": each, "content_base64": jpeg(each)} for each in albums[::2]]
    )
    emulator.reset()


if __name__ == "__main__":
    main()
