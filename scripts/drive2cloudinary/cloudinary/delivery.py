"""How Cloudinary's CDN answers for a URL: whether it delivers it, and how many bytes, without taking them.

Facts: https://cloudinary.com/documentation/advanced_url_delivery_options and RFC 9110. Delivery needs no credentials,
and says what is wrong in the header X-Cld-Error. What has no transformation in its URL is not counted as one.
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
"""Requests at the most: a CDN takes far more, this one is somebody else's, and 100,000 URLs take 17 minutes."""

_NO_HEAD = (403, 405, 501)
"""What servers that want no HEAD say to it; some of them deliver all the same."""
_REDIRECTS = 5
_UNKNOWN = 10_000_000
"""Bytes: twice as many, or as what was stored, are counted where the CDN does not say how many it delivers."""


@dataclass(frozen=True)
class Answer:
    """What came for a URL in the end: the HTTP status (None: nothing), the bytes it delivers, why it does not."""

    status: int | None
    bytes: int | None = None
    error: ImageError | None = None


class Delivery:
    """The connections to the CDN, for so many threads."""

    def __init__(self, settings: Settings, threads: int) -> None:
        """In: the settings, and how many threads will ask."""
        # As long as one call may last: of one that drips to its end there is no second.
        self._patiently = patiently(settings.retries, 5 * settings.timeout)
        self._rate_limit = RateLimit(per_second=PER_SECOND)
        self._network = http.Network(
            Services.of(settings, tell_on_stderr).cdn, settings.timeout, connections=threads, waits=False
        )

    def ask(self, url: str, expected: int | None) -> Answer:
        """How the CDN answers for a URL. Raises StopRun if it wants to be left alone for long.

        In: the URL, and the bytes that it should deliver (None: not known). Another number is believed only if GET says
        it, too: to HEAD, some servers answer any.
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
        """The answer to one request, at the end of all redirections; one that leaves https is not followed."""
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
    """One answer: status, the bytes of the whole if it says so, where it redirects to ("": nowhere), headers."""

    status: int
    size: int | None
    redirects_to: str
    headers: Mapping[str, str]

    @classmethod
    def of(cls, answer: http.Answer, count: int | None) -> _Reply:
        """What is in an answer. In: the bytes of its body, where nothing but counting tells how many they are."""
        if answer.status == 206:
            size = _number(r"bytes 0-0/([0-9]{1,18})", answer.headers.get("Content-Range", ""))
        elif "Content-Length" in answer.headers:
            size = _number(r"([0-9]{1,18})", answer.headers["Content-Length"])
        else:
            size = count
        return cls(answer.status, size, answer.redirects_to, answer.headers)

    @property
    def error(self) -> MigrationError:
        """What it means, not being a success."""
        return delivery_error(self.status, self.headers.get("X-Cld-Error", ""), self.headers)


def _number(pattern: str, text: str) -> int | None:
    found = re.fullmatch(pattern, text)
    return int(found[1]) if found else None
