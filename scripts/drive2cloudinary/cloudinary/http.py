"""HTTP for Cloudinary's client: what it takes for its urllib3.PoolManager, over our own connections."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import cloudinary.uploader
import urllib3

from drive2cloudinary.cloudinary.errors import cloudinary_error
from drive2cloudinary.network.http import Network


def connect(network: Network) -> None:
    """Have the client call the API over `network` from now on; it has no other way to be given connections."""
    cloudinary.uploader._http = _Connector(network)


class _Connector:
    """What Cloudinary's client takes for a urllib3.PoolManager; raises what an error of Cloudinary means."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def request(
        self, method: str, url: str, fields: Sequence[tuple[str, Any]], headers: Mapping[str, str]
    ) -> urllib3.HTTPResponse:
        """One call of the API, which answers every success with 200."""
        body, content_type = urllib3.encode_multipart_formdata(fields)
        answer = self._network.call(method, url, headers={**headers, "Content-Type": content_type}, body=body)
        if answer.is_redirect:
            raise self._network.redirected(answer)
        if answer.status != 200:
            raise cloudinary_error(answer.status, _message(answer.body))
        return urllib3.HTTPResponse(answer.body, answer.headers, answer.status)


def _message(body: bytes) -> str:
    """What an error answer says, which may be HTML."""
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return "not JSON"
