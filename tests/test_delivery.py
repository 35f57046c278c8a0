"""The CDN over TLS: only a trusted certificate is accepted, and no redirect may leave TLS."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from drive2cloudinary.cloudinary.delivery import Delivered, Delivery
from drive2cloudinary.errors import StopRun
from drive2cloudinary.network.tls import trust
from drive2cloudinary.settings import Settings


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
    """An HTTPS server whose certificate, made for 127.0.0.1, is ca.pem beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    now = datetime.now(UTC)
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    (tmp_path / "ca.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "key.pem").write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key.pem")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made_server:
        made_server.daemon_threads = True
        made_server.socket = context.wrap_socket(made_server.socket, server_side=True)
        threading.Thread(target=made_server.serve_forever, daemon=True).start()
        yield made_server
        made_server.shutdown()


def test_only_a_certificate_that_counts_is_believed_and_no_redirection_leaves_https(
    server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = f"https://127.0.0.1:{server.server_port}"

    def ask(path: str) -> Delivered:
        trust.cache_clear()
        return Delivery(Settings(timeout=5, retries=0), 1).ask(root + path, 7)

    with pytest.raises(StopRun, match="CDN's certificate is not trusted"):
        ask("/there")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    assert ask("/there") == ask(f"/{root}/there") == ask("//there") == Delivered(200, 7)
    for elsewhere in (root.replace("https", "http") + "/there", "file:///etc/passwd", "https://127.0.0.1:port"):
        left = ask(f"/{elsewhere}")
        assert "not an address to ask" in str(left.error) and left.bytes is None
