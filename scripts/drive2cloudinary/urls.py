"""Web addresses: check that a text is one that is safe to request and to show, and write one as it has to be."""

from __future__ import annotations

import re
from urllib.parse import quote

_URL = re.compile(r"https?://(?:[^/?#@\\]*@)?(?:\[[0-9A-Fa-f:.]+\]|[^/?#@:\[\]\\]+)(?::\d{1,5})?(?:[/?#].*)?")
_HOST = re.compile(r"https?://[^/?#]*")
_NO_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


def is_url(text: object) -> bool:
    """Whether this is an http or https URL with a host, and without spaces or unprintable characters."""
    return isinstance(text, str) and text.isprintable() and " " not in text and _URL.fullmatch(text) is not None


def encoded(text: str) -> str:
    """A URL in which everything behind the host is percent-encoded that has to be; what is so already stays as it is.

    By RFC 3986, in UTF-8. In: any text; one that does not begin like a URL stays as it is. Control characters are
    encoded, too: refuse them before.
    """
    host = _HOST.match(text)
    if not host:
        return text
    behind = _NO_ESCAPE.sub("%25", text[host.end() :])
    return host[0] + quote(behind, safe="/?#%!$&'()*+,;=:@~", errors="surrogatepass")
