"""Write the mapping and the report from what a run has left."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from pathlib import Path

from drive2cloudinary.command import warn
from drive2cloudinary.report import orphans, rows
from drive2cloudinary.report.page import Report
from drive2cloudinary.results import listing, mapping, merged, shared
from drive2cloudinary.results.failure import Failure
from drive2cloudinary.results.marker_index import MarkerIndex
from drive2cloudinary.results.run import Run


def merge_markers(
    listed: Path,
    stopped_because: str = "",
    limit: int | None = None,
    to_move: Container[str] = (),
    failed_before: Mapping[str, Failure | None] | None = None,
    csv_bom: bool = False,
) -> int:
    """Write the mapping of a listing, the orphans and the report beside it; returns how many images are missing.

    Missing are those that should be in Cloudinary by now. All is done in one pass, because reading the markers takes
    longer than everything else. What the files were made from is recorded, too. In: listing.json; why the run was
    stopped, if its reason stands in another results folder than this one; `limit` and `to_move` as for
    `rows.merged`; `failed_before` as for `Report`; the setting `csv_bom`. Raises MigrationError, OSError.
    """
    whole, results_folder = listing.read_confirmed(listed.parent), listed.parent
    markers, report = MarkerIndex(results_folder), Report(failed_before or {})
    gone = orphans.found(whole.images, results_folder)
    left, new = {each.path for each in gone}, dict[tuple[str, str], str]()
    with mapping.writing(results_folder, mapping.COLUMNS, csv_bom) as add:
        for each in rows.merged(whole.images, results_folder, markers, warn, limit, to_move):
            add(each.row.to_dict())
            report.add(each)
            if left and (path := orphans.path_of(each.row.folder_path, each.row.filename)) in left:
                new.setdefault(path, each.row.cloudinary_url)
    gone = orphans.with_new_files(gone, new)
    orphans.write(gone, results_folder, csv_bom)
    stopped_because = stopped_because or Run(results_folder).stopped_because
    report.write(whole, gone, stopped_because, results_folder)
    markers.save()
    if not stopped_because:
        # A report that says why a run was stopped is not up to date for the next one.
        merged.record(results_folder, markers.state, csv_bom)
    return report.missing


def merge_mappings(mappings: Sequence[Path], results: Path, csv_bom: bool = False) -> None:
    """Write the combined mapping of many Drive folders into the folder of all results.

    In: mapping.json of each; the setting `csv_bom`. Raises MigrationError, OSError.
    """
    with shared.held(results):
        with mapping.writing(results, (*mapping.COLUMNS, *mapping.OF_FOLDER), csv_bom) as add:
            for row in rows.combined(mappings):
                add(row)
        merged.record_combined(results, mappings, csv_bom)
