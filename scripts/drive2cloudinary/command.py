"""How the scripts end: an error is one line, never a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn

from drive2cloudinary.errors import MigrationError


def run(main: Callable[[], None]) -> NoReturn:
    """Call a script's main function and exit: with code 0, or with code 1 and one line if it fails."""
    try:
        main()
    except MigrationError as error:
        sys.exit(str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.exit(f"{where}{error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit("cancelled")
    sys.exit(0)


def warn(message: str) -> None:
    """Print a warning on standard error."""
    print(f"warning: {message}", file=sys.stderr)
