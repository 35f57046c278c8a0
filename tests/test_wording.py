"""Each noun and verb of a message has the number of what it counts."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from drive2cloudinary.causes import Cause
from drive2cloudinary.delivered.caches import Caches, Entry
from drive2cloudinary.delivered.taking import Outcome, _summary
from drive2cloudinary.delivered.verification import outcome
from drive2cloudinary.plan.pending import Pending
from drive2cloudinary.report.summary import Summary
from drive2cloudinary.results.failure import Group
from drive2cloudinary.results.listing import Image, Listing
from drive2cloudinary.settings import Settings
from drive2cloudinary.terminal import progress
from drive2cloudinary.terminal.preview import Preview, warnings
from drive2cloudinary.terminal.tally import Listed
from drive2cloudinary.wording import counted
from tests import needs
from tests.harness import ROOT


@pytest.mark.parametrize(
    ("number", "images", "entries"),
    [(0, "0 images", "0 entries"), (1, "1 image", "1 entry"), (1200, "1,200 images", "1,200 entries")],
)
def test_one_is_singular_and_all_else_plural(number: int, images: str, entries: str) -> None:
    assert (counted(number, "image"), counted(number, "entry", "entries")) == (images, entries)


def listed(number: int, **more: Any) -> list[Image]:
    """So many images, of whatever makes a preview warn."""
    fields = {"id": "1", "name": "x.pdf", "folders": (), "mime_type": "application/pdf", "size": 0, "md5": None}
    fields |= {"modified_time": "", "public_id": "other", "no_download": True, "pixels": 30_000_000}
    return [Image(**{**fields, **more}) for _ in range(number)]


def said(number: int) -> list[str]:
    """The messages that count, about so many of each thing."""
    settings = Settings(max_bytes=1)
    whole = Listing("1AbC", "Photos", "Photos", "2026-01-01T00:00:00+00:00", {}, listed(number))
    pending = [Pending(each, "new") for each in whole.images]
    summary = Summary(
        Counter(failed=number, pending=2 * number),
        Counter(limit=number, rejected=number, undecided=number),
        [Group(cause, ["1"] * number) for cause in Cause],
    )
    caches = Caches({str(each): Entry("", "", None) for each in range(number)}, set(), number, number)
    return [
        *warnings(whole.images, "Photos", settings),
        *warnings(listed(number, size=5, mime_type="image/x-nikon-nef", name="x.nef"), "Photos", settings),
        *warnings(listed(number, mime_type="image/tiff", name="x.dng"), "Photos", settings),
        Preview(pending, 0, whole, True, settings)._how_many,
        str(Listed(number, 0, 0, 0, 0)),
        *progress._to_do(progress.Outcome(summary, Path(), [], {}, number, "", [], False)),
        *progress._to_do(progress.Outcome(summary, Path(), [], {}, number, "a reason", [], False)),
        *_summary(Outcome(), caches, number),
        outcome(Counter(ok=number), 0, Path("verify.csv")),
        outcome(Counter(missing=number), 0, Path("verify.csv")),
        *needs.summary([f"Skipped: {needs.RSYNC.missing}"] * number),
    ]


THINGS = "image|URL|test|cache|Drive folder|more folder"
OF_TWO = re.compile(
    rf"\b2 ({THINGS}|entry)\b|\b2 (\w+ )?(that )?(is|has|does|was|answers)\b|: (a|an|another) \w+ that "
)
OF_ONE = re.compile(rf"\b1 ({THINGS})s\b|\b1 entries\b|\b1 (\w+ )?(that )?(are|have|do|were|answer)\b")


def test_messages_about_one_thing_are_singular_and_about_two_plural() -> None:
    one, two = said(1), said(2)
    assert len(one) > 30
    assert not [line for line in one if OF_ONE.search(line)]
    assert not [line for line in two if OF_TWO.search(line)]
    assert "2 images that are PDFs, which free accounts do not deliver" in "\n".join(two)
    assert "1 URL asked: 1 answers as it should, 0 do not → verify.csv" in one
    assert "2 URLs asked: 0 answer as they should, 2 do not (2 missing) → verify.csv" in two


def test_no_message_spells_a_plural_of_its_own() -> None:
    """What counts a thing calls `counted`, so that it is right for one, too."""
    spelled = re.compile(r"\{[^{}\"']*\} (?:images|URLs|files|entries|caches|tests|seconds|minutes|hours|days)\b")
    # Numbers that are never one: with a decimal, of ten seconds and more, or of two and more by what stands before.
    allowed = {
        "{self.done / moving:.1f} images",
        "{images:.1f} images",
        "{seconds:.0f} seconds",
        "{unanswered} URLs",
        "{IN_A_ROW} images",
    }
    found = set()
    for path in (ROOT / "scripts").rglob("*.py"):
        found |= {each for each in spelled.findall(path.read_text()) if each not in allowed}
    assert found == {"{len(found)} images"}, "several that fit one path"
