"""Writing and reading small files so that each is there whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def replacing(path: Path, newline: str | None = None) -> Iterator[IO[str]]:
    """A text file to write into that takes the place of `path` only when it is complete.

    The temporary file lies beside `path`, begins with a dot, and is gone whatever happens. Raises OSError (a full disk,
    a read-only folder), in which case `path` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # A name from Drive can hold lone surrogates: as \udXXX they are valid JSON, and readable elsewhere.
        with temporary.open("w", encoding="utf-8", errors="backslashreplace", newline=newline) as stream:
            yield stream
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Put `value` into `path` as JSON, whole or not at all. Raises OSError."""
    with replacing(path) as stream:
        json.dump(value, stream, ensure_ascii=False, indent=1)
        stream.write("\n")


def read_json_object(path: Path) -> dict[str, Any] | None:
    """The JSON object in `path`; None if there is no such file or it holds anything else."""
    try:
        value = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return value if isinstance(value, dict) else None
