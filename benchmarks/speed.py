"""How fast the migration is, against what the cloud allows: `python -m benchmarks.speed`, or `make bench`.

The cloud is the emulator with 80 ms for each Drive call and 250 ms for each upload, so N images at C at once cannot
take less than N x 0.33 / C seconds if each is downloaded, then uploaded, and not less than N x 0.25 / C if the next is
downloaded meanwhile. All is measured in one run, on one machine, and printed as the table of docs/performance.md.
"""

from __future__ import annotations

import argparse

from benchmarks.ceiling import uploads_a_second
from benchmarks.measuring import cost_of
from benchmarks.workbench import DRIVE, UPLOAD, cloud, command, environment, heading, migrate, row, workspace
from tests.proxy import Proxy

LIMIT = (DRIVE + UPLOAD) / 1000
ROUND_TRIP = 40
"""Milliseconds, added to each TCP connection, each TLS handshake and each request."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000, help="of 100 KB, for the two main rows")
    images = parser.parse_args().images
    heading("measure", "wanted", "measured")
    at_8(images)
    at_32(images, 1, "")
    at_32(images, 100, "≥ 85")
    over_tls(images)
    start_and_end()
    memory()
    throttled()
    baseline()
    ceiling()


def at_8(images: int) -> None:
    with cloud(images) as emulator:
        cost = migrate(emulator, 8)
        stats = emulator.stats()
    row(
        f"{images} images of 100 KB, 8 at once: share of the limit",
        "≥ 1.12",
        f"{images * LIMIT / 8 / cost.seconds:.2f}",
    )
    row("the same, of the limit of the uploads alone", "≥ 0.85", f"{images * UPLOAD / 8000 / cost.seconds:.2f}")
    row("CPU of everything but the emulator, for each image", "≤ 16 ms", f"{1000 * cost.cpu_seconds / images:.1f} ms")
    calls = stats["counts"]
    per_image = f"{calls['drive.media'] / images:.2f} and {calls['cloudinary.upload'] / images:.2f}"
    row("Drive and Cloudinary calls for each image", "1 and 1", per_image)
    row("token refreshes, of 8 processes and the listing", "≤ 9", str(stats["refreshes"]))
    used = stats["connections"]
    row("connections to Drive and Cloudinary, of the same", "≤ 9 and 8", f"{used['drive']} and {used['cloudinary']}")


def at_32(images: int, images_per_job: int, wanted: str) -> None:
    with cloud(images) as emulator:
        cost = migrate(emulator, 32, images_per_job=images_per_job)
        ends = sorted(call["at"] for call in emulator.log() if call["op"] == "cloudinary.upload")
    inner = ends[len(ends) // 10 : -len(ends) // 10]
    jobs = f"32 at once, a job for {'each image' if images_per_job == 1 else f'{images_per_job} images'}"
    row(f"{jobs}: images a second once running", wanted, f"{len(inner) / (inner[-1] - inner[0]):.0f}")
    row(f"{jobs}: share of the limit, whole command", "", f"{images * LIMIT / 32 / cost.seconds:.2f}")


def over_tls(images: int) -> None:
    with (
        cloud(images, real_names=True) as emulator,
        Proxy(emulator.store.with_name("proxy"), emulator, delay=ROUND_TRIP) as proxy,
    ):
        variables = proxy.behind(HTTPS_PROXY=proxy.url, SSL_CERT_FILE=str(proxy.authority))
        cost = migrate(emulator, 8, variables, drive_endpoint="https://www.googleapis.com")
        handshakes = [proxy.seen[host].handshakes for host in ("www.googleapis.com", "api.cloudinary.com")]
    limit = LIMIT + 2 * ROUND_TRIP / 1000
    row(
        f"{images} images at 8, over TLS and a round trip of {ROUND_TRIP} ms: share of the limit",
        "≥ 0.85",
        f"{images * limit / 8 / cost.seconds:.2f}",
    )
    row("the same: TLS handshakes with Drive and Cloudinary", "≤ 9 and 8", f"{handshakes[0]} and {handshakes[1]}")


def start_and_end() -> None:
    with cloud(8) as emulator:
        best = min(migrate(emulator, 8).seconds for _ in range(3))
    row("start and end (8 images at 8, less their 0.33 s)", "≤ 2.8 s", f"{best - LIMIT:.1f} s")


def memory() -> None:
    size = 10_000_000
    with cloud(48, size, max_image_bytes=20_000_000) as emulator:
        peak = migrate(emulator, 8).pool_bytes
    row("all processes of the pool together, 8 at once, 10 MB images", "≤ 1,280 MB", f"{peak / 1e6:,.0f} MB")


def throttled() -> None:
    images, calls = 400, 20
    with cloud(images, drive_qps=calls, uploads_at_once=10) as emulator:
        cost = migrate(emulator, 32)
        log = emulator.log()
    ends = sorted(call["at"] for call in log if call["op"] == "cloudinary.upload" and call["status"] == 200)
    share = (len(ends) - 1) / (ends[-1] - ends[0]) / calls
    row(
        f"32 at once, {images} images, cloud allows {calls} Drive calls/s and 10 uploads: share of that, failures",
        "≥ 0.6, 0",
        f"{share:.2f}, {'0' if cost.code == 0 else 'some'}",
    )


def baseline() -> None:
    images = 64
    with cloud(images) as emulator:
        arguments = command(emulator, "--cores", "8", "--executor", "local")
        cost = cost_of(arguments, workspace(emulator), environment(emulator))
    row(
        f"baseline: {images} images, a fresh process for each (--executor local), 8 at once: share of the limit",
        "",
        f"{images * LIMIT / 8 / cost.seconds:.2f}",
    )


def ceiling() -> None:
    with cloud(1, delayed=False) as emulator:
        row("the emulator's own ceiling: 100 KB uploads a second", "well above", f"{uploads_a_second(emulator):.0f}")


if __name__ == "__main__":
    main()
