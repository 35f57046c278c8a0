"""File systems on which chmod has no effect: the mode of a file says nothing there about who may change it."""

from __future__ import annotations

import os
import re
from pathlib import Path

MOUNTS = Path("/proc/self/mounts")
WITHOUT_MODES = ("drvfs", "vfat", "msdos", "exfat", "vboxsf")
"""Their files have the mode that the options of the mount give to all of them."""


def without_modes(path: Path, mounts: str | None = None) -> str:
    """The mount point of a file, if chmod has no effect there; "" if it has, or if nothing is known about it.

    In: the text of /proc/self/mounts (proc_pid_mounts(5)), None to read it. Drives of Windows are the file system drvfs
    in WSL 1, and 9p with the option aname=drvfs in WSL 2. With the option metadata, they keep modes:
    https://learn.microsoft.com/windows/wsl/file-permissions.
    """
    if mounts is None:
        try:
            mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return ""
    file = Path(os.path.realpath(path))
    found = "", "", ""
    for line in mounts.splitlines():
        _, point, kind, options, *_ = [*map(_unescaped, line.split(" ")), "", "", "", ""]
        # Of two mounts at the same point, the later one covers the other.
        if file.is_relative_to(point) and len(point) >= len(found[0]):
            found = point, kind, options
    point, kind, options = found
    each = re.split("[,;]", options)
    is_windows = kind == "drvfs" or (kind == "9p" and "aname=drvfs" in each)
    return point if (is_windows or kind in WITHOUT_MODES) and "metadata" not in each else ""


def _unescaped(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)
