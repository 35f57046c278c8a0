"""What the emulator itself can do: a plain loop of the real client's uploads, in a few processes."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor

import cloudinary.uploader

from tests.emulator.client import Emulator
from tests.emulator.pictures import noise_jpeg
from tests.emulator.real_clients import cloudinary_options

EACH = 200


def uploads_a_second(emulator: Emulator, processes: int = 2) -> float:
    """Uploads of 100 KB that the emulator answers in a second, to so many clients which share the machine with it."""
    begun = time.perf_counter()
    with ProcessPoolExecutor(processes) as pool:
        list(pool.map(_upload, [emulator.cloudinary_url] * processes, range(processes)))
    return processes * EACH / (time.perf_counter() - begun)


def _upload(url: str, process: int) -> None:
    data = noise_jpeg(100_000, process)
    for number in range(EACH):
        cloudinary.uploader.upload(data, public_id=f"ceiling/{process}-{number}", **cloudinary_options(url))
