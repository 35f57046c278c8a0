"""The report: one HTML page that shows the result of each image of a listing."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from drive2cloudinary.causes import Cause
from drive2cloudinary.checks import in_utc
from drive2cloudinary.cloudinary import names
from drive2cloudinary.files import replacing
from drive2cloudinary.report import mapping
from drive2cloudinary.report.mapping import STATUSES, Row
from drive2cloudinary.results import failure, layout, listing, marker
from drive2cloudinary.results.failure import Failure
from drive2cloudinary.results.listing import Image, Listing
from drive2cloudinary.results.marker import Marker

PAGE = Path(__file__).parent / "page"
STYLES = ("uPlot.min.css", "page.css")
SCRIPTS = ("uPlot.iife.min.js", "data.js", "list.js", "plots.js")
URL = re.compile(
    r"((https?://[A-Za-z0-9.-]+(?::\d+)?)/[^?#]*?/(?:upload|(?:private|authenticated)/s--[\w-]+--)/)(.+)", re.DOTALL
)
EXAMPLES = 5
"""How many images are named with each cause; the page's table has all of them."""


def write_report(listed: Path) -> None:
    """Write the report of a listing and its mapping beside them. Raises MigrationError, OSError."""
    results_folder = listed.parent
    text = page(listing.read(listed), mapping.read(layout.mapping_json(results_folder)), results_folder)
    with replacing(layout.report(results_folder)) as stream:
        stream.write(text)


def page(listed: Listing, rows: Sequence[Row], results_folder: Path) -> str:
    """The page as self-contained HTML, which loads nothing from the network but thumbnails from Cloudinary.

    In: a listing, its mapping, and the results folder with the markers and failures. No name or message in them can
    become markup, a script or an address: everything is escaped, links lead only to http and https, and the page's
    Content-Security-Policy allows only the scripts, styles and image hosts that it names.
    """
    images = {image.id: image for image in listed.images}
    missing = [row.file_id for row in rows if row.status in mapping.NOT_IN_CLOUDINARY]
    failures = {file_id: failure.read(results_folder, file_id) for file_id in missing}
    causes = {file_id: failure.cause_of(record) for file_id, record in failures.items()}
    deliveries = _Deliveries()
    entries = [
        _entry(row, _marker_of(row, images.get(row.file_id), results_folder), causes.get(row.file_id), deliveries)
        for row in rows
    ]
    styles, scripts = _inlined(STYLES), _inlined(SCRIPTS)
    counted = Counter(row.status for row in rows)
    return _template().render(
        folder=listed.folder,
        listed_at=listed.listed_at,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        total=len(rows),
        counts={status: counted[status] for status in STATUSES if counted[status] or status != "pending"},
        missing=len(missing),
        bytes=sum(entry["bytes"] or 0 for entry in entries if entry["delivery"] is not None),
        groups=_groups(rows, failures),
        data={
            "columns": list(entries[0]) if entries else [],
            "rows": [list(entry.values()) for entry in entries],
            "deliveries": deliveries.prefixes,
        },
        styles=styles,
        scripts=scripts,
        policy=_policy(styles, scripts, deliveries.origins),
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(shown=shown, moment=_moment)
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return environment.get_template("page.html.j2")


def _groups(rows: Sequence[Row], failures: dict[str, Failure | None]) -> list[dict[str, Any]]:
    """The failures grouped by cause, each cause with its first rows."""
    failed = {row.file_id: row for row in rows if row.file_id in failures}
    return [
        {
            "cause": group.cause,
            "count": len(group.file_ids),
            "rows": [failed[each] for each in group.file_ids[:EXAMPLES]],
        }
        for group in failure.grouped(failures.items())
    ]


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


class _Deliveries:
    """The prefixes of the URLs, up to `/upload/`, so that thousands of rows need not repeat them."""

    def __init__(self) -> None:
        self.prefixes: list[dict[str, str]] = []
        self.origins: set[str] = set()
        self._known: dict[str, int] = {}

    def split(self, row: Row) -> tuple[int | None, str]:
        """The index of a row's prefixes (for the original asset and for the JPG), and the path that follows both.

        (None, "") if the URLs do not have that form.
        """
        found = URL.fullmatch(row.cloudinary_url)
        # Of a signed URL, the JPG's has another signature.
        if not found or not row.jpg_url.startswith(f"{found[2]}/") or not row.jpg_url.endswith(found[3]):
            return None, ""
        original, origin, path = found.groups()
        jpg = row.jpg_url.removesuffix(path)
        if jpg not in self._known:
            self._known[jpg] = len(self.prefixes)
            self.prefixes.append({"original": original, "jpg": jpg})
            self.origins.add(origin)
        return self._known[jpg], path


def _marker_of(row: Row, image: Image | None, results_folder: Path) -> Marker | None:
    if image is None or row.status not in ("uploaded", "existing"):
        return None
    return marker.read(marker.path_of(results_folder, image.id, image.fingerprint))


def _entry(row: Row, proof: Marker | None, cause: Cause | None, deliveries: _Deliveries) -> dict[str, Any]:
    """An image's data for the page's scripts: sizes in bytes and pixels, times in seconds (`uploaded`: since 1970)."""
    asset, seconds = (proof.cloudinary, proof.seconds) if proof else ({}, {})
    delivery, path = deliveries.split(row)
    return {
        "name": shown(row.filename),
        "folder": shown(row.folder_path),
        "status": row.status,
        "note": shown(row.error),
        "cause": cause.title if cause else "",
        "delivery": delivery,
        "path": path,
        "bytes": asset.get("bytes") or row.bytes,
        "width": asset.get("width"),
        "height": asset.get("height"),
        "uploaded": in_utc(proof.uploaded_at).timestamp() if proof else None,
        "download": seconds.get("download"),
        "upload": seconds.get("upload"),
        "id": row.file_id,
    }


def _inlined(files: Sequence[str]) -> Markup:
    # Safe to inline: these files are this project's own and contain no end tag.
    return Markup("\n".join((PAGE / name).read_text(encoding="utf-8") for name in files))  # noqa: S704


def _moment(iso: str) -> str:
    return f"{in_utc(iso):%Y-%m-%d %H:%M} UTC"
