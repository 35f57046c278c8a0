"""How well Drive's quota is used: `python -m benchmarks.quota`, or `make bench-quota`.

The cloud is the emulator with its usual delays and a sixth of Drive's quota, so that 600 images need three minutes of
it, of which the first and the last are short. Once the setting says so, and once it stays at its default, so that
refusals alone must teach it. Printed as a table.
"""

from __future__ import annotations

import argparse

from benchmarks.workbench import cloud, heading, migrate, row

UNITS = 325_000 // 6
CORES = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=600, help="of 100 KB")
    images = parser.parse_args().images
    heading(f"{images} images, {CORES} at once, {UNITS:,} units a minute", "wanted", "measured")
    measure("the setting says so", images, drive_units_per_minute=UNITS)
    measure("the setting is left at its default", images)


def measure(name: str, images: int, **settings: object) -> None:
    with cloud(images, drive_units_per_minute=UNITS) as emulator:
        cost = migrate(emulator, CORES, **settings)
        refused = emulator.stats()["statuses"].get("drive.media 403", 0)
    failed = "" if cost.code == 0 else ", and some failed"
    row(name, "≤ 135 s, ≤ 10 refusals", f"{cost.seconds:.0f} s, {refused} refusals{failed}")


if __name__ == "__main__":
    main()
