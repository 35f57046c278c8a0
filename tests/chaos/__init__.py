"""Long randomized trials, in addition to the tests: `python -m tests.chaos --help`.

The storm (storm.py), signals at any moment (signals.py), disks that are full at any size (disks.py), and searches for
secrets after runs of every kind (searches.py). All run the plain command of the README, against the emulated cloud.
"""

from __future__ import annotations

import sys
from pathlib import Path

# pytest knows where scripts/ is; a program does not.
sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
