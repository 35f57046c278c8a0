"""What some tests need that a machine may lack. Without it they are left out; the end of the run says which, and why.

With the variable CI set, it is an error: nothing is left out where it decides.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

import pytest

from drive2cloudinary.wording import counted

PREFIX = "left out, because here is "


@dataclass(frozen=True)
class Need:
    """What is missing, in words; how one gets it; whether it is there."""

    missing: str
    remedy: str
    is_there: Callable[[], bool]


PACKAGES = "sudo make test-packages"
AS_ROOT = "run make test as root, as a container does"


def _programs(*names: str) -> Callable[[], bool]:
    places = f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin"
    return lambda: all(shutil.which(name, path=places) for name in names)


@cache
def _can_mount() -> bool:
    command = ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(command, capture_output=True).returncode == 0


BROWSER = Need("no browser", PACKAGES, _programs("chromium"))
RSYNC = Need("no rsync", PACKAGES, _programs("rsync"))
SLURM = Need("no Slurm", PACKAGES, _programs("munged", "slurmctld", "slurmd", "sbatch"))
ROOT = Need("no root", AS_ROOT, lambda: os.geteuid() == 0)
MOUNT = Need("no user namespace", "sudo sysctl kernel.unprivileged_userns_clone=1", _can_mount)
ALL = (BROWSER, RSYNC, SLURM, ROOT, MOUNT)


def need(*needs: Need) -> None:
    """Leave the test that calls this out if one of these is missing; fail it where CI is set."""
    for each in needs:
        if not each.is_there():
            if os.environ.get("CI"):
                pytest.fail(f"here is {each.missing}: {each.remedy}")
            pytest.skip(f"{PREFIX}{each.missing}")


def summary(reasons: Iterable[str]) -> list[str]:
    """The lines on what was left out. In: why each test was skipped, as pytest reports it."""
    skipped = Counter(reasons)
    found = [(each, sum(count for reason, count in skipped.items() if each.missing in reason)) for each in ALL]
    return [
        f"{counted(count, 'test')} left out, because here is {each.missing}: {each.remedy}"
        for each, count in found
        if count
    ]
