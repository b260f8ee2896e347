"""`sotto serve`: read the transport, hand over to the server."""

from __future__ import annotations

import sys
from pathlib import Path


def parse_tcp(address: str) -> tuple[str, int] | None:
    """HOST:PORT, or ``None`` when it is not one; ``[::1]:PORT`` for IPv6."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or not 0 <= int(port) < 65536:
        return None
    return host.strip("[]") or "127.0.0.1", int(port)


def run(tcp: str | None, data_dir: Path, telemetry_allowed: bool, model: str = "") -> int:
    from lsp_server import start  # pygls is loaded once the client is greeted

    if tcp is None:
        return start.run("stdio", data_dir, telemetry_allowed=telemetry_allowed, model=model)
    address = parse_tcp(tcp)
    if address is None:
        sys.stderr.write(f"sotto: --tcp wants HOST:PORT, as in 127.0.0.1:7070, not {tcp!r}\n")
        return 2
    return start.run(("tcp", *address), data_dir, telemetry_allowed=telemetry_allowed, model=model)
