"""The trusted certificates: the system's, those that the user names, and certifi's public ones."""

from __future__ import annotations

import os
import ssl
from functools import cache
from pathlib import Path

import certifi
import truststore

from drive2cloudinary.errors import StopRun

VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""Each may name a file of more certificates, for example of a company's CA; requests and OpenSSL read them, too."""


@cache
def trust() -> truststore.SSLContext:
    """The context for all TLS connections of this process. Raises StopRun if a variable names no certificates."""
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certifi.where())
    for name in VARIABLES:
        if path := os.environ.get(name):
            try:
                context.load_verify_locations(**{"capath" if Path(path).is_dir() else "cafile": path})
            except OSError as error:
                raise StopRun(f"{name} names {path}, which is not a file of certificates") from error
    return context
