"""HTTP for Google's clients: replacements for httplib2.Http and for an adapter of requests that use our connections."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httplib2
import requests

from drive2cloudinary.network.http import ANSWER, Network, Response
from drive2cloudinary.network.services import Services, tell_on_stderr
from drive2cloudinary.settings import Settings

GOOGLE = (".google.com", ".googleapis.com", ".googleusercontent.com")
"""The hosts to which Google may redirect a download."""


class SignInRefused(Exception):
    """The token endpoint answered with an error, of which the client would keep only a part, with advice of its own."""

    def __init__(self, answer: Response) -> None:
        super().__init__(answer.status)
        self.answer = answer


class DriveHttp:
    """Connections to Drive and to Google's sign-in, with the part of httplib2's API the clients use. Unlike httplib2,
    it is thread-safe: each call has a connection to itself.

    Only the https download of a file may be redirected, only to Google's hosts, and without the token. Any other
    redirect could send the token or the client's secret to a foreign host.
    """

    def __init__(self, settings: Settings, services: Services, threads: int) -> None:
        """In: the settings, what all processes share, and how many calls there are at once at most."""
        self._endpoint = settings.drive_endpoint.rstrip("/") + "/"
        self._drive = Network(services.drive, settings.timeout, connections=threads)
        self._sign_in = Network(services.sign_in, settings.timeout, connections=threads)
        self._of_thread = threading.local()

    @contextmanager
    def expecting(self, file_size: int) -> Iterator[None]:
        """Within this context, this thread's calls download a file, or a part of it, of at most `file_size` bytes."""
        self._of_thread.file_size = file_size
        try:
            yield
        finally:
            self._of_thread.file_size = None

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        redirections: int = 0,
        connection_type: Any = None,
    ) -> tuple[httplib2.Response, bytes]:
        """As httplib2.Http.request. Raises TransientError, SignInRefused."""
        if uri.startswith(self._endpoint):
            file_size: int | None = getattr(self._of_thread, "file_size", None)
            is_download = file_size is not None and _is_googles(uri)
            answer = self._drive.call(
                method,
                uri,
                headers=headers,
                body=body,
                at_most=ANSWER if file_size is None else file_size,
                size=file_size or 0,
                follows=lambda target: is_download and _is_googles(target),
            )
        else:
            answer = self._sign_in.call(method, uri, headers=headers, body=body)
            if method == "POST" and answer.status >= 400:
                raise SignInRefused(answer)
        return _as_httplib2(answer), answer.body

    def close(self) -> None:
        """Close the connections, whatever state they are in."""
        self._drive.close()
        self._sign_in.close()


class ConsentHttp(requests.adapters.BaseAdapter):
    """An adapter of requests, with which the consent's flow reaches the token endpoint. It follows no redirects."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._network = Network(Services.of(settings, tell_on_stderr).sign_in, settings.timeout)

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        """As requests.adapters.BaseAdapter.send. Raises MigrationError."""
        assert request.method and request.url and isinstance(request.body, str | bytes | None)
        headers = {name: str(value) for name, value in request.headers.items()}
        answer = self._network.call(request.method, request.url, headers=headers, body=request.body)
        response = requests.Response()
        response.status_code, response.url, response.request = answer.status, answer.url, request
        response.headers.update(answer.headers)
        response.raw = io.BytesIO(answer.body)
        return response

    def close(self) -> None:
        """Close the connections."""
        self._network.close()


def _is_googles(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" and f".{parts.hostname}".endswith(GOOGLE)
    except ValueError:
        return False


def _as_httplib2(answer: Response) -> httplib2.Response:
    return httplib2.Response({**answer.headers, "status": str(answer.status)})
