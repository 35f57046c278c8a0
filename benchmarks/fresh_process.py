"""The baseline: one image moved by a process of its own, which imports both clients and signs in."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from migrate import listing
from migrate.limits import Limits, tell_on_stderr
from migrate.settings import Settings
from migrate.transfer import Transfer


def main() -> None:
    settings, number = Settings.from_json(sys.argv[1]), int(sys.argv[2])
    listed = listing.read(settings.folder / "listing.json")
    transfer = Transfer(settings, Limits.of(settings, tell_on_stderr))
    transfer.move(listed.images[number], listed.cloudinary_folder, settings.folder / "markers")


if __name__ == "__main__":
    main()
