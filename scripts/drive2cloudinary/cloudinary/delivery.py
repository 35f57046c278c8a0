"""Ask Cloudinary's CDN whether it delivers a URL, how many bytes, and of which md5; download them only if asked to.

Facts: https://cloudinary.com/documentation/advanced_url_delivery_options and RFC 9110. Delivery needs no credentials.
The header X-Cld-Error holds the reason of an error. A URL without a transformation does not count as one.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.pool import ThreadPool
from typing import TypeVar

from drive2cloudinary.checks import is_md5
from drive2cloudinary.cloudinary.account import api_proxy
from drive2cloudinary.cloudinary.asset import plain_etag
from drive2cloudinary.cloudinary.cloudinary_answers import delivery_error
from drive2cloudinary.errors import ImageError, MigrationError, StopRun, TooLarge, TransientError, one_line
from drive2cloudinary.network import http
from drive2cloudinary.network.limits import RateLimit
from drive2cloudinary.network.services import Services, tell_on_stderr
from drive2cloudinary.retrying import patiently
from drive2cloudinary.settings import Settings
from drive2cloudinary.wording import counted

PER_SECOND = 100.0
"""The most requests a second. A CDN takes far more, but this is polite, and 100,000 URLs take only 17 minutes."""

PAUSE = 5.0
"""Seconds between two lines of progress."""

MOST_UNANSWERED = 20
"""After this many URLs in a row without an answer, the problem is the connection, not the URLs."""

_NO_HEAD = (403, 405, 501)
"""The status codes of servers that refuse HEAD; they may still answer GET."""
_UNKNOWN = 10_000_000
"""The expected bytes if the stored size is unknown. If the CDN states no size, up to twice as many are read."""
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Delivered:
    """The result for a URL: the HTTP status (None without an answer), the delivered bytes, the error, their md5.

    md5 is what the CDN states as etag, which is the md5 of an asset that is delivered as it is stored; None if it
    states none, or anything else.
    """

    status: int | None
    bytes: int | None = None
    error: ImageError | None = None
    md5: str | None = None

    @property
    def is_missing(self) -> bool:
        """Whether there is no such asset."""
        return self.status in (404, 410)

    @property
    def is_unknown(self) -> bool:
        """Whether nothing is known, because of a temporary error."""
        return isinstance(self.error, TransientError) and not self.is_missing


def ask_all(
    items: Sequence[Item], ask: Callable[[Item], tuple[Result, Delivered]], at_once: int, say: Callable[[str], None]
) -> Iterator[Result]:
    """Call `ask` for each item, `at_once` at a time; the results come in the order of the items.

    In: `say`, called now and then with a line about the progress. Raises StopRun if the CDN does not answer at all.
    """
    unanswered = 0
    said = time.monotonic()
    # A ThreadPool's threads are daemons: they end with the program, even in a pause between two tries.
    with ThreadPool(at_once) as pool:
        for asked, (result, answer) in enumerate(pool.imap(ask, items), 1):
            yield result
            if time.monotonic() - said > PAUSE:
                said = time.monotonic()
                say(f"{asked:,} of {counted(len(items), 'URL')} asked")
            unanswered = unanswered + 1 if answer.is_unknown else 0
            if unanswered == MOST_UNANSWERED:
                raise StopRun(
                    f"{unanswered} URLs in a row got no answer: check the connection, then run again "
                    f"({one_line(answer.error)})"
                )


class Delivery:
    """The connections to the CDN, shared by several threads."""

    def __init__(self, settings: Settings, threads: int) -> None:
        """In: the settings, and how many threads will send requests. Raises StopRun if .env or api_proxy is wrong."""
        # No longer than one call may last: an answer that trickles in until the time limit is not tried again.
        self._patiently = patiently(settings.retries, 5 * settings.timeout)
        self._rate_limit = RateLimit(per_second=PER_SECOND)
        cdn = Services.of(settings, tell_on_stderr).cdn
        self._network = http.Network(cdn, settings.timeout, connections=threads, waits=False, proxy=api_proxy())

    def ask(self, url: str, expected: int | None) -> Delivered:
        """Request a URL from the CDN. Raises StopRun if the CDN asks for a long pause.

        In: the URL, and its expected size in bytes (None if unknown). A size that differs is checked with GET, because
        some servers answer HEAD with a wrong size.
        """
        status: int | None = None
        at_most = 2 * (expected or _UNKNOWN)

        def once() -> Delivered:
            nonlocal status
            status = None
            reply = self._reply("HEAD", url, {}, at_most)
            delivers = reply.status == 200 and reply.size is not None and expected in (None, reply.size)
            if reply.status in _NO_HEAD or (reply.status == 200 and not delivers):
                reply = self._reply("GET", url, {"Range": "bytes=0-0"}, at_most)
            status = reply.status
            if status not in (200, 206):
                raise reply.error
            etag = plain_etag(reply.headers.get("ETag"))
            return Delivered(status, reply.size, md5=str(etag) if is_md5(etag) else None)

        try:
            return self._patiently(once)
        except ImageError as error:
            return Delivered(status, error=error)

    def read(self, url: str, at_most: int) -> Delivered:
        """Download what a URL delivers; the answer has the md5 of these bytes. Raises StopRun as `ask`.

        In: the most bytes to download; of more, the md5 stays unknown.
        """
        status: int | None = None

        def once() -> Delivered:
            nonlocal status
            status = None
            reply = self._reply("GET", url, {}, at_most)
            status = reply.status
            if status != 200:
                raise reply.error
            return Delivered(status, reply.size, md5=reply.md5)

        try:
            return self._patiently(once)
        except ImageError as error:
            return Delivered(status, error=error)

    def _reply(self, method: str, url: str, headers: Mapping[str, str], at_most: int) -> _Reply:
        """The answer to one request, after redirects. A redirect from https to http is not followed."""
        schemes: tuple[str, ...] = ("https://", "http://")
        count = 0
        digest = hashlib.md5(usedforsecurity=False)

        def follows(target: str) -> bool:
            nonlocal schemes
            if not target.startswith(schemes):
                raise ImageError(f"not an address to ask: {one_line(target, 200)}")
            if target.startswith("https://"):
                schemes = ("https://",)
            return True

        def add(part: bytes) -> None:
            nonlocal count
            count += len(part)
            digest.update(part)

        follows(url)
        with self._rate_limit.spending():
            try:
                answer = self._network.call(
                    method,
                    url,
                    headers={"Accept-Encoding": "identity", **headers},
                    at_most=at_most,
                    size=at_most if method == "GET" else 0,
                    sink=add,
                    # Of a part, which some servers do not heed, only the size matters.
                    wants_body=lambda answer: (
                        "Range" not in headers or answer.status != 200 or "Content-Length" not in answer.headers
                    ),
                    follows=follows,
                )
            except TooLarge:
                return _Reply(200, count, {})
            reply = replace(_Reply.of(answer, count if method == "GET" else None), md5=digest.hexdigest())
            if reply.status in (420, 429):
                raise reply.error
            return reply


@dataclass(frozen=True)
class _Reply:
    """One answer: status, the size of the whole file if known, headers.

    md5: of the body's bytes; None if they were too many.
    """

    status: int
    size: int | None
    headers: Mapping[str, str]
    md5: str | None = None

    @classmethod
    def of(cls, answer: http.Response, count: int | None) -> _Reply:
        """Read an answer. In: the counted bytes of its body, for an answer whose headers do not state the size."""
        if answer.status == 206:
            size = _number(r"bytes 0-0/([0-9]{1,18})", answer.headers.get("Content-Range", ""))
        elif "Content-Length" in answer.headers:
            size = _number(r"([0-9]{1,18})", answer.headers["Content-Length"])
        else:
            size = count
        return cls(answer.status, size, answer.headers)

    @property
    def error(self) -> MigrationError:
        """The error that this answer means, if it is not a success."""
        return delivery_error(self.status, self.headers.get("X-Cld-Error", ""), self.headers)


def _number(pattern: str, text: str) -> int | None:
    found = re.fullmatch(pattern, text)
    return int(found[1]) if found else None
