"""The trusted certificates: the system's, those that the user names, and certifi's public ones."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from functools import cache
from pathlib import Path
from typing import Any

import certifi
import truststore

from drive2cloudinary.errors import StopRun

_one_at_a_time = threading.Lock()
VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""Each may name a file of more certificates, for example of a company's CA; requests and OpenSSL read them, too."""


class Trust(truststore.SSLContext):
    """A TLS context that resumes the last session with a host, which halves the handshake of a new connection."""

    def __init__(self, protocol: int) -> None:
        """As ssl.SSLContext. Raises StopRun if a variable names a file without certificates."""
        super().__init__(protocol)
        self._sessions: dict[str, ssl.SSLSession] = {}
        self.load_verify_locations(certifi.where())
        for name in VARIABLES:
            if path := os.environ.get(name):
                try:
                    self.load_verify_locations(**{"capath" if Path(path).is_dir() else "cafile": path})
                except OSError as error:
                    raise StopRun(f"{name} names {path}, which is not a file of certificates") from error

    def wrap_socket(self, sock: socket.socket, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        """As ssl.SSLContext.wrap_socket."""
        options.setdefault("session", self._sessions.get(options.get("server_hostname") or ""))
        return super().wrap_socket(sock, *arguments, **options)

    def remember(self, sock: ssl.SSLSocket) -> None:
        """Keep a connection's session, when an answer has begun: TLS 1.3 sends the session after the handshake."""
        if sock.server_hostname and sock.session:
            self._sessions[sock.server_hostname] = sock.session


def trust() -> Trust:
    """The only context of this process, because a session can be resumed only in its own context.

    Raises StopRun.
    """
    with _one_at_a_time:
        return _trust()


@cache
def _trust() -> Trust:
    return Trust(ssl.PROTOCOL_TLS_CLIENT)
