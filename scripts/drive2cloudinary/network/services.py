"""What the processes of a run know of the services together: how fast they may be, and whether they can be reached."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from drive2cloudinary.network.contact import Contact, Tell
from drive2cloudinary.network.limits import ConcurrencyLimit, RateLimit
from drive2cloudinary.settings import Settings


@dataclass(frozen=True)
class Services:
    """To be made before the processes are forked that share it.

    units: Drive's rate limit; uploads: Cloudinary's concurrency limit; the rest: whether each of the services answers.
    """

    units: RateLimit
    uploads: ConcurrencyLimit
    drive: Contact
    sign_in: Contact
    cloudinary: Contact
    cdn: Contact

    @classmethod
    def of(cls, settings: Settings, tell: Tell) -> Services:
        """Those of the settings. In: who is told what is waited for."""
        return cls(
            units=RateLimit(per_minute=settings.drive_units_per_minute),
            uploads=ConcurrencyLimit(settings.uploads_at_once),
            drive=Contact("Drive", settings.patience, tell),
            sign_in=Contact("Google's sign-in", settings.patience, tell),
            cloudinary=Contact("Cloudinary", settings.patience, tell),
            cdn=Contact("Cloudinary's CDN", settings.patience, tell),
        )


def tell_on_stderr(service: str, line: str) -> None:
    """What a program that people run does with what is waited for."""
    if line:
        print(line, file=sys.stderr, flush=True)
