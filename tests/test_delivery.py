"""The CDN over TLS: only a trusted certificate is accepted, and no redirect may leave TLS."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from drive2cloudinary.cloudinary.delivery import Delivered, Delivery
from drive2cloudinary.errors import StopRun
from drive2cloudinary.network.tls import trust
from drive2cloudinary.settings import Settings
from tests.certificates import Authority


class Handler(BaseHTTPRequestHandler):
    """/there is there; all else redirects to what comes after the first slash."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        if self.path == "/there":
            self.send_response(200)
            self.send_header("Content-Length", "7")
        else:
            self.send_response(301)
            self.send_header("Location", self.path[1:])
            self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ThreadingHTTPServer]:
    """An HTTPS server for localhost, whose authority is own.pem."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Authority(tmp_path, "own").issue("localhost"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        made.daemon_threads = True
        made.socket = context.wrap_socket(made.socket, server_side=True)
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def test_the_cdn_needs_a_trusted_certificate_and_redirects_stay_on_https(
    server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = f"https://localhost:{server.server_port}"

    def ask(path: str) -> Delivered:
        trust.cache_clear()
        return Delivery(Settings(timeout=5, retries=0), 1).ask(root + path, 7)

    with pytest.raises(StopRun, match="CDN's certificate is not trusted"):
        ask("/there")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
    assert ask("/there") == ask(f"/{root}/there") == ask("//there") == Delivered(200, 7)
    for elsewhere in (root.replace("https", "http") + "/there", "file:///etc/passwd", "https://localhost:port"):
        left = ask(f"/{elsewhere}")
        assert "not an address to ask" in str(left.error) and left.bytes is None
