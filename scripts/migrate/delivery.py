"""How Cloudinary's CDN answers for a URL: whether it delivers it, and how many bytes, without taking them.

Facts: https://cloudinary.com/documentation/advanced_url_delivery_options and RFC 9110. Delivery needs no credentials,
and says what is wrong in the header X-Cld-Error. What has no transformation in its URL is not counted as one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin

import certifi
import tenacity
import urllib3

from .errors import ImageError, MigrationError, one_line
from .pacing import Turns
from .retrying import delivery_error, network_error

PER_SECOND = 100.0
"""Requests at the most: a CDN takes far more, this one is somebody else's, and 100,000 URLs take 17 minutes."""

_NO_HEAD = (403, 405, 501)
"""What servers that want no HEAD say to it; some of them deliver all the same."""
_REDIRECTS = 5


@dataclass(frozen=True)
class Answer:
    """What came for a URL in the end: the HTTP status (None: nothing), the bytes it delivers, why it does not."""

    status: int | None
    bytes: int | None = None
    error: ImageError | None = None


class Delivery:
    """The connections to the CDN, for so many threads."""

    def __init__(self, timeout: float, patiently: tenacity.Retrying, turns: Turns, threads: int) -> None:
        """In: seconds of silence after which a call is given up; who tries again after a passing error; the pace."""
        self._timeout = timeout
        self._patiently = patiently
        self._turns = turns
        self._http = urllib3.PoolManager(
            maxsize=threads, block=True, cert_reqs="CERT_REQUIRED", ca_certs=certifi.where()
        )

    def ask(self, url: str, expected: int | None) -> Answer:
        """How the CDN answers for a URL. Raises StopRun if it wants to be left alone for long.

        In: the URL, and the bytes that it should deliver (None: not known). Another number is believed only if GET says
        it, too: to HEAD, some servers answer any.
        """
        status: int | None = None

        def once() -> Answer:
            nonlocal status
            status = None
            reply = self._reply("HEAD", url, {})
            delivers = reply.status == 200 and reply.size is not None and expected in (None, reply.size)
            if reply.status in _NO_HEAD or (reply.status == 200 and not delivers):
                reply = self._reply("GET", url, {"Range": "bytes=0-0"})
            status = reply.status
            if status not in (200, 206):
                raise reply.error
            return Answer(status, reply.size)

        try:
            return self._patiently(once)
        except ImageError as error:
            return Answer(status, error=error)

    def _reply(self, method: str, url: str, headers: Mapping[str, str]) -> _Reply:
        """The answer to one request, at the end of all redirections; one that leaves https is not followed."""
        schemes: tuple[str, ...] = ("https://", "http://")
        for _ in range(_REDIRECTS + 1):
            if not url.startswith(schemes):
                raise ImageError(f"not an address to ask: {one_line(url, 200)}")
            if url.startswith("https://"):
                schemes = ("https://",)
            try:
                reply = self._request(method, url, headers)
                if not reply.location:
                    return reply
                url = urljoin(url, reply.location)
            except ValueError as error:
                raise ImageError(f"not an address to ask: {one_line(url, 200)}") from error
        raise ImageError(f"redirected more than {_REDIRECTS} times")

    def _request(self, method: str, url: str, headers: Mapping[str, str]) -> _Reply:
        try:
            with self._turns.turn():
                answer = self._http.request(
                    method,
                    url,
                    headers={"Accept-Encoding": "identity", **headers},
                    preload_content=False,
                    redirect=False,
                    retries=False,
                    timeout=self._timeout,
                )
                try:
                    reply = _Reply.of(answer, method)
                finally:
                    # The connection is used again only if all that came on it has been read.
                    answer.close()
                    answer.release_conn()
                if reply.status in (420, 429):
                    raise reply.error
                return reply
        except ValueError:
            raise
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise network_error("Cloudinary's CDN", error) from error


@dataclass(frozen=True)
class _Reply:
    """One answer: status, the bytes of the whole if it says so, where it redirects to ("": nowhere), headers."""

    status: int
    size: int | None
    location: str
    headers: Mapping[str, str]

    @classmethod
    def of(cls, answer: urllib3.BaseHTTPResponse, method: str) -> _Reply:
        """What is in an answer, of which no more is read than it takes to know the size of the whole."""
        length = answer.headers.get("Content-Length", "")
        size = _number(r"([0-9]{1,18})", length)
        if answer.status == 206:
            size = _number(r"bytes 0-0/([0-9]{1,18})", answer.headers.get("Content-Range", ""))
        if method == "HEAD" or (answer.status == 206 and length == "1"):
            answer.drain_conn()
        elif answer.status == 200 and size is None:
            # Sent in chunks: nothing but counting tells.
            size = sum(map(len, answer.stream(1 << 16)))
        return cls(answer.status, size, answer.get_redirect_location() or "", answer.headers)

    @property
    def error(self) -> MigrationError:
        """What it means, not being a success."""
        return delivery_error(self.status, self.headers.get("X-Cld-Error", ""), self.headers)


def _number(pattern: str, text: str) -> int | None:
    found = re.fullmatch(pattern, text)
    return int(found[1]) if found else None
