"""The name service of the tests of TLS and proxies: no name is known but those in TEST_NAMES.

Python imports this by itself where its folder is on PYTHONPATH. So a program that does not take its proxy fails as it
would in a network that has no other way out, and nothing that a test does wrong ever reaches a real service.
TEST_NAMES is JSON: host → the port on 127.0.0.1 that stands for its port 443; 0 for a name that is never answered.
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import time
from typing import Any

_names: dict[str, int] = json.loads(os.environ["TEST_NAMES"])
_getaddrinfo = socket.getaddrinfo


def getaddrinfo(host: Any, port: Any, *arguments: Any, **named: Any) -> Any:
    """As in socket; raises gaierror for a name that is not known."""
    name = host.decode() if isinstance(host, bytes) else host
    if _names.get(name) == 0:
        time.sleep(3600)
    if name in _names and port in (443, "443", "https"):
        return _getaddrinfo("127.0.0.1", _names[name], *arguments, **named)
    if name and name != "localhost" and name != socket.gethostname() and not _is_loopback(name):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return _getaddrinfo(host, port, *arguments, **named)


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


socket.getaddrinfo = getaddrinfo
