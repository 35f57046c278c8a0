"""What error answers of a service mean: each service has a table of such rows, which one function reads."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass

from drive2cloudinary.causes import Cause
from drive2cloudinary.errors import ImageError, MigrationError, RateLimited, TransientError, one_line
from drive2cloudinary.retrying import rate_limited_or_stop
from drive2cloudinary.wording import counted

PASSING = (408, 423, 425, 499, *range(500, 600))
"""The HTTP statuses that no service means for ever: time-outs, locks, and the errors of servers and of what is in front
of them (nginx: 499, Cloudflare: 520 to 530)."""


@dataclass(frozen=True)
class ErrorAnswer:
    """An error answer as a table reads it.

    reasons: the names that the service has for the error, the most specific first; says: its message, or what there is
    in its place (`of_no_api`); is_own: whether it is in the service's own format, and not a page of something in front
    of it; more: what else may tell, such as the name of a quota; wait: for how many seconds it asks to wait, or None.
    """

    service: str
    status: int
    says: str
    is_own: bool = True
    reasons: tuple[str, ...] = ()
    more: str = ""
    wait: float | None = None

    @property
    def line(self) -> str:
        """What the service answered, in one line for the user."""
        reason = f" {self.reasons[0]}" if self.reasons else ""
        says = f": {self.says}" if self.says else ""
        return one_line(f"{self.service} answered {self.status}{reason}{says}", 300)


@dataclass(frozen=True)
class Row:
    """Such an error, with this line and cause, is what it means if an answer has one of these statuses, one of these
    reasons, and a message like this.

    An empty condition always holds. reason: names with a space between, compared without case and underscores; "-": the
    answer names none. says: a regular expression, for the message or for what else may tell. is_own: as of ErrorAnswer;
    None for either. line: what the user reads before the answer itself; of RateLimited, the name of the limit. wait:
    the seconds until the limit is lifted, which the service does not say.
    """

    error: type[MigrationError]
    line: str = ""
    cause: Cause = Cause.REFUSED
    status: Container[int] = ()
    reason: str = ""
    says: str = ""
    is_own: bool | None = None
    wait: Callable[[], float] | None = None

    def fits(self, answer: ErrorAnswer) -> bool:
        """Whether the row is about this answer."""
        if (self.status and answer.status not in self.status) or self.is_own not in (None, answer.is_own):
            return False
        if self.reason == "-" and answer.reasons:
            return False
        if self.reason not in ("", "-") and not _plain(self.reason.split()) & _plain(answer.reasons):
            return False
        return not self.says or re.search(self.says, f"{answer.says}\n{answer.more}", re.IGNORECASE) is not None

    def meaning(self, answer: ErrorAnswer, names: Mapping[str, object]) -> MigrationError:
        """The error for an answer. In: what the names in braces of the line stand for."""
        line = self.line.format(**names)
        if issubclass(self.error, RateLimited):
            wait = self.wait() if self.wait else answer.wait
            return rate_limited_or_stop(line or f"{answer.service}'s limit", answer.line, wait)
        said = f"{line} ({answer.line})" if line else answer.line
        if issubclass(self.error, TransientError):
            return TransientError(said, answer.wait, self.cause)
        return self.error(said, self.cause) if issubclass(self.error, ImageError) else self.error(said)


UNKNOWN = Row(TransientError)
"""Of an answer that no row is about: nothing is wrong with the file, and it may pass."""


def meaning(table: Iterable[Row], answer: ErrorAnswer, **names: object) -> MigrationError:
    """The error that an answer means: by the first row that fits it, or else UNKNOWN.

    In: what the names in braces of the rows' lines stand for.
    """
    return next((row for row in table if row.fits(answer)), UNKNOWN).meaning(answer, names)


def json_of(body: bytes | str) -> object:
    """The JSON value in a body; None for any other body, such as an HTML page."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def of_no_api(body: bytes, content_type: str) -> str:
    """What to show of an answer that is not in the service's own format: the title of a page, or its type and size."""
    title = re.search(rb"(?is)<title[^>]*>(.{1,200}?)</title", body[:10_000])
    if title:
        return f"a page with the title {one_line(title[1].decode(errors='replace'), 100)!r}"
    return f"{content_type or 'no type'} of {counted(len(body), 'byte')}"


def _plain(names: Iterable[str]) -> set[str]:
    return {name.replace("_", "").lower() for name in names}
