"""How a program ends that a rule or a person runs: an error is one line, never a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn

from drive2cloudinary.errors import MigrationError

CANCELLED = "cancelled"


def run(main: Callable[[], None]) -> NoReturn:
    """Call a program's main function and exit: with code 1 and one line if it fails, with 0 if it returns."""
    try:
        main()
    except MigrationError as error:
        sys.exit(str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.exit(f"{where}{error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit(CANCELLED)
    sys.exit(0)


def warn(message: str) -> None:
    """A line on standard error that does not end the program."""
    print(f"warning: {message}", file=sys.stderr)
