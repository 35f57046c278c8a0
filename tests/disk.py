"""Small or read-only disks, without root: a mount namespace of their own, in a user namespace."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests import needs
from tests.harness import Workspace


@dataclass(frozen=True)
class Disk:
    """A tmpfs over `path`, seen by the commands that `within` runs; `holder` is a process that keeps it there."""

    path: Path
    holder: int

    @property
    def _enter(self) -> tuple[str, ...]:
        return ("nsenter", f"--target={self.holder}", "--user", "--mount", "--preserve-credentials")

    def workspace(self, other: Workspace) -> Workspace:
        """The same working directory as it is with this disk."""
        within = (*self._enter, "sh", "-c", 'cd "$0" && exec "$@"', str(other.path))
        return replace(other, path=Path(f"/proc/{self.holder}/root{other.path}"), within=within)

    def remount(self, options: str) -> None:
        """Give it other options, `size=50m` say."""
        subprocess.run([*self._enter, "mount", "-o", f"remount,{options}", str(self.path)], check=True)


@contextmanager
def mounted(path: Path, options: str) -> Iterator[Disk]:
    """A disk over the folder `path`, which is made. In: the options of a tmpfs: `size=4k`, `ro`."""
    needs.need(needs.MOUNT)
    path.mkdir(parents=True, exist_ok=True)
    mount = 'mount -t tmpfs -o "$0" tmpfs "$1" && echo && exec sleep infinity'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, options, str(path)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert holder.stdout and holder.stdout.readline(), "nothing can be mounted"
        yield Disk(path, holder.pid)
    finally:
        holder.kill()
        holder.communicate()
