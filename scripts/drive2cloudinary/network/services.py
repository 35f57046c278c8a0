"""The state of both services that the processes of a run share: the limits, and whether a service can be reached."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from drive2cloudinary.network.contact import Contact
from drive2cloudinary.network.limits import ConcurrencyLimit, RateLimit
from drive2cloudinary.network.notices import Notice, Tell
from drive2cloudinary.settings import Settings


@dataclass(frozen=True)
class Services:
    """The limits and contacts that processes share. Create it before they are forked.

    units: Drive's rate limit; uploads: Cloudinary's concurrency limit; retries: the messages about calls that are tried
    again; the rest: whether each service can be reached.

    What limits uploads at once is the setting uploads_at_once; `--resources uploads=N` lowers it. Within a pool,
    `uploads` keeps to it. Across jobs, Snakemake does, with its resource of that name: a job takes as many as it has
    processes, and never more than there are (rules/many.smk).
    """

    units: RateLimit
    uploads: ConcurrencyLimit
    retries: Notice
    drive: Contact
    sign_in: Contact
    cloudinary: Contact
    cdn: Contact

    @classmethod
    def of(cls, settings: Settings, tell: Tell, evenly: bool = False) -> Services:
        """The limits and contacts by the settings. In: called with messages about what slows the calls down.

        evenly: whether Drive's units are spread over the minute instead of being spent as soon as there are calls. Jobs
        that have a part of the quota spread them: a job does not know what the one before it has spent of this minute.
        """
        per_minute, slowed = settings.drive_units_per_minute, Notice("Drive's limit", tell)
        return cls(
            units=RateLimit(per_second=per_minute / 60) if evenly else RateLimit(per_minute=per_minute, slowed=slowed),
            uploads=ConcurrencyLimit(settings.uploads_at_once, slowed=Notice("Cloudinary's limit", tell)),
            retries=Notice("retries", tell),
            drive=Contact("Drive", settings.patience, tell),
            sign_in=Contact("Google's sign-in", settings.patience, tell),
            cloudinary=Contact("Cloudinary", settings.patience, tell),
            cdn=Contact("Cloudinary's CDN", settings.patience, tell),
        )


def tell_on_stderr(subject: str, line: str, seconds: float = 60.0, /) -> None:
    """Print a message about what slows the calls down, in a script that a person runs."""
    if line:
        print(line, file=sys.stderr, flush=True)
