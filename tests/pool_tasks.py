"""Toy tasks for tests/test_pool.py. A request is a word, and what it is about."""

from __future__ import annotations

import mmap
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from snakemake_executor_plugin_pool.host import Run


def toys(argument: str) -> Callable[[], Run]:
    shared = memoryview(mmap.mmap(-1, 8)).cast("Q")
    return lambda: Toys(argument, shared)


def unprepared(argument: str) -> Callable[[], Run]:
    """Each process is prepared at its third try only."""
    tries = 0

    def prepare() -> Run:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise ValueError(f"not yet:\n{tries}")
        return Tries(tries)

    return prepare


def broken(argument: str) -> Callable[[], Run]:
    with Path(argument).open("a") as stream:
        stream.write("tried\n")
    raise ValueError("no\nsuch thing")


def deadly(argument: str) -> Callable[[], Run]:
    with Path(argument).open("a") as stream:
        stream.write("tried\n")
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


class Tries:
    def __init__(self, tries: int) -> None:
        self.tries = tries

    def __call__(self, request: str) -> str:
        return str(self.tries)

    def drop(self) -> None:
        pass


class Toys:
    def __init__(self, argument: str, shared: memoryview[int]) -> None:
        self.argument, self.shared = argument, shared
        self.dropped = threading.Event()
        self.both = threading.Barrier(2)

    def __call__(self, request: str) -> str:
        word, _, about = request.partition(" ")
        done: str = getattr(self, word)(about)
        return done

    def drop(self) -> None:
        self.dropped.set()

    def wait(self, about: str) -> str:
        """Say in a file that it has begun, by this process. Done when it is dropped."""
        with Path(about).open("a") as stream:
            stream.write(f"{os.getpid()}\n")
        self.dropped.wait(600)
        return "dropped"

    def echo(self, about: str) -> str:
        return f"{about} {self.argument}"

    def pid(self, _: str) -> str:
        return f"{os.getpid()} {os.getppid()}"

    def meet(self, _: str) -> str:
        """Done when the other thread of this process is here, too."""
        self.both.wait(30)
        return str(os.getpid())

    def count(self, _: str) -> str:
        """Only right if no other process counts at the same time."""
        self.shared[0] += 1
        return f"{self.shared[0]} {os.getpid()}"

    def large(self, about: str) -> str:
        return int(about) * "x"

    def large_after(self, about: str) -> str:
        """Wait for a file, say in another that it was there, and give a large answer."""
        self.until(about)
        with Path(about + ".seen").open("a") as stream:
            stream.write(f"{os.getpid()}\n")
        return 5_000_000 * "x"

    def length(self, about: str) -> str:
        return str(len(about))

    def begin_and_sleep(self, about: str) -> str:
        """Say in a file that it has begun, by this process. The first that begins is the only one that sleeps."""
        path = Path(about)
        is_first = not path.exists()
        with path.open("a") as stream:
            stream.write(f"{os.getpid()}\n")
        if is_first:
            time.sleep(600)
        return str(os.getpid())

    def sleep(self, about: str) -> str:
        with Path(about).open("a") as stream:
            stream.write(f"{os.getpid()}\n")
        time.sleep(600)
        return ""

    def until(self, about: str) -> str:
        """Done when there is such a file."""
        while not Path(about).exists():
            time.sleep(0.01)
        return "done"

    def die(self, about: str) -> str:
        with Path(about).open("a") as stream:
            stream.write("died\n")
        os.kill(os.getpid(), signal.SIGKILL)
        return ""

    def exit(self, _: str) -> str:
        sys.exit(3)

    def memory(self, _: str) -> str:
        raise MemoryError

    def fail(self, about: str) -> str:
        raise ValueError(about)

    def resident(self, _: str) -> str:
        """This process' own memory, in KB."""
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
        return str(sum(int(line.split()[1]) for line in lines if line.startswith("Private_")))
