"""A plugin of coverage: processes of the pool are killed as a run ends, so they save now and then (make coverage)."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from typing import Any

from coverage import Coverage

SECONDS = 0.2


def coverage_init(registry: Any, options: Any) -> None:
    """Called by coverage in each process, as it starts."""
    os.register_at_fork(after_in_parent=save, after_in_child=keep_saving)


def save() -> None:
    """Write what was measured until now."""
    # One that fails is made up for by the next.
    with suppress(Exception):
        if current := Coverage.current():
            current.save()


def keep_saving() -> None:
    """Save now and then, in a thread."""

    def saving() -> None:
        while True:
            time.sleep(SECONDS)
            save()

    threading.Thread(target=saving, daemon=True).start()
