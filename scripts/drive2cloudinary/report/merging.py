"""Write the mapping and the report from what a run has left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from drive2cloudinary.command import warn
from drive2cloudinary.report import orphans, rows
from drive2cloudinary.report.page import Report
from drive2cloudinary.results import listing, mapping, merged, shared
from drive2cloudinary.results.merged import Merge
from drive2cloudinary.results.run import Run


def merge_markers(results_folder: Path) -> int:
    """Write the mapping, the orphans and the report of a results folder; returns how many images are missing.

    Missing are those that should be in Cloudinary by now. The rule and a run that ends early both call this. What the
    run has done is in run.json. All is written in one pass, because reading the markers takes longer than everything
    else. Raises MigrationError, OSError.
    """
    listed, run = listing.read_confirmed(results_folder), Run(results_folder).noted
    merge, report = Merge(results_folder), Report(run.begun)
    gone = orphans.found(listed.images, results_folder)
    left, new = {each.path for each in gone}, dict[tuple[str, str], str]()
    with mapping.writing(results_folder, mapping.COLUMNS, run.csv_bom) as add:
        for each in rows.merged(listed.images, results_folder, merge, warn, run):
            add(each.row.to_dict())
            report.add(each)
            if left and (path := orphans.path_of(each.row.folder_path, each.row.filename)) in left:
                new.setdefault(path, each.row.cloudinary_url)
    gone = orphans.with_new_files(gone, new)
    orphans.write(gone, results_folder, run.csv_bom)
    report.write(listed, gone, run.stopped_because, results_folder)
    merge.record(run.csv_bom, run.id, run.stopped_because)
    return report.missing


def merge_mappings(mappings: Sequence[Path], results: Path) -> None:
    """Write the combined mapping of many Drive folders into the folder of all results.

    In: mapping.json of each. Raises MigrationError, OSError.
    """
    csv_bom = Run(mappings[0].parent).noted.csv_bom
    with shared.held(results):
        with mapping.writing(results, (*mapping.COLUMNS, *mapping.OF_FOLDER), csv_bom) as add:
            for row in rows.combined(mappings):
                add(row)
        merged.record_combined(results, mappings, csv_bom)
