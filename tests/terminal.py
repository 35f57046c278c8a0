"""A terminal for the tests: runs a command in a pseudo-terminal and shows what a person would see."""

from __future__ import annotations

import fcntl
import html
import os
import pty
import signal
import struct
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pyte


class Terminal:
    """A running command with a screen of `columns` by 40; the screen is that of xterm, as pyte draws it."""

    def __init__(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str], columns: int = 100
    ) -> None:
        self._screen = pyte.Screen(columns, 40)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self.raw = b""
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], list(command), dict(environment))
        self._set_size(columns)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def lines(self) -> list[str]:
        """What is on the screen now, without empty lines; lines of Snakemake's own are still there."""
        with self._lock:
            return [line.rstrip() for line in self._screen.display if line.strip()]

    @property
    def text(self) -> str:
        """The screen as one text, in which long lines are not wrapped."""
        with self._lock:
            return "".join(line if line.rstrip() == line else line.rstrip() + "\n" for line in self._screen.display)

    def html(self, colors: Mapping[str, str]) -> str:
        """The lines that are not empty as HTML. In: a CSS colour for each of pyte's names."""
        with self._lock:
            rows = [self._screen.buffer[number] for number in range(self._screen.lines)]
            texts = ["".join(_span(row[column], colors) for column in range(self._screen.columns)) for row in rows]
        return "\n".join(text.rstrip() for text, line in zip(texts, self._screen.display, strict=True) if line.strip())

    @property
    def cursor_is_visible(self) -> bool:
        with self._lock:
            return not self._screen.cursor.hidden

    def wait_for(self, condition: Callable[[], object], seconds: float = 60) -> None:
        """Wait until something is to be seen; fails, showing the screen, after a generous time."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "\n".join(self.lines)
            time.sleep(0.02)

    def press_ctrl_c(self) -> None:
        """Sends SIGINT to all that runs in the terminal, as its driver does."""
        self.press("\x03")

    def press(self, keys: str) -> None:
        """Types these characters."""
        os.write(self._descriptor, keys.encode())

    def resize(self, columns: int) -> None:
        with self._lock:
            self._screen.resize(columns=columns)
        self._set_size(columns)

    def end(self) -> int:
        """Wait for the command; returns its exit code."""
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid = 0
        self._reader.join()
        os.close(self._descriptor)
        return code

    def kill(self) -> None:
        """End what a test that failed has left running."""
        if self.pid:
            os.killpg(self.pid, signal.SIGKILL)
            self.end()

    def _set_size(self, columns: int) -> None:
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))

    def _read(self) -> None:
        # A pseudo-terminal ends with an error when its last process has closed it.
        with suppress(OSError):
            while part := os.read(self._descriptor, 65536):
                with self._lock:
                    self.raw += part
                    self._stream.feed(part)


def _span(char: pyte.screens.Char, colors: Mapping[str, str]) -> str:
    if char.fg == "default" and not char.bold:
        return html.escape(char.data)
    style = f"color:{colors.get(char.fg, f'#{char.fg}')}{';font-weight:bold' if char.bold else ''}"
    return f'<span style="{style}">{html.escape(char.data)}</span>'
