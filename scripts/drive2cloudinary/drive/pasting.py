"""Consent in a browser on another computer: the user pastes the redirect address, which it cannot load, here."""

from __future__ import annotations

import io
import secrets
import socket
import threading
from contextlib import suppress
from urllib.parse import parse_qs, urlencode
from urllib.request import ProxyHandler, build_opener

from drive2cloudinary.errors import MigrationError

HOST = "127.0.0.1"
ADDRESS_BAR = f"""Open this address in a browser, on any computer, and consent:

{{url}}

The browser then goes to an address that begins with http://{HOST}:{{port}}/. If it runs on another computer, that page
does not load: copy its address from the browser's address bar, and paste it here.
(Or let it load: run   ssh -L {{port}}:{HOST}:{{port}} {socket.gethostname()}   there, before you consent.)
"""


def new_state() -> str:
    """A random secret that identifies the answer to this request for consent."""
    return secrets.token_urlsafe(24)


def free_port(port: int) -> int:
    """A local port for the answer: `port`, or any free one if that is 0. Raises MigrationError if it is taken."""
    try:
        with socket.create_server((HOST, port)) as server:
            return int(server.getsockname()[1])
    except (OSError, OverflowError) as error:
        raise MigrationError(f"port {port} of this computer cannot be used ({error}): choose another --port") from error


def pass_on_pasted(port: int, state: str) -> None:
    """Start a thread that requests a pasted address from the local server at `port`, as the browser would.

    In: the `state` that the address must have. Without it, the user is asked again.
    """
    threading.Thread(target=_pass_on, args=(port, state), daemon=True).start()


def _pass_on(port: int, state: str) -> None:
    # Unbuffered: the lock of a buffered stdin, held by this thread, would break the interpreter's shutdown.
    with suppress(OSError), io.FileIO(0, closefd=False) as terminal:
        while line := terminal.readline():
            text = line.decode(errors="replace").strip()
            answer = {name: values[0] for name, values in parse_qs(text.partition("?")[2]).items()}
            if answer.get("state") == state and ("code" in answer or "error" in answer):
                build_opener(ProxyHandler({})).open(f"http://{HOST}:{port}/?{urlencode(answer)}").close()
                return
            if text:
                print(
                    f"This is not the address. It begins with http://{HOST}:{port}/?state= and contains this state: "
                    f"{state[:6]}… Paste all of it:"
                )
