"""Toy tasks for tests/test_pool.py. A request is the name of a method and its arguments."""

from __future__ import annotations

import builtins
import mmap
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from snakemake_executor_plugin_pool import Answer, Status
from snakemake_executor_plugin_pool.host import Run


def toys(argument: str) -> Callable[[], Run]:
    shared = memoryview(mmap.mmap(-1, 8)).cast("Q")
    return lambda: Toys(argument, shared)


def broken(argument: str) -> Callable[[], Run]:
    note(argument)
    raise ValueError("no\nsuch thing")


def deadly(argument: str) -> Callable[[], Run]:
    note(argument)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def note(path: str) -> None:
    """Write the PID of this process into a file, on a line of its own."""
    with Path(path).open("a") as stream:
        stream.write(f"{os.getpid()}\n")


class Toys:
    def __init__(self, argument: str, shared: memoryview[int]) -> None:
        self.argument, self.shared = argument, shared
        self.dropped = threading.Event()
        self.both = threading.Barrier(2)

    def __call__(self, request: list[str]) -> Answer:
        name, *arguments = request
        line: str = getattr(self, name)(*arguments)
        return Answer(Status.DROPPED if name == "wait" else Status.DONE, line)

    def drop(self) -> None:
        self.dropped.set()

    def echo(self, text: str) -> str:
        return f"{text} {self.argument}"

    def pids(self) -> str:
        return f"{os.getpid()} {os.getppid()}"

    def meet(self) -> str:
        """Wait for the other thread of this process."""
        self.both.wait(30)
        return str(os.getpid())

    def count(self) -> str:
        """Only right if no other process counts at the same time."""
        self.shared[0] += 1
        return f"{self.shared[0]} {os.getpid()}"

    def sleep_once(self, begun: str) -> str:
        """Note this process. The first one that does sleeps."""
        is_first = not Path(begun).exists()
        note(begun)
        if is_first:
            time.sleep(600)
        return str(os.getpid())

    def sleep(self, begun: str) -> str:
        note(begun)
        time.sleep(600)
        return ""

    def wait(self, begun: str) -> str:
        """Note this process, and wait until it is told to drop its requests."""
        note(begun)
        self.dropped.wait(600)
        return "dropped"

    def until(self, go: str, begun: str) -> str:
        """Note this process, and wait until the file `go` exists."""
        note(begun)
        while not Path(go).exists():
            time.sleep(0.01)
        return "done"

    def large_after(self, go: str, begun: str) -> str:
        """Wait until the file `go` exists, note this process, and give a large answer."""
        while not Path(go).exists():
            time.sleep(0.01)
        note(begun)
        return 5_000_000 * "x"

    def die(self, deaths: str) -> str:
        note(deaths)
        os.kill(os.getpid(), signal.SIGKILL)
        return ""

    def fail(self, kind: str, text: str) -> str:
        """Raise a built-in exception."""
        raise getattr(builtins, kind)(text)
