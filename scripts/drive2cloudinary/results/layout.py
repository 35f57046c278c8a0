"""The paths of all files in a results folder. Only the names of the markers are made elsewhere, in marker.py."""

from __future__ import annotations

from pathlib import Path

LISTING = "listing.json"
MAPPING = "mapping.json"
MARKERS = "markers"
BATCHES = "batches"


def folders(results_folder: Path) -> list[Path]:
    """The folders of the files that a run replaces: all but that of the batches, which is deleted with them."""
    return [results_folder, markers(results_folder), failures(results_folder), results_folder / "logs"]


def listing(results_folder: Path) -> Path:
    """All images that a run found in the Drive folder."""
    return results_folder / LISTING


def listings_below(results: Path) -> list[Path]:
    """The listings of all results folders."""
    return list(results.glob(f"*/{LISTING}"))


def written_beside(results: Path) -> list[Path]:
    """The files that all runs share."""
    return [mapping_csv(results), mapping_json(results), merged(results)]


def naming_lock(results: Path) -> Path:
    """The lock of results/shared.py."""
    return results / ".naming.lock"


def markers(results_folder: Path) -> Path:
    """The folder of the markers: one for each image that is in Cloudinary."""
    return results_folder / MARKERS


def markers_below(results: Path) -> list[Path]:
    """The folders of the markers of all results folders."""
    return list(results.glob(f"*/{MARKERS}"))


def failures(results_folder: Path) -> Path:
    """The folder of the failures."""
    return results_folder / "failures"


def failure(results_folder: Path, file_id: str) -> Path:
    """The last error of one image whose transfer failed."""
    return failures(results_folder) / f"{file_id}.json"


def merged(results_folder: Path) -> Path:
    """The record of what the last merge has read and written."""
    return results_folder / "logs" / "merged.json"


def confirmation(results_folder: Path) -> Path:
    """Which run made the listing, or found nothing new."""
    return results_folder / "logs" / "listed.state"


def batch(results_folder: Path, name: str) -> Path:
    """The marker names of some pending images, which one job transfers."""
    return results_folder / BATCHES / f"{name}.txt"


def batch_flag(batch: Path) -> Path:
    """The flag that a batch's job has ended. In: the batch's file."""
    return batch.with_suffix(".done")


def batch_of(flag: Path) -> Path:
    """The batch's file. In: its flag."""
    return flag.with_suffix(".txt")


def mapping_json(results_folder: Path) -> Path:
    """The mapping, for programs."""
    return results_folder / MAPPING


def mapping_csv(results_folder: Path) -> Path:
    """The mapping, for people."""
    return results_folder / "mapping.csv"


def orphans(results_folder: Path) -> Path:
    """The markers of images that are no longer in the Drive folder."""
    return results_folder / "orphans.csv"


def report(results_folder: Path) -> Path:
    """The HTML page that shows the run's results."""
    return results_folder / "report.html"


def verified(results_folder: Path) -> Path:
    """The result of the last verification of the URLs."""
    return results_folder / "verify.csv"


def run(results_folder: Path) -> Path:
    """The run that holds the results folder; also its lock file."""
    return results_folder / "run.json"


def reason_to_stop(results_folder: Path) -> Path:
    """The line that says why the run was stopped."""
    return results_folder / "logs" / "stop.txt"


def refusals(results_folder: Path) -> Path:
    """The images that were refused since the last one was accepted."""
    return results_folder / "logs" / "refusals.txt"


def notice(results_folder: Path, subject: str) -> Path:
    """The message about one thing that slows the run down."""
    return results_folder / "logs" / f"{subject}.notice"


def notices(results_folder: Path) -> list[Path]:
    """The messages about all that slows the run down, or did so."""
    return list((results_folder / "logs").glob("*.notice"))


def found_so_far(results_folder: Path) -> Path:
    """The number of images that the listing under way has found."""
    return results_folder / "logs" / "found.txt"


def images_log(results_folder: Path) -> Path:
    """A line for each image that was moved, of all runs."""
    return results_folder / "logs" / "images.log"


def pool_log(results_folder: Path) -> Path:
    """The log of unexpected errors in the pool's processes."""
    return results_folder / "logs" / "pool.log"


def log(results_folder: Path, rule: str) -> Path:
    """The log of a rule's script."""
    return results_folder / "logs" / f"{rule}.log"
