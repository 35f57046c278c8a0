"""HTTP as every service is called: one exchange at a time, no redirect followed, no answer larger than it may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urljoin

import certifi
import urllib3

from .errors import ImageError, TooLarge, TransientError, one_line
from .retrying import network_error

ANSWER = 16_000_000
"""Bytes: the most that is read of an answer that is no file. The largest, a page of a listing, has about a million."""
ERROR_TEXT = 1_000_000
"""Bytes: the most that is read of an error answer; its status tells nearly all."""
_PIECE = 1 << 16


@dataclass(frozen=True)
class Answer:
    """One answer: its HTTP status, its headers, its body without content coding, and the URL that was asked."""

    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes
    url: str

    @property
    def is_redirect(self) -> bool:
        return 300 <= self.status < 400

    @property
    def redirects_to(self) -> str:
        """The URL that it redirects to, "" if it does not."""
        location = self.headers.get("Location", "") if self.is_redirect else ""
        try:
            return urljoin(self.url, location) if location else ""
        except ValueError:
            return location


class Network:
    """The connections to one service, kept open from call to call; safe to use from many threads.

    What goes wrong on the way is a TransientError that names the service: NoAnswer if nobody knows whether the call was
    carried out, TooLarge if the answer was cut off here, another for an answer that cannot be read. Only an address
    that is none is an ImageError.
    """

    def __init__(self, service: str, timeout: float, connections: int = 1) -> None:
        """In: the service's name for messages, seconds of silence after which a call is given up, how many threads."""
        self._service = service
        self._pools = urllib3.PoolManager(
            maxsize=connections,
            block=True,
            timeout=urllib3.Timeout(timeout),
            # retrying.py decides what is tried again, and who calls decides which redirects are followed.
            retries=False,
            cert_reqs="CERT_REQUIRED",
            ca_certs=certifi.where(),
        )

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | str | None = None,
        at_most: int = ANSWER,
        sink: Callable[[bytes], object] | None = None,
        wants_body: Callable[[Answer], bool] = lambda answer: True,
    ) -> Answer:
        """One request, and its answer whatever the status.

        In: `at_most`, the bytes that a successful answer may have; `sink`, who takes its body piece by piece instead of
        having it returned; whether to read the body of an answer at all, which costs the connection if not.
        """
        try:
            answer = self._pools.request(
                method, url, headers=headers, body=body, preload_content=False, redirect=False, retries=False
            )
            try:
                head = Answer(answer.status, answer.headers, b"", url)
                if not wants_body(head):
                    return head
                succeeded = 200 <= head.status < 300
                kept: list[bytes] = []
                take = sink if sink and succeeded else kept.append
                if not _read(answer, take, at_most if succeeded else ERROR_TEXT) and succeeded:
                    raise TooLarge(f"{self._service} sent more than the {at_most:,} bytes that were expected")
                return replace(head, body=b"".join(kept))
            finally:
                # Only what has been read to its end has given its connection back by now.
                answer.close()
                answer.release_conn()
        except urllib3.exceptions.LocationValueError as error:
            raise ImageError(f"not an address to ask {self._service} at: {one_line(url, 200)}") from error
        except urllib3.exceptions.DecodeError as error:
            raise TransientError(f"{self._service}'s answer cannot be unpacked") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise network_error(self._service, error) from error

    def redirected(self, answer: Answer) -> TransientError:
        """What a redirect means where none is followed: whoever sent it would get the request with all its secrets."""
        host = urllib3.util.parse_url(answer.redirects_to).host if answer.redirects_to else None
        return TransientError(
            f"{self._service} redirects to {one_line(host or 'nowhere', 100)}, which its API never does: "
            "does this network want you to log in first?"
        )

    def close(self) -> None:
        """Give up the connections, whatever state they are in."""
        self._pools.clear()


def _read(answer: urllib3.BaseHTTPResponse, take: Callable[[bytes], object], at_most: int) -> bool:
    """Read the body piece by piece; False if there is more of it than `at_most` bytes."""
    left = at_most
    # Unpacked, a piece can be a thousand times as long as what came: so no more is asked for than may come.
    while piece := answer.read1(min(_PIECE, left + 1)):
        left -= len(piece)
        if left < 0:
            return False
        take(piece)
    return True
