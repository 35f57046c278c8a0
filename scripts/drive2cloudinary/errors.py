"""The errors that reach the user: each message is one clear line that says what is wrong and what to do."""

from __future__ import annotations

from drive2cloudinary.causes import Cause


class MigrationError(Exception):
    """Something is wrong that the user should read as one line; the program ends with exit code 1."""


class StopRun(MigrationError):
    """Nothing else can succeed either (revoked token, wrong credentials, daily limit, full disk): the run ends."""


class ImageError(MigrationError):
    """One image could not be moved, for this cause; trying it again in this run is useless, the others go on."""

    def __init__(self, message: str, cause: Cause = Cause.REFUSED) -> None:
        super().__init__(message)
        self.cause = cause


class QuotaError(ImageError):
    """Drive refuses this one file for some hours, because it was downloaded too often."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Cause.DOWNLOAD_QUOTA)


class NotAMember(ImageError):
    """The account is no member of the shared drive that it asked about, though some of it may be shared with it."""


class TransientError(ImageError):
    """An answer, or a missing one, that may well be different in a moment.

    `retry_after` is the number of seconds the service asked to wait, or None if it did not say.
    """

    def __init__(self, message: str, retry_after: float | None = None, cause: Cause = Cause.SERVICE) -> None:
        super().__init__(message, cause)
        self.retry_after = retry_after


class TooLarge(TransientError):
    """More came than the answer to this call may have; the rest was not read."""


class NoAnswer(TransientError):
    """Nobody knows whether the call was carried out: its answer got lost.

    `counts` is False where no call of any process is answered: then trying again costs the image none of its tries.
    """

    def __init__(self, message: str, counts: bool = True) -> None:
        super().__init__(message, cause=Cause.NO_ANSWER)
        self.counts = counts


class RateLimited(TransientError):
    """The service wants fewer calls, of all workers; for a while it is asked again however often it says so."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message, retry_after, Cause.TOO_FAST)


def one_line(text: object, limit: int = 500) -> str:
    """Any text as one line of printable characters, so that a hostile name or answer cannot forge output.

    In: anything with a str(); out: at most `limit` characters.
    """
    printable = "".join(character if character.isprintable() else " " for character in str(text))
    line = " ".join(printable.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
