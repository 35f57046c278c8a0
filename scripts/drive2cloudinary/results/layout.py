"""Where each file of a results folder lies. No other module spells one of these names."""

from __future__ import annotations

from pathlib import Path

LISTING = "listing.json"
MAPPING = "mapping.json"
MARKERS = "markers"
BATCHES = "batches"


def listing(results_folder: Path) -> Path:
    """All images of the Drive folder, as a run has found them."""
    return results_folder / LISTING


def listings_below(results: Path) -> list[Path]:
    """The listings of all results folders."""
    return list(results.glob(f"*/{LISTING}"))


def naming_lock(results: Path) -> Path:
    """Locked by who chooses public_ids for any of the results folders."""
    return results / ".naming.lock"


def markers(results_folder: Path) -> Path:
    """A marker for each image that is in Cloudinary."""
    return results_folder / MARKERS


def markers_below(results: Path) -> list[Path]:
    """The markers' folders of all results folders."""
    return list(results.glob(f"*/{MARKERS}"))


def failure(results_folder: Path, file_id: str) -> Path:
    """The last error of one image that could not be moved."""
    return results_folder / "failures" / f"{file_id}.json"


def batch(results_folder: Path, name: str) -> Path:
    """The marker names of some pending images, which one job moves."""
    return results_folder / BATCHES / f"{name}.txt"


def mapping_json(results_folder: Path) -> Path:
    """The result, for programs."""
    return results_folder / MAPPING


def mapping_csv(results_folder: Path) -> Path:
    """The result, for people."""
    return results_folder / "mapping.csv"


def orphans(results_folder: Path) -> Path:
    """The markers of images that are not in the Drive folder any more."""
    return results_folder / "orphans.csv"


def report(results_folder: Path) -> Path:
    """The run, to look at."""
    return results_folder / "report.html"


def verified(results_folder: Path) -> Path:
    """What the CDN delivered when it was last asked."""
    return results_folder / "verify.csv"


def run(results_folder: Path) -> Path:
    """The run that holds the folder: its lock."""
    return results_folder / "run.json"


def reason_to_stop(results_folder: Path) -> Path:
    """The line that says why the run was stopped."""
    return results_folder / "logs" / "stop.txt"


def waits(results_folder: Path, service: str) -> Path:
    """The line that says that a service is waited for."""
    return results_folder / "logs" / f"{service}.waits"


def all_waits(results_folder: Path) -> list[Path]:
    """The lines about all services that are waited for, or were."""
    return list((results_folder / "logs").glob("*.waits"))


def pool_log(results_folder: Path) -> Path:
    """What the processes of the pool say that nobody foresaw."""
    return results_folder / "logs" / "pool.log"


def log(results_folder: Path, rule: str) -> Path:
    """What the script of a rule has said."""
    return results_folder / "logs" / f"{rule}.log"
