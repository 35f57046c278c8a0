"""Ask the CDN for each URL in a mapping: mapping.json, markers/ → verify.csv, for one folder after the other."""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

from migrate import mapping
from migrate.delivery import Delivery
from migrate.errors import MigrationError, one_line
from migrate.files import replacing
from migrate.settings import Settings
from migrate.verification import Verified, rows_with_url, verify

NAMED = 20
"""So many of the URLs that are not right are named on the terminal."""
PAUSE = 5.0
"""Seconds between two lines of progress."""


def verify_urls(settings: Settings, output: Path, at_once: int, say: Callable[[str], None]) -> tuple[str, bool]:
    """Write `output` for the mapping by it, and say how far it is; returns the outcome as a line, and if all is well.

    In: the settings, verify.csv in a results folder, how many URLs to ask for at once, who is told of what happens.
    Raises MigrationError and OSError; then `output` is as it was.
    """
    rows = mapping.read(output.with_name("mapping.json"))
    failed = sum(row.status == "failed" for row in rows)
    rows = rows_with_url(rows)
    delivery = Delivery(settings, at_once)
    results: Counter[str] = Counter()
    said = time.monotonic()
    with replacing(output, newline="") as stream:
        table = csv.writer(stream)
        table.writerow(Verified.__dataclass_fields__)
        for each in verify(rows, output.parent, delivery, at_once):
            table.writerow([mapping.cell(value) for value in astuple(each)])
            results[each.result] += 1
            if each.result != "ok" and results.total() - results["ok"] <= NAMED:
                say(one_line(f"{each.result}: {one_line(each.filename, 100)}: {each.url}: {each.error}", 1000))
            if time.monotonic() - said > PAUSE:
                said = time.monotonic()
                say(f"{results.total()} of {len(rows)} URLs asked")
    bad = results.total() - results["ok"]
    if bad > NAMED:
        say(f"and {bad - NAMED} more")
    if results["missing"]:
        say(f"to have a missing image moved again, delete {output.parent}/markers/FILE_ID.*.json and run the migration")
    return outcome(results, failed, output), not bad


def outcome(results: Counter[str], failed: int, output: Path) -> str:
    """How many URLs answered and how; and how many images have none, because they failed."""
    ok = results.pop("ok", 0)
    bad = results.total()
    kinds = ", ".join(f"{count} {result}" for result, count in results.most_common())
    what = f"{bad} do not ({kinds})" if bad else "0 do not"
    without = f"; {failed} images failed and have none" if failed else ""
    return f"{ok + bad} URLs asked: {ok} answer as they should, {what}{without} → {output}"


def tell(line: str) -> None:
    print(line, flush=True)


def tell_nobody(line: str) -> None:
    pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, type=Settings.from_json, help="Settings.to_json()")
    parser.add_argument("--at-once", required=True, type=int, help="how many URLs to ask for at once")
    parser.add_argument("--quiet", action="store_true", help="say nothing but the outcome")
    parser.add_argument("output", type=Path, nargs="+", help="verify.csv in each results folder")
    options = parser.parse_args()
    all_well = True
    for output in options.output:
        try:
            line, well = verify_urls(options.settings, output, options.at_once, tell_nobody if options.quiet else tell)
        except MigrationError as error:
            line, well = one_line(error), False
        except OSError as error:
            sys.exit(f"{error.filename or output}: {error.strerror or error}")
        except KeyboardInterrupt:
            sys.exit(f"cancelled: {output} is as it was")
        print(line, file=sys.stderr)
        all_well = all_well and well
    sys.exit(not all_well)


if __name__ == "__main__":
    main()
