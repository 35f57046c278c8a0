"""The Drive files that belong to this migration, whose assets no other image may replace."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from drive2cloudinary.errors import ImageError
from drive2cloudinary.results import layout, marker
from drive2cloudinary.results.listing import Entries, NoListing


class Members:
    """The Drive files of this migration: those listed, or with a marker, in any results folder below `results`."""

    def __init__(self, results: Path) -> None:
        self._results = results

    def __contains__(self, file_id: object) -> bool:
        return isinstance(file_id, str) and (self._is_listed(file_id) or file_id in self._with_marker)

    def _is_listed(self, file_id: str) -> bool:
        for path in layout.listings_below(self._results):
            try:
                Entries(path).image(file_id)
                return True
            except (ImageError, NoListing):
                continue
        return False

    @cached_property
    def _with_marker(self) -> set[str]:
        # Read only once, because there may be 100,000: a marker that is added later belongs to a listed image.
        return {file_id for path in layout.markers_below(self._results) for file_id in marker.by_file(path.parent)}
