"""HTTP calls with the user's proxy and certificates, and with limits on time and size."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import urljoin, urlsplit

import socks
import urllib3
from urllib3.contrib.socks import SOCKSProxyManager

from drive2cloudinary.errors import ImageError, MigrationError, NoAnswer, StopRun, TooLarge, TransientError, one_line
from drive2cloudinary.network.contact import Contact
from drive2cloudinary.network.proxies import Proxy, parsed, proxy_for
from drive2cloudinary.network.tls import VARIABLES, trust
from drive2cloudinary.network.watchdog import WATCHDOG, watched
from drive2cloudinary.waiting import only_waiting, pause
from drive2cloudinary.wording import counted

ANSWER = 16_000_000
"""The most bytes read of an answer that is not a file. The largest such answer, a search page, has about a million."""
ERROR_TEXT = 1_000_000
"""The most bytes read of an error answer."""
CONNECTING = 4.0
"""Seconds to connect to any address of a host, unless `timeout` is shorter. Short, so that the user is soon told."""
_PIECE = 1 << 16
_LONGEST_PAUSE = 15.0
_REDIRECTS = 5
_NOT_CONNECTED = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
_WORDS: dict[type[BaseException], str] = {
    ConnectionRefusedError: "connection refused",
    urllib3.exceptions.ConnectTimeoutError: "no connection in time",
    urllib3.exceptions.ReadTimeoutError: "nothing came in time",
    TimeoutError: "nothing came in time",
    http.client.IncompleteRead: "the answer was cut off",
    urllib3.exceptions.IncompleteRead: "the answer was cut off",
    ConnectionError: "the connection was lost",
    ssl.SSLError: "the encrypted connection failed",
}


@dataclass(frozen=True)
class Response:
    """One answer: its HTTP status, headers, decoded body, and the URL requested."""

    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes
    url: str


class Network:
    """Persistent connections to one service; thread-safe.

    If nothing could be sent, the call waits and tries again, which is safe. Other network errors are TransientErrors
    that name the service: NoAnswer if the call may have been carried out, TooLarge if the answer was cut off here, and
    others for an unreadable answer. An invalid address is an ImageError. An error that affects all calls, such as an
    untrusted certificate, is a StopRun.
    """

    def __init__(
        self, contact: Contact, timeout: float, *, connections: int = 1, waits: bool = True, proxy: str = ""
    ) -> None:
        """In: the service's contact, the timeout in seconds without data, and the number of threads.

        waits: whether calls wait for an unreachable service instead of raising NoAnswer. proxy: the URL of a proxy to
        use if the environment names none; "" for a direct connection then. Raises StopRun if it is not a proxy.
        """
        self._service = contact.service
        self._contact = contact
        self._timeout = timeout
        self._connections = connections
        self._waits = waits
        self._other_proxy = parsed(proxy, "api_proxy") if proxy else None
        self._managers: dict[tuple[Proxy | None, bool], urllib3.PoolManager] = {}

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | str | None = None,
        at_most: int = ANSWER,
        size: int = 0,
        sink: Callable[[bytes], object] | None = None,
        wants_body: Callable[[Response], bool] = lambda answer: True,
        follows: Callable[[str], bool] = lambda target: False,
    ) -> Response:
        """Send one request and return its answer, whatever the status, unless it is a redirect.

        In: `at_most`, the most bytes of a successful answer; `size`, the expected bytes of a file; `sink`, called with
        the pieces of the body, which is then not returned; `wants_body`, whether to read the body at all (if not, the
        connection is closed); `follows`, whether a redirect of a request without a body may lead to this URL, which
        does not get the Authorization header. Any other redirect is a TransientError, because its target would get the
        request's secrets, and too many are an ImageError. The whole call may take five times the timeout, plus the time
        to transfer the bytes at 20 KB/s.
        """
        for _ in range(_REDIRECTS + 1):
            once = partial(self._once, method, url, headers, body, at_most, size, sink, wants_body)
            answer = self._answered(url, once)
            if not 300 <= answer.status < 400:
                return answer
            target = _target(answer)
            if not target or not follows(target):
                raise self._redirected(target)
            url = target
            headers = {name: value for name, value in (headers or {}).items() if name.lower() != "authorization"}
        raise ImageError(f"redirected more than {_REDIRECTS} times")

    def _answered(self, url: str, once: Callable[[], Response]) -> Response:
        """The answer to a request. In: its URL, and what sends it once."""
        began, next_try = time.monotonic(), 1.0
        while True:
            try:
                answer = once()
            except _Unreachable as error:
                silent = self._contact.failed(began)
                tried_for = time.monotonic() - began
                # If other calls are answered, the problem is this host or the route to it.
                is_alone = self._contact.answered_since(began) and tried_for > self._contact.patience / 10
                if not self._waits or is_alone:
                    raise self._no_answer(error) from error
                self._contact.wait_on(silent, str(error), f"next try in {next_try:.0f} s")
                pause(next_try)
                next_try = min(2 * next_try, _LONGEST_PAUSE)
            except NoAnswer as error:
                raise self._no_answer(error, self._is_its_own_fault(began, url, error)) from error
            else:
                self._contact.answered()
                return answer

    def _no_answer(self, error: Exception, counts: bool = True) -> NoAnswer:
        return NoAnswer(f"no answer from {self._service}: {error}", counts)

    def _is_its_own_fault(self, began: float, url: str, error: NoAnswer) -> bool:
        """Whether the missing answer may be due to this call alone. Raises StopRun.

        It is not if the service does not answer a simple HEAD request either.
        """
        silent = self._contact.failed(began)
        if not self._waits:
            return True
        parts = urlsplit(url)
        try:
            with only_waiting():
                self._once("HEAD", f"{parts.scheme}://{parts.netloc}/")
        except (_Unreachable, NoAnswer):
            # At first, the next call may know better why.
            if silent >= 1:
                self._contact.wait_on(silent, str(error), f"and no answer to anybody for {silent:.0f} s")
            return False
        self._contact.answered()
        return True

    def _redirected(self, target: str) -> TransientError:
        try:
            host = urlsplit(target).hostname
        except ValueError:
            host = None
        return TransientError(
            f"{self._service} redirects to {one_line(host or 'nowhere', 100)}, which its API never does: "
            "does this network want you to log in first?"
        )

    def close(self) -> None:
        """Close the connections, whatever state they are in."""
        for manager in self._managers.values():
            manager.clear()

    def _once(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | str | None = None,
        at_most: int = ANSWER,
        size: int = 0,
        sink: Callable[[bytes], object] | None = None,
        wants_body: Callable[[Response], bool] = lambda answer: True,
    ) -> Response:
        seconds = 5 * self._timeout + (len(body or b"") + size) / 20_000
        with WATCHDOG.limit(seconds) as limit:
            try:
                answer = self._manager(url).request(
                    method, url, headers=headers, body=body, preload_content=False, redirect=False, retries=False
                )
                try:
                    read = self._read(answer, url, at_most, sink, wants_body)
                finally:
                    # The connection of an answer that was not read to its end cannot be used again.
                    answer.close()
                    answer.release_conn()
                if limit.expired:
                    # A connection that was shut down during the headers looks like an answer without a body.
                    raise TimeoutError
                return read
            except urllib3.exceptions.LocationValueError as error:
                raise ImageError(f"not an address to ask {self._service} at: {one_line(url, 200)}") from error
            except urllib3.exceptions.DecodeError as error:
                raise TransientError(f"{self._service}'s answer cannot be unpacked") from error
            except (urllib3.exceptions.HTTPError, OSError) as error:
                if limit.expired:
                    raise NoAnswer(f"not finished after {seconds:.0f} s") from error
                raise self._meaning([*_chain(error)], url, limit.sent) from error

    def _read(
        self,
        answer: urllib3.BaseHTTPResponse,
        url: str,
        at_most: int,
        sink: Callable[[bytes], object] | None,
        wants_body: Callable[[Response], bool],
    ) -> Response:
        if answer.status == 407:
            raise self._refused_by_proxy(407, url)
        head = Response(answer.status, answer.headers, b"", url)
        if not wants_body(head):
            return head
        succeeded = 200 <= head.status < 300
        kept: list[bytes] = []
        take = sink if sink and succeeded else kept.append
        if not _pass_on(answer, take, at_most if succeeded else ERROR_TEXT) and succeeded:
            raise TooLarge(f"{self._service} sent more than the expected {counted(at_most, 'byte')}")
        return replace(head, body=b"".join(kept))

    def _manager(self, url: str) -> urllib3.PoolManager:
        proxy, is_secure = self._proxy_for(url), url.startswith("https:")
        if (proxy, is_secure) not in self._managers:
            options: dict[str, Any] = dict(
                maxsize=self._connections,
                block=True,
                timeout=urllib3.Timeout(connect=min(CONNECTING, self._timeout), read=self._timeout),
                **({"ssl_context": trust()} if is_secure else {}),
            )
            if proxy is None:
                manager = urllib3.PoolManager(**options)
            elif proxy.url.startswith("socks"):
                manager = SOCKSProxyManager(proxy.url, proxy.user or None, proxy.password or None, **options)
            else:
                own = {"proxy_ssl_context": trust()} if proxy.url.startswith("https:") else {}
                manager = urllib3.ProxyManager(proxy.url, proxy_headers=proxy.headers, **own, **options)
            manager.pool_classes_by_scheme = {
                scheme: watched(pool) for scheme, pool in manager.pool_classes_by_scheme.items()
            }
            self._managers[proxy, is_secure] = manager
        return self._managers[proxy, is_secure]

    def _proxy_for(self, url: str) -> Proxy | None:
        return proxy_for(url, self._other_proxy)

    def _meaning(self, chain: list[BaseException], url: str, sent: bool) -> MigrationError | _Unreachable:
        """The error that means why a call got no answer.

        In: the exceptions, from the outermost to the innermost; whether any part of the request was sent.
        """
        reason = _in_words(chain)
        if sent:
            return NoAnswer(reason)
        proxy = self._proxy_for(url)
        of_proxy = proxy and any(isinstance(each, urllib3.exceptions.ProxyError) for each in chain)
        for each in chain:
            if isinstance(each, ssl.SSLCertVerificationError):
                return self._not_trusted(each, f"the proxy {proxy.address}" if proxy and of_proxy else self._service)
            if isinstance(each, socks.SOCKS5AuthError):
                return self._refused_by_proxy(407, url)
            if found := re.search(r"Tunnel connection failed: (\d+)", str(each)):
                return self._refused_by_proxy(int(found[1]), url)
            if isinstance(each, socket.gaierror):
                return self._unknown_host(each, url)
        if proxy and (of_proxy or any(isinstance(each, socks.ProxyError) for each in chain)):
            return _Unreachable(f"the proxy {proxy.address}: {reason}")
        if any(isinstance(each, _NOT_CONNECTED) for each in chain):
            return _Unreachable(reason)
        return NoAnswer(reason)

    def _unknown_host(self, error: socket.gaierror, url: str) -> StopRun | _Unreachable:
        proxy = self._proxy_for(url)
        # With these two schemes, the host is resolved here and not by the proxy.
        asks_itself = proxy and not proxy.url.startswith(("socks4:", "socks5:"))
        unknown = f"the proxy {proxy.address}" if proxy and asks_itself else f"the host {urlsplit(url).hostname}"
        # EAI_AGAIN, in contrast, means that the name server does not answer, which may pass.
        if error.errno in (socket.EAI_NONAME, socket.EAI_NODATA) and not self._contact.has_answered:
            return StopRun(f"{self._service} cannot be reached: {unknown} is not known. Is there a network?")
        return _Unreachable(f"{unknown} is not known")

    def _not_trusted(self, error: ssl.SSLCertVerificationError, whose: str) -> StopRun:
        why = one_line(error.verify_message or "it cannot be verified", 150)
        # Codes of X509_verify_cert(3) for an issuer that is missing or not trusted.
        if error.verify_code in (2, 18, 19, 20, 21):
            why += f"; if your company's proxy made it, name the file of its CA in {VARIABLES[0]}"
        return StopRun(f"{whose}'s certificate is not trusted: {why}")

    def _refused_by_proxy(self, status: int, url: str) -> StopRun | _Unreachable:
        proxy = self._proxy_for(url)
        address = proxy.address if proxy else "?"
        if status == 407:
            return StopRun(
                f"the proxy {address} wants a user and a password: set HTTPS_PROXY=http://USER:PASSWORD@{address}, "
                "special characters percent-encoded"
            )
        if 400 <= status < 500:
            return StopRun(f"the proxy {address} does not let {urlsplit(url).hostname} through (it answered {status})")
        return _Unreachable(f"the proxy {address} answered {status}")


class _Unreachable(Exception):
    """No connection could be made, so nothing was sent. The message is the reason."""


def _target(answer: Response) -> str:
    """The target of a redirect; "" if it names none."""
    location = answer.headers.get("Location", "")
    try:
        return urljoin(answer.url, location) if location else ""
    except ValueError:
        return location


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, then its causes, down to the innermost."""
    while error is not None:
        yield error
        inner = next((each for each in error.args if isinstance(each, BaseException)), None)
        error = inner or error.__cause__ or error.__context__


def _in_words(chain: list[BaseException]) -> str:
    """The most specific reason among these exceptions, in plain words."""
    for kind, words in _WORDS.items():
        if any(isinstance(error, kind) for error in chain):
            return words
    said = (error.strerror for error in reversed(chain) if isinstance(error, OSError) and error.strerror)
    return one_line(next(said, "the connection was lost"), 100).lower()


def _pass_on(answer: urllib3.BaseHTTPResponse, take: Callable[[bytes], object], at_most: int) -> bool:
    """Read the body piece by piece; False if it has more than `at_most` bytes."""
    left = at_most
    # A compressed piece can decode to a thousand times its size, so never read more than is allowed.
    while piece := answer.read1(min(_PIECE, left + 1)):
        left -= len(piece)
        if left < 0:
            return False
        take(piece)
    return True
