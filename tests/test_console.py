"""The output during a run: a bar in a terminal, lines in a pipe, only errors with --quiet."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.harness import PATIENCE, Finished, Workspace, catches, wait_for
from tests.terminal import Terminal

BAR = "━"
HOSTILE = "locked [red]\x1b[2J\nx[/red].jpg"
SHOWN = "locked [red] [2J x[/red].jpg"


@pytest.fixture
def in_terminal(workspace: Workspace) -> Iterator[Callable[..., Terminal]]:
    """Starts the real command in a terminal."""
    started: list[Terminal] = []

    def start(*arguments: str, columns: int = 100, cores: int = 4, **config: Any) -> Terminal:
        environment = {**workspace.variables(), "TERM": "xterm-256color", **workspace.environment}
        command = workspace.command(*arguments, cores=cores, **config)
        started.append(Terminal(command, workspace.path, environment, columns))
        return started[-1]

    yield start
    for terminal in started:
        terminal.kill()


def counts_of(text: str) -> dict[str, int]:
    """The numbers of a line of counts: how many are uploaded, existing, failed and skipped."""
    found = re.findall(r"(\d+) (uploaded|existing|failed|skipped)", text)
    return {status: int(number) for number, status in found}


def test_a_terminal_shows_one_bar_and_failures_above_it_and_is_left_clean(
    workspace: Workspace, in_terminal: Callable[..., Terminal]
) -> None:
    workspace.add(HOSTILE, HOSTILE, HOSTILE, capabilities={"canDownload": False})
    workspace.add(*(f"{number}.jpg" for number in range(20)), "left out.jpg")
    workspace.cloud.faults([{"on": "drive.list", "do": {"hold": 0}, "times": None}])
    terminal = in_terminal(exclude="left*", timeout=PATIENCE)
    terminal.wait_for(lambda: any("listing" in line and BAR in line for line in terminal.lines))
    # Then seven images are in hand, so that there is room for those that fail, whenever their turn comes.
    workspace.hold_uploads(after=13)
    bar = rf"16 of 23 images, 69 % {BAR}+.* [0-9.]+ images/s, [0-9.]+ (bytes|kB)/s (\d+ (d|h|min|s) )+left$"

    def shows_one_bar() -> bool:
        *above, shown, below = terminal.lines
        failed = sum(f"failed: {SHOWN}: its owner does not allow" in line for line in above)
        counts = {"uploaded": 13, "existing": 0, "failed": 3, "skipped": 1}
        is_below_it = counts_of(below) == counts and below.endswith("skipped, 13.0 kB of 23.0 kB")
        return bool(re.match(bar, shown)) and is_below_it and failed == 3 and BAR not in "".join(above)

    terminal.wait_for(lambda: len(terminal.lines) > 1 and shows_one_bar())
    assert not terminal.cursor_is_visible

    terminal.resize(60)
    terminal.wait_for(lambda: sum(BAR in line for line in terminal.lines[-3:]) == 1)
    terminal.resize(100)
    workspace.cloud.faults([])

    assert terminal.end() == 1
    assert terminal.cursor_is_visible and not any(BAR in line for line in terminal.lines[-8:]), terminal.lines
    assert terminal.text.count("failed: ") == 3
    assert "24 images listed: 23 to move, 0 moved before, 1 skipped" in terminal.text
    assert b"\x1b[1m20 of 23 images" in terminal.raw, "bold"
    done = Finished(1, terminal.text, "")
    assert workspace.agreed(done).to_do[0].startswith("3 images: not allowed to be downloaded by this account. Ask the")


def test_what_slows_a_run_is_shown_below_the_bar_and_goes_again(
    workspace: Workspace, in_terminal: Callable[..., Terminal]
) -> None:
    workspace.add(*(f"{number}.jpg" for number in range(40)))
    workspace.cloud.settings(drive_units_per_minute=105 + 4 * 200)
    terminal = in_terminal(retries=3)
    terminal.wait_for(lambda: any(line.startswith("slowed down by Drive: ") for line in terminal.lines[-2:]))
    workspace.cloud.settings(drive_units_per_minute=0, delay=1.5)
    terminal.wait_for(lambda: BAR in terminal.text and "slowed down" not in terminal.text)
    workspace.cloud.settings(delay=0)
    assert terminal.end() == 0
    assert "slowed down" not in terminal.text


def test_a_pipe_is_told_once_what_slows_a_run_and_that_it_is_over(workspace: Workspace) -> None:
    """And now and then, how far it is."""
    workspace.add(*(f"{number}.jpg" for number in range(7)))
    workspace.cloud.settings(delay=1.5)
    first = {"on": "cloudinary.upload", "times": 1}
    down, limited = {"status": 503, "message": "down"}, {"status": 420, "message": "Rate Limit Exceeded"}
    workspace.cloud.faults([{**first, "do": {"error": each}} for each in (down, limited)])
    began = time.monotonic()
    done = workspace.run(cores=1).succeeded()
    for said in ("trying again: ", "slowed down by Cloudinary: 1 upload at once", "no longer trying again"):
        assert done.line(said)
    progress = [line for line in done.lines if " of 7 images, " in line and " %: " in line]
    assert 1 <= len(progress) <= (time.monotonic() - began) // 5 and "\x1b" not in done.said, done.said
    numbers = re.match(
        r"(\d) of 7 images, \d+ %: (\d) uploaded, 0 existing, 0 failed, 0 skipped, \d(\.0 kB| bytes) of 7.0 kB, "
        r"[0-9.]+ images/s, [0-9.]+ (bytes|kB)/s, (\d+ (d|h|min|s) )+left$",
        progress[-1],
    )
    assert numbers and numbers[1] == numbers[2], "what is under way is not uploaded"


@pytest.mark.parametrize("how", ["Ctrl-C", "Ctrl-C twice", "SIGTERM"])
def test_a_terminal_is_left_clean_by_a_run_that_was_ended(
    workspace: Workspace, in_terminal: Callable[..., Terminal], how: str
) -> None:
    workspace.add(*(f"{number}.jpg" for number in range(16)))
    workspace.hold_uploads(after=4)
    terminal = in_terminal(timeout=PATIENCE)
    terminal.wait_for(lambda: any("4 uploaded" in line for line in terminal.lines))
    if how == "SIGTERM":
        os.kill(terminal.pid, signal.SIGTERM)
    else:
        terminal.press_ctrl_c()
    if how == "Ctrl-C twice":
        # Two that come together are one. The first one also has SIGHUP end the run at once.
        wait_for(lambda: not catches(terminal.pid, signal.SIGHUP))
        terminal.press_ctrl_c()
    else:
        workspace.wait_until_ending()
        workspace.cloud.faults([])
    assert terminal.end() == (1 if how == "SIGTERM" else 130)
    assert terminal.cursor_is_visible and BAR not in terminal.text, terminal.lines
    assert "Traceback" not in terminal.text
    assert "to do: " in terminal.text and "Run the same command again." in terminal.text


def test_a_terminal_that_cannot_move_its_cursor_gets_lines_and_one_without_colours_none(
    workspace: Workspace, in_terminal: Callable[..., Terminal]
) -> None:
    workspace.add(HOSTILE, capabilities={"canDownload": False})
    for environment, has_bar in (({"TERM": "dumb"}, False), ({"TERM": "xterm", "NO_COLOR": "1"}, True)):
        workspace.environment |= environment
        terminal = in_terminal(*(["--nocolor"] if has_bar else []))
        assert terminal.end() == 1
        assert f"failed: {SHOWN}: " in terminal.text and (BAR in terminal.raw.decode()) == has_bar
        assert not re.search(rb"\x1b\[[0-9;]*[1-9][0-9;]*m", terminal.raw), "no colours"


def test_quiet_is_silent_unless_something_is_wrong_and_quiet_all_even_then(workspace: Workspace) -> None:
    workspace.add("one.jpg")
    done = workspace.run("--quiet").succeeded()
    assert not done.lines
    workspace.add("locked.jpg", capabilities={"canDownload": False})
    done = workspace.run("--quiet").failed()
    assert [line.partition(": ")[0] for line in done.lines] == ["failed", "2 images", "mapping", "to do"]
    done = workspace.run("--quiet", "all").failed()
    assert not done.lines


def test_a_run_counts_what_is_in_cloudinary_already_by_itself(workspace: Workspace) -> None:
    """As existing in the summary and as moved before in a second run, but not as uploaded by either."""
    workspace.add("one.jpg", "two.jpg")
    quiet = workspace.run().succeeded()
    for path in (workspace.results / "markers").iterdir():
        path.unlink()
    workspace.add("three.jpg")
    wordy = workspace.run("--verbose").succeeded()
    said = workspace.agreed(wordy)
    assert said.counts == {"uploaded": 1, "existing": 2, "failed": 0, "skipped": 0} and said.now == 1
    assert "uploaded: three.jpg: http" in wordy.said and "uploaded: one.jpg" not in wordy.said
    assert wordy.line("not in a subfolder: 1 uploaded, 2 existing, 0 failed, 0 skipped, ")
    assert "not in a subfolder" not in quiet.said and "one.jpg: http" not in quiet.said
