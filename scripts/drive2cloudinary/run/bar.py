"""The progress bar of a run in a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from drive2cloudinary.run.tally import Tally

REFRESHES = 4
"""Refreshes a second."""


class Bar(Progress):
    """A tally at the bottom of the terminal, redrawn a few times a second; messages are printed above it."""

    def __init__(self, console: Console, tally: Tally) -> None:
        # Set first, because the base class already draws the bar.
        self._tally = tally
        super().__init__(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[rate]}", markup=False),
            TextColumn("{task.fields[left]}", markup=False),
            console=console,
            transient=True,
            refresh_per_second=REFRESHES,
            expand=True,
        )
        self.add_task("listing", total=None, rate="", left="")

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bar, and below it the counts."""
        tally = self._tally
        for task in self.task_ids if tally.to_move else ():
            self.update(
                task,
                description=tally.position,
                total=tally.to_move,
                completed=tally.done,
                rate=tally.rate,
                left=tally.left,
            )
        yield self.make_tasks_table(self.tasks)
        if tally.to_move:
            yield Text(f"{tally.statuses}, {tally.amount}")

    def say(self, line: str, style: str) -> None:
        """Print a line above the bar. The terminal wraps it if it is too long."""
        self.console.print(Text(line, style), soft_wrap=True)


def bar(stream: TextIO, tally: Tally, no_color: bool) -> Bar | None:
    """A bar for `stream`; None if that is not a terminal, or one that cannot move its cursor."""
    console = Console(file=stream, no_color=no_color or None)
    return Bar(console, tally) if console.is_terminal and not console.is_dumb_terminal else None
