"""The report: one HTML page that shows the result of each image of a listing."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from drive2cloudinary.causes import Cause
from drive2cloudinary.checks import in_utc
from drive2cloudinary.cloudinary import asset_urls, formats, names
from drive2cloudinary.files import replacing
from drive2cloudinary.paths import Folders, split
from drive2cloudinary.report.folders import ByFolder
from drive2cloudinary.report.natural import natural, natural_path
from drive2cloudinary.report.orphans import Orphan
from drive2cloudinary.report.rows import Merged
from drive2cloudinary.results import failure, layout
from drive2cloudinary.results.listing import Listing
from drive2cloudinary.results.mapping import NOT_IN_CLOUDINARY, STATUSES, Row
from drive2cloudinary.settings import FREE_PLAN_PIXELS

PAGE = Path(__file__).parent / "page"
STYLES = ("uPlot.min.css", "page.css")
SCRIPTS = ("uPlot.iife.min.js", "data.js", "folders.js", "list.js", "plots.js")
EXAMPLES = 5
"""How many images are named with each cause; the page's table has all of them."""
ORPHANS = 100
"""How many orphans are named; orphans.csv has all of them."""


class Report:
    """The page of one listing: `add` each image, then `write` it.

    It holds a few hundred bytes for each image, so that 100,000 images fit into the memory of a small machine.
    """

    def __init__(self, begun: str) -> None:
        """In: when the run began (ISO, UTC). An image with an older failure was not tried again."""
        self._begun = begun
        self._columns: dict[str, list[Any]] = defaultdict(list)
        self._by_folder = ByFolder()
        self._folders = _Numbers[Folders]()
        self._notes, self._causes = _Numbers[str](), _Numbers[str]()
        self._deliveries = _Deliveries()
        self._counts: Counter[str] = Counter()
        self._details: Counter[str] = Counter()
        self._not_tried = self._stored_bytes = 0
        self._sorted_folders: list[Folders] = []

    @property
    def missing(self) -> int:
        """How many images should be in Cloudinary by now, and are not."""
        return sum(self._counts[status] for status in NOT_IN_CLOUDINARY) - self._details["limit"]

    def add(self, each: Merged) -> None:
        """Add an image. In `_columns`: sizes in bytes and pixels, times in ms (`uploaded`: since 1970), None: unknown.

        Texts that many images share (`folder`, `note`, `cause`, `delivery`) are numbers of entries in a list.
        """
        row, proof = each.row, each.proof
        asset, seconds = (proof.cloudinary, proof.seconds) if proof else ({}, {})
        delivery, path = self._deliveries.split(row) if proof else (None, "")
        is_missing = row.status in NOT_IN_CLOUDINARY and row.detail != "limit"
        self._details[row.detail] += 1
        self._not_tried += each.failed is not None and each.failed.time < self._begun
        size = asset.get("bytes") or row.bytes
        values = {
            "name": shown(row.filename),
            "folder": self._folders.of(each.folders),
            "status": STATUSES.index(row.status),
            "note": self._notes.of(shown(row.error)),
            "cause": self._causes.of(failure.cause_of(each.failed).title if is_missing else ""),
            "delivery": delivery,
            "path": path,
            "bytes": size,
            "width": asset.get("width"),
            "height": asset.get("height"),
            "uploaded": round(1000 * in_utc(proof.uploaded_at).timestamp()) if proof else None,
            "download": _ms(seconds.get("download")),
            "upload": _ms(seconds.get("upload")),
            "id": row.file_id,
        }
        for name, value in values.items():
            self._columns[name].append(value)
        self._by_folder.add(row, each.folders)
        self._counts[row.status] += 1
        if delivery is not None:
            self._stored_bytes += size or 0

    def write(self, listed: Listing, orphans: Sequence[Orphan], stopped_because: str, results_folder: Path) -> None:
        """Write the page into a results folder, as self-contained HTML that loads nothing but Cloudinary's thumbnails.

        In: the listing, of which only the head is read; its orphans; why the run was stopped, "" if it was not.
        No name or message can become markup, a script or an address: everything is escaped, links lead only to http and
        https, and the page's Content-Security-Policy allows only the scripts, styles and image hosts that it names.
        Raises OSError.
        """
        self._sort()
        counts, total = self._counts, self._counts.total()
        styles, scripts = _inlined(STYLES), _inlined(SCRIPTS)
        text = _template().render(
            folder=listed.folder,
            listed_at=listed.listed_at,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            total=total,
            counts={status: counts[status] for status in STATUSES if counts[status] or status != "pending"},
            missing=self.missing,
            pending=counts["pending"] - self._details["limit"],
            left=self._details["limit"],
            not_tried=self._not_tried,
            rejected=self._details["rejected"],
            undecided=self._details["undecided"],
            stopped_because=stopped_because,
            bytes=self._stored_bytes,
            groups=self._groups(),
            orphans=sorted(orphans, key=lambda each: (natural_path(split(each.folder_path)), natural(each.filename)))[
                :ORPHANS
            ],
            orphans_total=len(orphans),
            data=_packed(self._data()),
            styles=styles,
            scripts=scripts,
            policy=_policy(styles, scripts, self._deliveries.origins),
        )
        with replacing(layout.report(results_folder)) as stream:
            stream.write(text)

    def _sort(self) -> None:
        """Sort the images naturally. The mapping's order, which others may rely on, is that of the characters."""
        folders = self._folders.all()
        self._sorted_folders = sorted(folders, key=natural_path)
        ranks = {each: rank for rank, each in enumerate(self._sorted_folders)}
        self._columns["folder"] = [ranks[folders[number]] for number in self._columns["folder"]]
        names = list(map(natural, self._columns["name"]))
        order = sorted(range(len(names)), key=names.__getitem__)
        # Sorting keeps the order of what is equal.
        order.sort(key=self._columns["folder"].__getitem__)
        for name, column in self._columns.items():
            self._columns[name] = [column[place] for place in order]

    def _data(self) -> dict[str, Any]:
        """What the page's scripts show; data.js reads it."""
        return {
            "columns": self._columns,
            "statuses": STATUSES,
            "folders": [_shown_names(each) for each in self._sorted_folders],
            "notes": self._notes.all(),
            "causes": self._causes.all(),
            "deliveries": self._deliveries.prefixes,
            "only_stored": self._deliveries.only_stored,
            "most_pixels": FREE_PLAN_PIXELS,
            "by_folder": [
                [_shown_names(each), *(counts.images[status] for status in STATUSES), counts.bytes]
                for each, counts in self._by_folder.counts().items()
            ],
        }

    def _groups(self) -> list[dict[str, Any]]:
        """The causes of what is not in Cloudinary, each with its first images."""
        columns, titles = self._columns, self._causes.all()
        found: dict[str, list[int]] = defaultdict(list)
        for place, number in enumerate(columns["cause"]):
            if titles[number]:
                found[titles[number]].append(place)
        notes = self._notes.all()
        return [
            {
                "cause": cause,
                "count": len(found[cause.title]),
                "is_pending": cause is Cause.NOT_REACHED,
                "images": [
                    {
                        "folder": "/".join(_shown_names(self._sorted_folders[columns["folder"][place]])),
                        "name": columns["name"][place],
                        "note": notes[columns["note"][place]],
                    }
                    for place in found[cause.title][:EXAMPLES]
                ],
            }
            for cause in Cause
            if cause.title in found
        ]


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(shown=shown, moment=_moment)
    return environment.get_template("page.html.j2")


