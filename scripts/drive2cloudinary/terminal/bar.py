"""The progress bar of a run in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TextIO

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from drive2cloudinary.terminal.tally import Now, Tally, how_many

REFRESHES = 4
"""Refreshes a second."""


class Bar(Progress):
    """A tally at the bottom of the terminal, redrawn a few times a second; messages are printed above it."""

    def __init__(self, console: Console, tally: Tally, now: Callable[[], Now]) -> None:
        # Set first, because the base class already draws the bar.
        self._tally, self._now = tally, now
        super().__init__(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None, complete_style="green", finished_style="green", pulse_style="green"),
            TextColumn("{task.fields[rate]}", markup=False),
            TextColumn("{task.fields[left]}", markup=False),
            console=console,
            transient=True,
            refresh_per_second=REFRESHES,
            expand=True,
        )
        self.add_task("listing", total=None, rate="", left="")

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bar, below it the counts, and what slows the run down."""
        tally, now = self._tally, self._now()
        for task in self.task_ids:
            if tally.to_move:
                self.update(
                    task,
                    description=tally.position,
                    total=tally.to_move,
                    completed=tally.done,
                    rate=tally.rate,
                    left=tally.left,
                )
            elif now.found:
                self.update(task, description=f"listing: {how_many(now.found)} so far")
        yield self.make_tasks_table(self.tasks)
        if tally.to_move:
            yield Text(f"{tally.statuses}, {tally.amount}")
        for line in now.notices.values():
            yield Text(line, "yellow")

    def say(self, line: str, style: str) -> None:
        """Print a line above the bar. The terminal wraps it if it is too long."""
        self.console.print(Text(line, "" if self.console.no_color else style), soft_wrap=True)


def bar(stream: TextIO, tally: Tally, now: Callable[[], Now], no_color: bool) -> Bar | None:
    """A bar for `stream`; None if that is not a terminal, or one that cannot move its cursor."""
    console = Console(file=stream, no_color=no_color or None)
    return Bar(console, tally, now) if console.is_terminal and not console.is_dumb_terminal else None
