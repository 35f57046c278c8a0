"""HTTP for Cloudinary's client: a replacement for its urllib3.PoolManager that uses our own connections."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import cloudinary.uploader
import urllib3

from drive2cloudinary.cloudinary.errors import cloudinary_error
from drive2cloudinary.network.http import Network


def connect(network: Network) -> None:
    """Make the client use `network` from now on. The client has no public way to set its connections."""
    cloudinary.uploader._http = Connector(network)


class Connector:
    """Stands in for urllib3.PoolManager in Cloudinary's client. Raises the error that an answer means."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def request(
        self, method: str, url: str, fields: Sequence[tuple[str, Any]], headers: Mapping[str, str]
    ) -> urllib3.HTTPResponse:
        """One call of the API. Every success has status 200."""
        signed_at = time.time()
        body, content_type = urllib3.encode_multipart_formdata(fields)
        answer = self._network.call(method, url, headers={**headers, "Content-Type": content_type}, body=body)
        if answer.is_redirect:
            raise self._network.redirected(answer)
        if answer.status != 200:
            raise cloudinary_error(answer.status, _message(answer.body), time.time() - signed_at)
        return urllib3.HTTPResponse(answer.body, answer.headers, answer.status)


def _message(body: bytes) -> str:
    """The message of an error answer, which may be HTML instead of JSON."""
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return "not JSON"
