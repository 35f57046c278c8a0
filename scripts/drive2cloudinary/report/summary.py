"""What the mappings of a run say in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from drive2cloudinary.results import failure, mapping


@dataclass(frozen=True)
class Summary:
    """The number of rows by status and by detail; the images that should be in Cloudinary and are not, grouped by
    their failures' causes.
    """

    counts: Counter[str]
    details: Counter[str]
    failures: list[failure.Group]


def summary(json_paths: Iterable[Path]) -> Summary:
    """Sum up several mapping.json. Raises as mapping.read."""
    counts, details = Counter[str](), Counter[str]()
    failed = []
    for path in json_paths:
        for row in mapping.read(path):
            counts[row.status] += 1
            details[row.detail] += 1
            if row.status in mapping.NOT_IN_CLOUDINARY and row.detail != "limit":
                failed.append((row.file_id, failure.read(path.parent, row.file_id)))
    return Summary(counts, details, failure.grouped(failed))