def _packed(data: dict[str, Any]) -> Markup:
    """The data as gzip in base64: a tenth of what it is as JSON, and nothing in it can be taken for markup."""
    packed = gzip.compress(json.dumps(data, separators=(",", ":")).encode(), compresslevel=6, mtime=0)
    return Markup(base64.b64encode(packed).decode())  # noqa: S704


def _policy(styles: str, scripts: str, origins: set[str]) -> str:
    """The Content-Security-Policy: only these scripts and styles run, and only images from `origins` are loaded."""

    def digest(content: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"

    allowed = [f"script-src {digest(scripts)}", f"style-src {digest(styles)}", f"img-src {' '.join(sorted(origins))}"]
    return "; ".join(["default-src 'none'", *allowed, "base-uri 'none'", "form-action 'none'"])


def shown(text: str) -> str:
    """Any text with invisible and direction-changing characters replaced by their code points."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(f"⟨U+{ord(each):04X}⟩" if names.hidden(each) else each for each in text)


def _shown_names(folders: Folders) -> list[str]:
    return [shown(name) or "⟨no name⟩" for name in folders]


_Numbered = TypeVar("_Numbered", str, Folders)


class _Numbers(Generic[_Numbered]):
    """Numbers for texts or paths, from 0 in the order in which they come."""

    def __init__(self) -> None:
        self._known: dict[_Numbered, int] = {}

    def of(self, value: _Numbered) -> int:
        return self._known.setdefault(value, len(self._known))

    def all(self) -> list[_Numbered]:
        return list(self._known)


class _Deliveries:
    """The prefixes of the URLs, up to `/upload/`, so that thousands of rows need not repeat them.

    only_stored: the extensions of URLs of which Cloudinary makes no thumbnail.
    """

    def __init__(self) -> None:
        self.prefixes: list[dict[str, str]] = []
        self.origins: set[str] = set()
        self.only_stored: list[str] = []
        self._known: dict[str, int] = {}
        self._extensions: set[str] = set()

    def split(self, row: Row) -> tuple[int | None, str]:
        """The index of a row's prefixes (for the original asset and for the JPG), and the path that follows both.

        (None, "") if the URLs do not have that form.
        """
        found = asset_urls.split(row.cloudinary_url, row.jpg_url)
        if not found:
            return None, ""
        if found.jpg not in self._known:
            self._known[found.jpg] = len(self.prefixes)
            self.prefixes.append({"original": found.original, "jpg": found.jpg})
            self.origins.add(found.origin)
        _, _, extension = found.path.rpartition("/")[2].lower().rpartition(".")
        if extension not in self._extensions:
            self._extensions.add(extension)
            if formats.fate("", f"x.{extension}") == "only stored":
                self.only_stored.append(extension)
        return self._known[found.jpg], found.path


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(1000 * seconds)


def _inlined(files: Sequence[str]) -> Markup:
    # Safe to inline: these files are this project's own and contain no end tag.
    return Markup("\n".join((PAGE / name).read_text(encoding="utf-8") for name in files))  # noqa: S704


def _moment(iso: str) -> str:
    return f"{in_utc(iso):%Y-%m-%d %H:%M} UTC"
