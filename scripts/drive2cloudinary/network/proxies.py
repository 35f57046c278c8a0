"""The proxy, if any, for an address."""

from __future__ import annotations

import base64
import ipaddress
import re
from dataclasses import dataclass
from functools import cache
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from drive2cloudinary.errors import StopRun


@dataclass(frozen=True)
class Proxy:
    """A proxy: its URL without credentials, its user and password ("" if none)."""

    url: str
    user: str = ""
    password: str = ""

    @property
    def address(self) -> str:
        """Its host and port, for messages."""
        return self.url.partition("://")[2]

    @property
    def headers(self) -> dict[str, str]:
        """The headers that are sent to an HTTP proxy only."""
        if not self.user and not self.password:
            return {}
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"proxy-authorization": f"Basic {token}"}


def proxy_for(url: str, otherwise: Proxy | None = None) -> Proxy | None:
    """The proxy for an address; None for a direct connection. In: the proxy to use if the environment names none.

    It is taken from the variables http_proxy, https_proxy, all_proxy and no_proxy, in lower or upper case, as the
    standard library reads them. Neither loopback nor what no_proxy names is ever behind a proxy. Raises StopRun if a
    variable's value is not a proxy.
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        # The call to this address will fail with a better message.
        return None
    return _proxy_for(parts.scheme, parts.hostname or "", port or (443 if parts.scheme == "https" else 80), otherwise)


@cache
def _proxy_for(scheme: str, host: str, port: int, otherwise: Proxy | None) -> Proxy | None:
    if _is_loopback(host) or proxy_bypass(f"{host}:{port}"):
        return None
    named = getproxies()
    variable = scheme if named.get(scheme) else "all"
    return parsed(named[variable], f"{variable}_proxy") if named.get(variable) else otherwise


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parsed(text: str, variable: str) -> Proxy:
    """The proxy in a variable's value. Raises StopRun, which never shows the value: it may contain a password."""
    refusal = StopRun(f"{variable} names no proxy: it has to be http://HOST:PORT, or socks5h://HOST:PORT")
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise refusal from error
    if parts.scheme not in ("http", "https", "socks4", "socks4a", "socks5", "socks5h") or not re.fullmatch(
        r"\S+", host
    ):
        raise refusal
    host = f"[{host}]" if ":" in host else host
    default = 1080 if parts.scheme.startswith("socks") else 443 if parts.scheme == "https" else 80
    return Proxy(
        f"{parts.scheme}://{host}:{port or default}", unquote(parts.username or ""), unquote(parts.password or "")
    )
