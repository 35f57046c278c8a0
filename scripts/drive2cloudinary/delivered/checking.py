"""Check whether Cloudinary still delivers what a cache says, and whether these are the bytes in Drive."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from drive2cloudinary.checks import in_utc
from drive2cloudinary.cloudinary.delivery import Delivered, Delivery
from drive2cloudinary.cloudinary.names import asset_key
from drive2cloudinary.cloudinary.original_url import Address
from drive2cloudinary.delivered.caches import Entry
from drive2cloudinary.drive.file import DriveFile
from drive2cloudinary.errors import one_line

Verdict = Literal["same bytes", "same size", "altered", "missing", "refused", "no answer"]
NO_ANSWER: Verdict = "no answer"
STANDS = ("same bytes", "same size", "altered")
"""The verdicts on an asset that is delivered, best first."""


@dataclass(frozen=True)
class Candidate:
    """An image in Drive, what a cache says of it, and what its URL says."""

    file: DriveFile
    entry: Entry
    address: Address


@dataclass(frozen=True)
class Checked:
    """A candidate and the verdict: why, in words; the delivered bytes and their md5, each None if unknown."""

    candidate: Candidate
    verdict: Verdict
    why: str
    bytes: int | None = None
    md5: str | None = None


def check(candidate: Candidate, delivery: Delivery, thorough: bool) -> tuple[Checked, Delivered]:
    """Ask the CDN for the candidate's URL, and compare with the file in Drive. Raises StopRun.

    In: `thorough`, to download what is delivered instead of trusting the size and the md5 that the CDN states.
    """
    file, url = candidate.file, candidate.entry.url
    answer = delivery.ask(url, file.size)
    # The CDN does not promise that its etag is an md5. So one that differs is no proof of other bytes.
    is_doubtful = file.md5 and answer.md5 not in (None, file.md5) and answer.bytes in (None, file.size)
    if not answer.error and (thorough or is_doubtful):
        answer = delivery.read(url, answer.bytes or 2 * (file.size or 0))
    if answer.error:
        verdict: Verdict = "missing" if answer.is_missing else NO_ANSWER if answer.is_unknown else "refused"
        return Checked(candidate, verdict, one_line(answer.error)), answer
    if file.md5 and answer.md5:
        verdict = "same bytes" if (answer.md5, answer.bytes) in ((file.md5, file.size), (file.md5, None)) else "altered"
    else:
        verdict = "same size" if answer.bytes == file.size else "altered"
    return Checked(candidate, verdict, _why(verdict, candidate, answer), answer.bytes, answer.md5), answer


def _why(verdict: Verdict, candidate: Candidate, answer: Delivered) -> str:
    """The remark for the mapping; "" if the md5 has proved everything."""
    if verdict == "same bytes":
        return ""
    if verdict == "same size":
        return "taken over: its size alone was compared with Drive's"
    kept, had = answer.bytes, candidate.file.size
    since = ", which changed after its upload" if _changed_since(candidate) else ""
    sizes = f"{kept:,} bytes, {had:,} in Drive" if kept is not None and had is not None else "of unknown size"
    return f"taken over: other bytes than in Drive{since} ({sizes}); take_over.py --replace-altered has it moved again"


def _changed_since(candidate: Candidate) -> bool:
    uploaded: datetime | None = candidate.entry.uploaded_at
    try:
        return uploaded is not None and in_utc(candidate.file.modified_time) > uploaded
    except ValueError:
        return False


def winners(checked: Iterable[Checked]) -> dict[str, Checked]:
    """File ID → its result, for one image of each asset: the one whose bytes it most likely has.

    The replaced script gave photo.jpg and photo.png one public_id, so that the later one replaced the earlier.
    """
    best: dict[str, Checked] = {}
    for each in sorted(checked, key=_rank):
        best.setdefault(asset_key(each.candidate.address.public_id), each)
    return {each.candidate.file.id: each for each in best.values()}


def _rank(each: Checked) -> tuple[int, float, str]:
    uploaded = each.candidate.entry.uploaded_at
    rank = STANDS.index(each.verdict) if each.verdict in STANDS else len(STANDS)
    return rank, -uploaded.timestamp() if uploaded else 0.0, each.candidate.file.id
