"""Ask Cloudinary's CDN whether it delivers a URL, and how many bytes, without downloading them.

Facts: https://cloudinary.com/documentation/advanced_url_delivery_options and RFC 9110. Delivery needs no credentials.
The header X-Cld-Error holds the reason of an error. A URL without a transformation does not count as one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from drive2cloudinary.cloudinary.errors import delivery_error
from drive2cloudinary.errors import ImageError, MigrationError, TooLarge, one_line
from drive2cloudinary.network import http
from drive2cloudinary.network.limits import RateLimit
from drive2cloudinary.network.services import Services, tell_on_stderr
from drive2cloudinary.retrying import patiently
from drive2cloudinary.settings import Settings

PER_SECOND = 100.0
"""The most requests a second. A CDN takes far more, but this is polite, and 100,000 URLs take only 17 minutes."""

_NO_HEAD = (403, 405, 501)
"""The status codes of servers that refuse HEAD; they may still answer GET."""
_REDIRECTS = 5
_UNKNOWN = 10_000_000
"""The expected bytes if the stored size is unknown. If the CDN states no size, up to twice as many are read."""


@dataclass(frozen=True)
class Answer:
    """The result for a URL: the HTTP status (None without an answer), the delivered bytes, the error."""

    status: int | None
    bytes: int | None = None
    error: ImageError | None = None


class Delivery:
    """The connections to the CDN, shared by several threads."""

    def __init__(self, settings: Settings, threads: int) -> None:
        """In: the settings, and how many threads will send requests."""
        # No longer than one call may last: an answer that trickles in until the time limit is not tried again.
        self._patiently = patiently(settings.retries, 5 * settings.timeout)
        self._rate_limit = RateLimit(per_second=PER_SECOND)
        self._network = http.Network(
            Services.of(settings, tell_on_stderr).cdn, settings.timeout, connections=threads, waits=False
        )

    def ask(self, url: str, expected: int | None) -> Answer:
        """Request a URL from the CDN. Raises StopRun if the CDN asks for a long pause.

        In: the URL, and its expected size in bytes (None if unknown). A size that differs is checked with GET, because
        some servers answer HEAD with a wrong size.
        """
        status: int | None = None
        at_most = 2 * (expected or _UNKNOWN)

        def once() -> Answer:
            nonlocal status
            status = None
            reply = self._reply("HEAD", url, {}, at_most)
            delivers = reply.status == 200 and reply.size is not None and expected in (None, reply.size)
            if reply.status in _NO_HEAD or (reply.status == 200 and not delivers):
                reply = self._reply("GET", url, {"Range": "bytes=0-0"}, at_most)
            status = reply.status
            if status not in (200, 206):
                raise reply.error
            return Answer(status, reply.size)

        try:
            return self._patiently(once)
        except ImageError as error:
            return Answer(status, error=error)

    def _reply(self, method: str, url: str, headers: Mapping[str, str], at_most: int) -> _Reply:
        """The answer to one request, after redirects. A redirect from https to http is not followed."""
        schemes: tuple[str, ...] = ("https://", "http://")
        for _ in range(_REDIRECTS + 1):
            if not url.startswith(schemes):
                raise ImageError(f"not an address to ask: {one_line(url, 200)}")
            if url.startswith("https://"):
                schemes = ("https://",)
            reply = self._request(method, url, headers, at_most)
            if not reply.redirects_to:
                return reply
            url = reply.redirects_to
        raise ImageError(f"redirected more than {_REDIRECTS} times")

    def _request(self, method: str, url: str, headers: Mapping[str, str], at_most: int) -> _Reply:
        count = 0

        def add(part: bytes) -> None:
            nonlocal count
            count += len(part)

        with self._rate_limit.spending():
            try:
                answer = self._network.call(
                    method,
                    url,
                    headers={"Accept-Encoding": "identity", **headers},
                    at_most=at_most,
                    size=at_most if method == "GET" else 0,
                    sink=add,
                    wants_body=lambda answer: answer.status != 200 or "Content-Length" not in answer.headers,
                )
            except TooLarge:
                return _Reply(200, count, "", {})
            reply = _Reply.of(answer, count if method == "GET" else None)
            if reply.status in (420, 429):
                raise reply.error
            return reply


@dataclass(frozen=True)
class _Reply:
    """One answer: status, the size of the whole file if known, the redirect's target ("" if none), headers."""

    status: int
    size: int | None
    redirects_to: str
    headers: Mapping[str, str]

    @classmethod
    def of(cls, answer: http.Answer, count: int | None) -> _Reply:
        """Read an answer. In: the counted bytes of its body, for an answer whose headers do not state the size."""
        if answer.status == 206:
            size = _number(r"bytes 0-0/([0-9]{1,18})", answer.headers.get("Content-Range", ""))
        elif "Content-Length" in answer.headers:
            size = _number(r"([0-9]{1,18})", answer.headers["Content-Length"])
        else:
            size = count
        return cls(answer.status, size, answer.redirects_to, answer.headers)

    @property
    def error(self) -> MigrationError:
        """The error that this answer means, if it is not a success."""
        return delivery_error(self.status, self.headers.get("X-Cld-Error", ""), self.headers)


def _number(pattern: str, text: str) -> int | None:
    found = re.fullmatch(pattern, text)
    return int(found[1]) if found else None
