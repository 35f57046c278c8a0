"""Writing and reading small files so that each is there whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

LARGEST = 16 * 1024 * 1024
"""Bytes: more than any object has that this project writes."""


@contextmanager
def replacing(path: Path, newline: str | None = None) -> Iterator[IO[str]]:
    """A text file to write into that takes the place of `path` only when it is complete.

    The temporary file lies beside `path`, begins with a dot, and is gone whatever happens. Raises OSError (a full disk,
    a read-only folder), in which case `path` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    # What has this name already is a killed process's, or a link that somebody has laid here.
    temporary.unlink(missing_ok=True)
    try:
        # A name from Drive can hold lone surrogates: as \udXXX they are valid JSON, and readable elsewhere.
        with temporary.open("x", encoding="utf-8", errors="backslashreplace", newline=newline) as stream:
            yield stream
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Put `value` into `path` as JSON, whole or not at all. Raises OSError."""
    with replacing(path) as stream:
        json.dump(value, stream, ensure_ascii=False, indent=1)
        stream.write("\n")


def make_older(path: Path, than: Path) -> None:
    """Give `path` an earlier time than that of another file, if it has none. Raises OSError.

    Snakemake goes by these times, and a clock that was ahead, or a copy, leaves times to come. The file is replaced by
    a copy, because only its owner may set its time.
    """
    limit = than.stat().st_mtime_ns
    if not path.exists() or path.stat().st_mtime_ns < limit:
        return
    copy = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        shutil.copyfile(path, copy)
        os.utime(copy, ns=(limit - 10**9, limit - 10**9))
        copy.replace(path)
    finally:
        copy.unlink(missing_ok=True)


class NotAFile(OSError):
    """What has the name is a folder, a pipe or a device."""


def open_file(path: Path) -> IO[bytes]:
    """Open a regular file, or a link to one, for reading. Raises OSError; never waits for the other end of a pipe."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotAFile(errno.EINVAL, "is not a file", str(path))
    return os.fdopen(descriptor, "rb")


def open_lock(path: Path) -> IO[bytes]:
    """Open a file to lock or to rewrite in place, made if need be; what is in it stays. Raises OSError.

    A link is not followed: it could lead to any file of the user's.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotAFile(errno.EINVAL, "is not a file", str(path))
    return os.fdopen(descriptor, "r+b")


def read_json(path: Path, at_most: int = -1) -> Any:
    """The JSON value in `path`. Raises ValueError if there is anything else, OSError if it cannot be read.

    In: the bytes that are read, -1 for all; what is longer is cut, and so is no JSON. NaN and Infinity are none either,
    although Python writes and reads them.
    """
    with open_file(path) as stream:
        content = stream.read(at_most)
    try:
        return json.loads(content, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def read_json_object(path: Path) -> dict[str, Any] | None:
    """The JSON object in `path`; None if there is no such file or it holds anything else.

    For small files: no more than LARGEST bytes are read. Raises OSError.
    """
    try:
        value = read_json(path, LARGEST)
    except (FileNotFoundError, NotAFile, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
