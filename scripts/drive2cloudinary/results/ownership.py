"""Whose images they are: the Drive files whose assets no other image may take."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from drive2cloudinary.errors import ImageError
from drive2cloudinary.results import layout, marker
from drive2cloudinary.results.listing import Entries, NoListing


class Members:
    """The Drive files that are images of this migration: listed, or with a marker, in any folder below `results`."""

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
        # Read once, for folders of 100,000: a marker that comes later is that of a listed image.
        return {file_id for path in layout.markers_below(self._results) for file_id in marker.by_file(path.parent)}
