"""The errors that users see: each message is one clear line that says what is wrong and what to do."""

from __future__ import annotations

from drive2cloudinary.causes import Cause


class MigrationError(Exception):
    """An error that is shown to the user as one line; the program ends with exit code 1."""


class StopRun(MigrationError):
    """No other image can succeed either (revoked token, wrong credentials, daily limit, full disk): the run ends."""


class Interrupted(MigrationError):
    """The run was told to stop while the call only waited. The image has not failed: it stays pending."""


class ImageError(MigrationError):
    """The transfer of one image failed for this cause. A retry in this run is useless; the other images go on."""

    def __init__(self, message: str, cause: Cause = Cause.REFUSED) -> None:
        super().__init__(message)
        self.cause = cause


class NotAMember(ImageError):
    """The account is not a member of the shared drive, although some files in it may be shared with the account."""


class TransientError(ImageError):
    """A temporary error: the same call may succeed in a moment.

    `retry_after` is the pause in seconds that the service asked for, or None.
    """

    def __init__(self, message: str, retry_after: float | None = None, cause: Cause = Cause.SERVICE) -> None:
        super().__init__(message, cause)
        self.retry_after = retry_after


class TooLarge(TransientError):
    """The answer has more bytes than expected; the rest was not read."""


class NoAnswer(TransientError):
    """The answer got lost, so the call may or may not have been carried out.

    `counts` is False if no call of any process is answered. Then this try does not count against `retries`.
    """

    def __init__(self, message: str, counts: bool = True) -> None:
        super().__init__(message, cause=Cause.NO_ANSWER)
        self.counts = counts


class RateLimited(TransientError):
    """The service's rate limit refused the call. It is retried for some minutes, however often that happens."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message, retry_after, Cause.TOO_FAST)


def line_of(error: MigrationError | OSError) -> str:
    """The line for the user about an error. In: one that the user can do something about."""
    if isinstance(error, MigrationError):
        return str(error)
    return f"{error.filename or 'the results folder'}: {error.strerror or error}"


def one_line(text: object, limit: int = 500) -> str:
    """Any text as one line of printable characters, so that a hostile name or answer cannot forge output.

    In: any object; its str() is used. Out: at most `limit` characters.
    """
    printable = "".join(character if character.isprintable() else " " for character in str(text))
    line = " ".join(printable.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
