"""Read small files, and write them atomically."""

from __future__ import annotations

import codecs
import csv
import errno
import hashlib
import io
import json
import os
import re
import shutil
import stat
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import IO, Any

from drive2cloudinary.errors import MigrationError

_TEMPORARY = re.compile(r"\.(.+)\.([0-9a-f]{32}|[0-9]+)")
"""The names that `replacing` and `make_older` give to what is to become another file."""
WITH_BOM = "utf-8-sig"
"""UTF-8 with a byte order mark; reads it without one, too."""
LARGEST = 16 * 1024 * 1024
"""Bytes: more than any JSON object that this project writes."""


@contextmanager
def replacing(path: Path, newline: str | None = None, encoding: str = "utf-8") -> Iterator[IO[str]]:
    """Write a temporary text file that is renamed to `path` when it is complete.

    It is created beside `path`, with a name that begins with a dot, and removed in any case. Raises OSError (a full
    disk, a read-only folder); then `path` is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Another thread, or a process of another node with the same ID, may write the same file.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        # A name from Drive can contain lone surrogates; written as \udXXX they are valid JSON.
        with temporary.open("x", encoding=encoding, errors="backslashreplace", newline=newline) as stream:
            yield stream
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_unfinished(folder: Path, name: str = "") -> None:
    """Remove the temporary files in a folder whose processes were killed while they wrote. Raises OSError.

    In: the name that the finished file would have; "" for all files.
    """

    def is_unfinished(entry: os.DirEntry[str]) -> bool:
        found = _TEMPORARY.fullmatch(entry.name)
        return found is not None and name in ("", found[1]) and not entry.is_dir()

    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for path in [Path(entry.path) for entry in entries if is_unfinished(entry)]:
            path.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` as JSON, atomically. Raises OSError."""
    with replacing(path) as stream:
        json.dump(value, stream, ensure_ascii=False, indent=1)
        stream.write("\n")


def make_older(path: Path, than: Path) -> None:
    """Make the modification time of `path` earlier than that of the file `than`. Raises OSError.

    Snakemake compares these times. They can be in the future if a clock was ahead or files were copied. The file is
    replaced by a copy, because only its owner may set its time.
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
    """The path is a folder, a pipe or a device."""


def open_file(path: Path) -> IO[bytes]:
    """Open a regular file, or a link to one, for reading. Raises OSError. Never blocks, not even for a pipe."""
    return os.fdopen(_opened(path), "rb")


def _opened(path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotAFile(errno.EINVAL, "is not a file", str(path))
    return descriptor


def open_lock(path: Path) -> IO[bytes]:
    """Open a file to lock it or to rewrite it in place. Creates it if needed, keeps its content. Raises OSError.

    A link is not followed: it could point to any file of the user.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotAFile(errno.EINVAL, "is not a file", str(path))
    return os.fdopen(descriptor, "r+b")


def read_json(path: Path, at_most: int = -1) -> Any:
    """The JSON value in `path`. Raises ValueError if it is not valid JSON, OSError if it cannot be read.

    In: the most bytes to read, -1 for all; a longer file is cut and therefore invalid. NaN and Infinity, which Python
    accepts, are invalid, too.
    """
    # A run reads each marker: without a buffer, that takes half the system calls.
    with FileIO(_opened(path)) as stream:
        content = stream.read(at_most)
    return parsed(content)


def parsed(content: bytes) -> Any:
    """The JSON value in these bytes. Raises ValueError as `read_json` does."""
    try:
        return _JSON.decode(content.decode(json.detect_encoding(content), "surrogatepass"))
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def read_json_object(path: Path) -> dict[str, Any] | None:
    """The JSON object in `path`; None if there is no such file or its content is anything else.

    For small files: at most LARGEST bytes are read. Raises OSError.
    """
    try:
        value = read_json(path, LARGEST)
    except (FileNotFoundError, NotAFile, ValueError):
        return None
    return value if isinstance(value, dict) else None


def md5_of(path: Path) -> str:
    """The md5 of a file's bytes; "" if it cannot be read."""
    try:
        return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    except OSError:
        return ""


def decoded(content: bytes) -> str:
    """The text in these bytes: UTF-8, or what a byte order mark says, as Windows' programs write it.

    Raises UnicodeDecodeError. Windows' ANSI is not guessed: the same bytes are other letters in each country.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    if b"\0" in content:
        # UTF-16 without a mark, or no text at all.
        raise UnicodeDecodeError("utf-8", content, content.index(b"\0"), len(content), "a NUL byte")
    return content.decode(WITH_BOM)


def read_table(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The lines of a CSV file that are not empty, each with its place for messages and its cells; first the header.

    Cells are separated by commas, semicolons or tabs, as the header shows, or a line `sep=;` before it, with which
    Excel names the separator. Raises MigrationError.
    """
    try:
        content = path.read_bytes()
        lines = io.StringIO(decoded(content), newline="").readlines()
    except OSError as error:
        raise MigrationError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        where = f"{path}, line {content[: error.start].count(10) + 1}"
        raise MigrationError(f"{where}: this is not UTF-8: save the file as CSV UTF-8, and run again") from error
    named = re.fullmatch(r'"?sep=(.)"?[,;\t]*\s*', lines[0], re.IGNORECASE) if lines else None
    before = 1 if named else 0
    delimiter = named[1] if named else max(",;\t", key=lines[0].count) if lines else ","
    read = before
    try:
        table = csv.reader(lines[before:], delimiter=delimiter, strict=True)
        for row in table:
            read = before + table.line_num
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield f"{path}, line {read}", cells
    except csv.Error as error:
        raise MigrationError(f"{path}, line {read + 1}: {error}") from error


@contextmanager
def replacing_table(path: Path, columns: Sequence[str], bom: bool) -> Iterator[Callable[[Iterable[object]], None]]:
    """Write a CSV file for people as `replacing` does: RFC 4180, UTF-8, safe to open in a spreadsheet.

    Yields a function that adds a row. In: the header; whether a byte order mark precedes it, without which Excel takes
    the file for Windows' ANSI.
    """
    with replacing(path, newline="", encoding=WITH_BOM if bom else "utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(columns)
        yield lambda row: table.writerow(map(cell, row))


def cell(value: object) -> str:
    """A value that is safe in a spreadsheet: if it looks like a formula, an apostrophe before it makes it text."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_JSON = json.JSONDecoder(parse_constant=_refuse)
