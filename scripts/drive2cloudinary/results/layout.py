"""Where each file of a results folder lies. No other module spells one of these names."""

from __future__ import annotations

from pathlib import Path

LISTING = "listing.json"
MAPPING = "mapping.json"
MARKERS = "markers"
BATCHES = "batches"


def listing(folder: Path) -> Path:
    """All images of the Drive folder, as a run has found them."""
    return folder / LISTING


def listings_below(results: Path) -> list[Path]:
    """The listings of all results folders."""
    return list(results.glob(f"*/{LISTING}"))


def naming_lock(results: Path) -> Path:
    """Locked by who chooses public_ids for any of the results folders."""
    return results / ".naming.lock"


def markers(folder: Path) -> Path:
    """A marker for each image that is in Cloudinary."""
    return folder / MARKERS


def markers_below(results: Path) -> list[Path]:
    """The markers' folders of all results folders."""
    return list(results.glob(f"*/{MARKERS}"))


def failure(folder: Path, file_id: str) -> Path:
    """The last error of one image that could not be moved."""
    return folder / "failures" / f"{file_id}.json"


def batch(folder: Path, name: str) -> Path:
    """The marker names of some pending images, which one job moves."""
    return folder / BATCHES / f"{name}.txt"


def mapping_json(folder: Path) -> Path:
    """The result, for programs."""
    return folder / MAPPING


def mapping_csv(folder: Path) -> Path:
    """The result, for people."""
    return folder / "mapping.csv"


def orphans(folder: Path) -> Path:
    """The markers of images that are not in the Drive folder any more."""
    return folder / "orphans.csv"


def report(folder: Path) -> Path:
    """The run, to look at."""
    return folder / "report.html"


def verified(folder: Path) -> Path:
    """What the CDN delivered when it was last asked."""
    return folder / "verify.csv"


def run(folder: Path) -> Path:
    """The run that holds the folder: its lock."""
    return folder / "run.json"


def reason_to_stop(folder: Path) -> Path:
    """The line that says why the run was stopped."""
    return folder / "logs" / "stop.txt"


def waits(folder: Path, service: str) -> Path:
    """The line that says that a service is waited for."""
    return folder / "logs" / f"{service}.waits"


def all_waits(folder: Path) -> list[Path]:
    """The lines about all services that are waited for, or were."""
    return list((folder / "logs").glob("*.waits"))


def pool_log(folder: Path) -> Path:
    """What the processes of the pool say that nobody foresaw."""
    return folder / "logs" / "pool.log"


def log(folder: Path, rule: str) -> Path:
    """What the script of a rule has said."""
    return folder / "logs" / f"{rule}.log"
