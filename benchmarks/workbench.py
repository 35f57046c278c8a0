"""What the benchmarks share: an emulated cloud, the README's command on it, and the table they print."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.measuring import Cost, cost_of
from tests.emulator.client import Emulator
from tests.proxy import without_proxies

ROOT = Path(__file__).parents[1]
DRIVE, UPLOAD = 80, 250
"""Milliseconds that the cloud takes for each call."""


def heading(*columns: str) -> None:
    """Say where and when this is measured, and begin the table."""
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    row(*columns)
    row(*["---"] * len(columns))


def row(*cells: str) -> None:
    """Print one row of the table."""
    print(f"| {' | '.join(cells)} |", flush=True)


@contextmanager
def cloud(images: int, size: int = 100_000, delayed: bool = True, **options: Any) -> Iterator[Emulator]:
    """A fresh emulator that serves so many made-up images; `options` are those of its command line."""
    delays = {"drive_delay": DRIVE, "upload_delay": UPLOAD} if delayed else {}
    with tempfile.TemporaryDirectory() as home:
        base = Path(home)
        with Emulator(
            base / "photos", base / "cloud", **{"generate": images, "generate_bytes": size, **delays, **options}
        ) as emulator:
            yield emulator


def migrate(emulator: Emulator, cores: int, variables: Mapping[str, str] | None = None, /, **settings: object) -> Cost:
    """The README's command in a fresh working directory; an asset that is there already costs the same calls.

    In: `variables`, what is in the environment besides; `settings`, what goes to --config.
    """
    arguments = command(emulator, "--cores", str(cores), **settings)
    return cost_of(arguments, workspace(emulator), {**environment(emulator), **(variables or {})})


def command(emulator: Emulator, *arguments: str, **settings: object) -> list[str | Path]:
    """The command line of snakemake. In: its arguments, and what goes to --config besides."""
    named = {
        "folder_id": emulator.folder_id,
        "drive_endpoint": emulator.drive_endpoint,
        "token": emulator.token,
        **settings,
    }
    config = [f"{name}={value}" for name, value in named.items()]
    snakemake = Path(sys.executable).with_name("snakemake")
    return [snakemake, "--snakefile", ROOT / "Snakefile", *arguments, "--config", *config]


def environment(emulator: Emulator) -> dict[str, str]:
    """The environment of the command, with Cloudinary's credentials."""
    return {**without_proxies(), "CLOUDINARY_URL": emulator.cloudinary_url}


def workspace(emulator: Emulator) -> Path:
    """An empty working directory, which goes with the emulator."""
    folder = emulator.store.with_name("work")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder
