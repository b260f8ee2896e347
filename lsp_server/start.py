"""`sotto serve`: claim the transport, greet the client, then load the server and let it talk.

The LSP library takes about 0.3 s to import. A client waits for the answer to `initialize`, some with a frozen window; so that
one message is read and answered here, with the standard library alone. Knows the framing and that one message.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lsp_server import client
from lsp_server.paths import default_data_dir

CHUNK = 1 << 16


@dataclass(frozen=True)
class Greeting:
    """``params`` of the `initialize` that was answered, if one was, and the bytes that came after it."""

    params: dict[str, Any] | None
    rest: bytes


def run(
    to: Literal["stdio"] | tuple[Literal["tcp"], str, int],
    data_dir: Path | None = None,
    *,
    telemetry_allowed: bool = True,
    model: str = "",
) -> int:
    """Serve one client until it leaves; returns the process's exit code.

    ``data_dir`` is where the record of suggestions lives, `default_data_dir` if not given. ``telemetry_allowed`` False
    overrules the setting. ``model`` is used while the client's setting of that name is empty.
    """
    heard = logging.StreamHandler(sys.stderr)
    heard.setLevel(logging.WARNING)  # what an engine says below that goes into the editor's log (`lsp_server.host`)
    logging.basicConfig(handlers=[heard], level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    # pygls writes the parameters of what fails, and with them source text, into the editor's log.
    logging.getLogger("pygls").setLevel(logging.CRITICAL)
    folder = data_dir or default_data_dir()
    if to == "stdio":
        return _stdio(folder, telemetry_allowed, model)
    return _tcp(to[1], to[2], folder, telemetry_allowed, model)


def _stdio(data_dir: Path, telemetry_allowed: bool, model: str) -> int:
    stdin, stdout = claim_stdio()
    greeting = greet(stdin, stdout)
    from lsp_server import transport
    from lsp_server.server import AssistantServer

    server = AssistantServer(data_dir, telemetry_allowed, model)
    if greeting.params is not None:
        server.greeted(greeting.params)
    transport.serve_pipes(server, stdin, stdout, greeting.rest)
    return server.exit_code


def _tcp(host: str, port: int, data_dir: Path, telemetry_allowed: bool, model: str) -> int:
    from lsp_server import transport
    from lsp_server.server import AssistantServer

    if not transport.is_loopback(host):
        return _refuse(f"--tcp listens on this machine only, as in 127.0.0.1:{port}; {host} is reachable from others")
    server = AssistantServer(data_dir, telemetry_allowed, model)
    try:
        transport.serve_tcp(server, host, port)
    except OSError as error:
        return _refuse(f"cannot listen on {host}:{port}: {error.strerror or error}; choose another port, or 0 for a free one")
    return server.exit_code


def _refuse(message: str) -> int:
    sys.stderr.write(f"sotto: {message}\n")
    return 2


def claim_stdio() -> tuple[int, int]:
    """Private copies of stdin and stdout. From then on a stray print goes to stderr, and no child inherits either."""
    sys.stdout.flush()
    stdin, stdout = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    sys.stdout = sys.stderr
    return stdin, stdout


def greet(stdin: int, stdout: int) -> Greeting:
    """Read the first message and answer it if it is `initialize`; anything else is left to the server."""
    seen = b""
    while (split := _first_message(seen)) is None:
        chunk = read(stdin)
        if not chunk:
            return Greeting(None, seen)
        seen += chunk
    body, rest = split
    message = _request(body)
    if message is None:
        return Greeting(None, seen)
    params = message["params"] if isinstance(message.get("params"), dict) else {}
    reply = {"jsonrpc": "2.0", "id": message["id"], "result": client.answer(client.read(params))}
    _write(stdout, json.dumps(reply).encode("ascii"))
    return Greeting(params, rest)


def _first_message(seen: bytes) -> tuple[bytes, bytes] | None:
    """(body of the first message, what follows it), or ``None`` while it is not complete."""
    head, blank, rest = seen.partition(b"\r\n\r\n")
    if not blank:
        return None
    lengths = [line.partition(b":")[2] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    size = int(lengths[0]) if lengths and lengths[0].strip().isdigit() else 0
    return None if len(rest) < size else (rest[:size], rest[size:])


def _request(body: bytes) -> dict[str, Any] | None:
    """The message, if it is a request to initialize."""
    try:
        message = json.loads(body)
    except ValueError:
        return None
    wanted = isinstance(message, dict) and message.get("method") == "initialize" and message.get("id") is not None
    return message if wanted else None


def _write(stdout: int, body: bytes) -> None:
    message = b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    while message:
        message = message[os.write(stdout, message) :]


def read(stdin: int) -> bytes:
    """What has come, waiting for it if need be; empty at the end of the input."""
    try:
        return os.read(stdin, CHUNK)
    except OSError:  # a vanished console or, on Windows, a broken pipe is an end too
        return b""
