"""The log of the images that were moved: one line for each, of all runs."""

from __future__ import annotations

import os
from pathlib import Path

from drive2cloudinary.errors import one_line
from drive2cloudinary.results import layout
from drive2cloudinary.results.marker import Marker


def append(results_folder: Path, marker: Marker, path: str) -> None:
    """Add a line to the log: time, status, seconds for download and upload, URL, path in Drive. Raises OSError.

    In: the marker of an image that was moved just now, and its path below the Drive folder.
    """
    seconds = " ".join(f"{what} {marker.seconds[what]:.3f} s" for what in ("download", "upload"))
    url = marker.cloudinary["secure_url"]
    line = f"{marker.uploaded_at} {marker.status} {seconds} {url} {one_line(path, 1000)}\n"
    log = layout.images_log(results_folder)
    log.parent.mkdir(parents=True, exist_ok=True)
    # One write to a file opened for appending: on a local disk, the lines of several processes do not mix.
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, line.encode(errors="replace"))
    finally:
        os.close(descriptor)
