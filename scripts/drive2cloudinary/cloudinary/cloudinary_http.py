"""HTTP for Cloudinary's client: a replacement for its urllib3.PoolManager that uses our own connections."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

import cloudinary.uploader
import urllib3

from drive2cloudinary.cloudinary.cloudinary_answers import cloudinary_error
from drive2cloudinary.network.http import Network


def connect(network: Network) -> Connector:
    """Make the client use `network` from now on. The client has no public way to set its connections."""
    cloudinary.uploader._http = connector = Connector(network)
    return connector


class Connector:
    """Stands in for urllib3.PoolManager in Cloudinary's client. Raises the error that an answer means."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._last = threading.local()

    @property
    def called_at(self) -> float:
        """When the last call of this thread began, in monotonic seconds."""
        return float(self._last.called_at)

    def service_time(self, moment: float) -> float | None:
        """The service's clock at a moment, by the last answer in this thread; None if that did not say the time.

        In: the moment, in monotonic seconds. Call it at once after the answer. Out: Unix time.
        """
        answered_at: float | None = self._last.answered_at
        return None if answered_at is None else answered_at - (time.monotonic() - moment)

    def request(
        self, method: str, url: str, fields: Sequence[tuple[str, Any]], headers: Mapping[str, str]
    ) -> urllib3.HTTPResponse:
        """One call of the API. Every success has status 200."""
        signed_at, self._last.called_at = time.time(), time.monotonic()
        body, content_type = urllib3.encode_multipart_formdata(fields)
        answer = self._network.call(method, url, headers={**headers, "Content-Type": content_type}, body=body)
        if answer.status != 200:
            raise cloudinary_error(answer.status, answer.body, answer.headers, time.time() - signed_at)
        self._last.answered_at = _moment(answer.headers.get("Date", ""))
        return urllib3.HTTPResponse(answer.body, answer.headers, answer.status)


def _moment(date: str) -> float | None:
    """The Unix time that a header's HTTP date names; None if it is none."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
