"""The programs that tests may call: what every Debian has, what the README installs, and what tests/needs.py names.

`watch` refuses any other at the moment when a test calls it, so that a fresh machine has what the tests call.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_PACKAGES = {
    "bash": "bash",
    "coreutils": "cat chmod cp env head ls mkdir printenv sleep touch uname",
    "dash": "sh",
    "debianutils": "which",
    "mount": "mount umount",
    "util-linux": "nsenter setpriv unshare",
}
ESSENTIAL = {program: package for package, programs in _PACKAGES.items() for program in programs.split()}
"""Program → the package of it, which each Debian 12 has: `Essential: yes` or `Priority: required`."""
OF_README = {"git", "make", "python3"}
"""What the first command of CONTRIBUTING.md installs."""
NEEDED = {"munged", "rsync", "sbatch", "scancel", "scontrol", "sinfo", "slurmctld", "slurmd", "squeue", "srun"}
"""What only tests call that a Need leaves out where it is missing."""
OF_ENVIRONMENT = {"pip", "python", "snakemake"}
"""On the PATH of a user and of Snakemake's jobs, which begins with the environment that runs them."""
NAMED = {*ESSENTIAL, *OF_README, *NEEDED, *OF_ENVIRONMENT}
_STARTERS = ("env", "nsenter", "setpriv", "unshare")
"""They start the program that stands behind their options."""
_OF_SHELL = re.compile("cd|echo|exec|exit|export|else|fi|if|read|set|test|then|trap|true|umask|wait")


def watch() -> None:
    """From now on, a call of another program raises AssertionError in this process. It cannot be taken back."""
    sys.addaudithook(_look)


def _look(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "os.system":
        words = ["sh", "-c", arguments[0]]
    elif event in ("subprocess.Popen", "os.exec", "os.posix_spawn"):
        words = arguments[1]
    else:
        return
    called = [os.fsdecode(each) for each in (words if isinstance(words, list | tuple) else [words])]
    unnamed = set(programs_in(called)) - NAMED
    if unnamed:
        raise AssertionError(f"{sorted(unnamed)} may be missing on a fresh machine: see tests/programs.py")


def programs_in(words: Sequence[str]) -> Iterator[str]:
    """The programs that a command calls, also behind one that starts another, and in a shell's text.

    What belongs to this project's environments or lies in a test's own folder is no program of the machine.
    """
    if not words:
        return
    first, rest = Path(words[0]), list(words[1:])
    if first.is_absolute() and not first.is_relative_to("/usr") and not first.is_relative_to("/bin"):
        return
    if first.is_absolute() and (first.is_relative_to(sys.prefix) or first.is_relative_to(ROOT)):
        return
    yield first.name
    if first.name in _STARTERS:
        while rest and (rest[0].startswith("-") or "=" in rest[0]):
            # env -u NAME
            del rest[: 2 if rest[0] == "-u" else 1]
        yield from programs_in(rest)
    elif first.name in ("sh", "bash") and "-c" in rest[:2]:
        text = rest[rest.index("-c") + 1]
        # The first word of each command; of what is in quotes, a variable or a path, the shell says nothing.
        for command in re.split(r"[|;&\n(){}]+", re.sub(r"'[^']*'|\"[^\"]*\"", "''", text)):
            word = next((word for word in command.split() if not _OF_SHELL.fullmatch(word)), "")
            if re.fullmatch(r"[a-z][a-z0-9_.-]*", word):
                yield word
