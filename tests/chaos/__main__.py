"""The command line: `python -m tests.chaos [--minutes 10] [--signals 60] [--disks 16] [--secrets 11] [--seed N]`."""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos import __doc__ as about
from tests.chaos.disks import run_disks
from tests.chaos.searches import SEARCHES, run_searches
from tests.chaos.signals import run_signals
from tests.chaos.storm import run_storm


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="how long faults and kills go on; 0: no storm")
    parser.add_argument("--images", type=int, default=300, help="how many the storm begins with, at least 20")
    parser.add_argument("--signals", type=int, default=60, help="how many runs get a signal")
    parser.add_argument("--disks", type=int, default=16, help="how many sizes of a disk get full")
    parser.add_argument("--secrets", type=int, default=len(SEARCHES), help="how many kinds of runs are searched")
    parser.add_argument("--seed", type=int, default=None, help="random if it is left out")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 30) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # A shell's background job ignores SIGINT, and the runs would inherit that and ignore Ctrl-C.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    wrong = run_signals(folder / "signals", options.signals, seed)
    wrong += run_disks(folder / "disks", options.disks, seed)
    wrong += run_searches(folder / "searches", options.secrets, seed)
    if options.minutes:
        wrong += run_storm(folder / "storm", options.minutes, max(options.images, 20), seed)
    if wrong:
        sys.exit(f"{len(wrong)} things are wrong, and kept in {folder}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
