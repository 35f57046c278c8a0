"""How well Drive's quota is used: `python -m benchmarks.quota`, or `make bench-quota`.

The cloud is the emulator with its usual delays and a sixth of Drive's quota, so that 600 images need three minutes of
it, of which the first and the last are short. Once the setting says so, and once it stays at its default: then each
minute ends with refusals. With `--images 10000 --units 325000`, it is the real quota and the default settings. Printed
as a table.
"""

from __future__ import annotations

import argparse

from benchmarks.workbench import cloud, heading, migrate, row

QUOTA = 325_000
CORES = 16
UNITS = {"drive.list": 100, "drive.media": 200}
OTHER_UNITS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=600, help="of 100 KB")
    parser.add_argument("--units", type=int, default=QUOTA // 6, help="that Drive allows in a minute")
    options = parser.parse_args()
    heading(f"{options.images:,} images, {CORES} at once, {options.units:,} units a minute", "wanted", "measured")
    if options.units != QUOTA:
        measure("the setting says so", "≥ 0.9", options.images, options.units, drive_units_per_minute=options.units)
    wanted = "≥ 0.9" if options.units == QUOTA else ""
    measure("the setting is left at its default", wanted, options.images, options.units)


def measure(name: str, wanted: str, images: int, units: int, **settings: object) -> None:
    with cloud(images, drive_units_per_minute=units) as emulator:
        cost = migrate(emulator, CORES, **settings)
        log = emulator.log()
    calls = [call for call in log if call["op"].startswith("drive.")]
    spent = sum(UNITS.get(call["op"], OTHER_UNITS) for call in calls if call["status"] < 400)
    refused = sum(call["status"] == 403 for call in calls)
    # The units of a minute may be spent at once, also those of the first and the last one.
    least = 60 * (-(-spent // units) - 1)
    taken = max(call["at"] for call in log) - min(call["at"] for call in calls)
    failed = "" if cost.code == 0 else ", and some failed"
    row(
        f"{name}: share of what the quota allows, calls refused of 100",
        wanted,
        f"{least / taken:.2f}, {100 * refused / len(calls):.2f}{failed}",
    )
    row("the same, whole command", "", f"{cost.seconds:.0f} s")


if __name__ == "__main__":
    main()
