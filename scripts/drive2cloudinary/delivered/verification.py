"""Verify a mapping: check for each URL that the CDN delivers as many bytes as the image's marker says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Literal

from drive2cloudinary.cloudinary.delivery import Delivered, Delivery, ask_all
from drive2cloudinary.errors import one_line
from drive2cloudinary.files import replacing_table
from drive2cloudinary.results import layout, mapping, marker
from drive2cloudinary.results.mapping import UPLOAD_FAILED, Row
from drive2cloudinary.settings import Settings
from drive2cloudinary.wording import agreeing, counted

Result = Literal["ok", "missing", "wrong size", "refused", "no answer"]
NAMED = 20
"""The most bad URLs that are named on the terminal."""


@dataclass(frozen=True)
class Verified:
    """The result for one URL; the fields are the columns of verify.csv.

    status: the HTTP status, None without an answer; expected_bytes: the stored size from the marker, None without one;
    bytes: the delivered size, None if the CDN does not state it; error: the error, or why the sizes were not compared.
    """

    file_id: str
    filename: str
    folder_path: str
    public_id: str
    url: str
    result: Result
    status: int | None
    expected_bytes: int | None
    bytes: int | None
    error: str


def rows_with_url(rows: Iterable[Row]) -> list[Row]:
    """The rows of the images that are in Cloudinary."""
    return [row for row in rows if row.cloudinary_url not in ("", UPLOAD_FAILED)]


def verify(
    rows: Sequence[Row], results_folder: Path, settings: Settings, at_once: int, say: Callable[[str], None]
) -> Iterator[Verified]:
    """Request the URL of each row from the CDN, `at_once` at a time; the results come in the order of the rows.

    In: the rows that have a URL; their results folder with the markers; `say`, called with lines about the progress.
    jpg_url is not requested, because Cloudinary would create each JPG and count it as a transformation. Raises StopRun
    if the CDN asks for a long pause, or does not answer at all.
    """
    delivery = Delivery(settings, at_once)
    markers = marker.by_file(results_folder)

    def check(row: Row) -> tuple[Verified, Delivered]:
        expected = _stored_bytes(row, results_folder, markers.get(row.file_id, []))
        answer = delivery.ask(row.cloudinary_url, expected)
        return _verified(row, expected, answer), answer

    return ask_all(rows, check, at_once, say)


def _stored_bytes(row: Row, results_folder: Path, markers: Iterable[str]) -> int | None:
    """The size that Cloudinary stored, from the marker. With `fit`, it differs from the size in Drive."""
    for name in markers:
        found = marker.read(marker.named(results_folder, name))
        if found and found.cloudinary["secure_url"] == row.cloudinary_url:
            stored = found.cloudinary.get("bytes")
            return stored if isinstance(stored, int) else None
    return None


def _verified(row: Row, expected: int | None, answer: Delivered) -> Verified:
    result: Result = "ok"
    error = ""
    if answer.error:
        error = one_line(answer.error)
        result = "refused"
        if answer.is_missing:
            result = "missing"
        elif answer.is_unknown:
            result = "no answer"
    elif expected is None:
        error = "the size was not compared: the image has no marker any more, or the marker has no size"
    elif answer.bytes is None:
        error = "the size was not compared: the CDN does not state it"
    elif answer.bytes != expected:
        result = "wrong size"
        stored = f"{expected:,} {agreeing(expected, 'was', 'were')} stored"
        error = f"the CDN delivers {counted(answer.bytes, 'byte')}, {stored}"
    return Verified(
        file_id=row.file_id,
        filename=row.filename,
        folder_path=row.folder_path,
        public_id=row.public_id,
        url=row.cloudinary_url,
        result=result,
        status=answer.status,
        expected_bytes=expected,
        bytes=answer.bytes,
        error=error,
    )


def verify_urls(settings: Settings, output: Path, at_once: int, say: Callable[[str], None]) -> tuple[str, bool]:
    """Verify the mapping beside `output` and write `output`; returns the outcome in one line, and whether all is well.

    In: the settings, verify.csv in a results folder, how many URLs to request at once, and `say`, called with lines
    about progress and bad URLs. Raises MigrationError and OSError; then `output` is unchanged.
    """
    rows = mapping.read(layout.mapping_json(output.parent))
    failed = sum(row.status in mapping.NOT_IN_CLOUDINARY for row in rows)
    rows = rows_with_url(rows)
    results: Counter[str] = Counter()
    with replacing_table(output, list(Verified.__dataclass_fields__), settings.csv_bom) as add:
        for each in verify(rows, output.parent, settings, at_once, say):
            add(astuple(each))
            results[each.result] += 1
            if each.result != "ok" and results.total() - results["ok"] <= NAMED:
                say(one_line(f"{each.result}: {one_line(each.filename, 100)}: {each.url}: {each.error}", 1000))
    bad = results.total() - results["ok"]
    if bad > NAMED:
        say(f"and {bad - NAMED} more")
    if results["missing"]:
        missing = layout.markers(output.parent) / "FILE_ID.*.json"
        say(f"to have a missing image moved again, delete {missing} and run the migration")
    return outcome(results, failed, output), not bad


def outcome(results: Counter[str], failed: int, output: Path) -> str:
    """The outcome in one line: how many URLs gave which result, and how many failed images have no URL."""
    ok = results.pop("ok", 0)
    bad = results.total()
    kinds = ", ".join(f"{count} {result}" for result, count in results.most_common())
    well = f"{ok} {agreeing(ok, 'answers as it should', 'answer as they should')}"
    what = f"{bad} {agreeing(bad, 'does', 'do')} not{f' ({kinds})' if bad else ''}"
    without = f"; not in Cloudinary: {failed}" if failed else ""
    return f"{counted(ok + bad, 'URL')} asked: {well}, {what}{without} → {output}"
