"""How the scripts read their arguments, and how they end: an error is one line, never a traceback."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn

from drive2cloudinary import __version__
from drive2cloudinary.errors import MigrationError, line_of

CANCELLED = "cancelled"
WARNING = "warning: "
"""How a line on stderr begins that is no error."""


def argument_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser that knows --help and --version. In: the program's docstring."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=f"drive2cloudinary {__version__}")
    return parser


def run(main: Callable[[], None]) -> NoReturn:
    """Call a script's main function and exit: with code 0, or with code 1 and one line if it fails."""
    try:
        main()
    except (MigrationError, OSError) as error:
        sys.exit(line_of(error))
    except KeyboardInterrupt:
        sys.exit(CANCELLED)
    sys.exit(0)


def warn(message: str) -> None:
    """Print a warning on standard error."""
    print(f"{WARNING}{message}", file=sys.stderr)
