"""A stand-in for the hub on a loopback port: the requests that a download makes, and whatever goes wrong on the way."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "c" * 40


class Hub(ThreadingHTTPServer):
    """Serves ``folder`` as ``name``. ``asked``: (method, path, range) of each request.

    ``cut``: bytes of the weights after which it sets ``stalled`` and waits until ``on`` is set. ``damage`` turns a bit of them.
    """

    daemon_threads = True

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.name = folder, name
        self.asked: list[tuple[str, str, str]] = []
        self.cut = 0
        self.stalled, self.on = threading.Event(), threading.Event()
        self.damage = False

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *arguments: object) -> None:
        """Nothing."""

    def do_HEAD(self) -> None:
        self._answer(False)

    def do_GET(self) -> None:
        self._answer(True)

    def _answer(self, body: bool) -> None:
        hub = self.server
        path = self.path.partition("?")[0]
        hub.asked.append((self.command, path, self.headers.get("Range", "")))
        if path.startswith(f"/api/models/{hub.name}"):
            files = sorted(hub.folder.iterdir())
            tree = [{"type": "file", "path": file.name, "size": file.stat().st_size, "oid": "0" * 40} for file in files]
            told = {"id": hub.name, "sha": COMMIT, "siblings": [{"rfilename": file.name} for file in files]}
            self._send(200, json.dumps(tree if "/tree/" in path else told).encode(), {}, body)
            return
        file = hub.folder / path.rpartition("/")[2]
        if not path.startswith(f"/{hub.name}/resolve/") or not file.is_file():
            self._send(404, b"{}", {"X-Error-Code": "EntryNotFound"}, body)
            return
        data = file.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        if hub.damage and file.suffix == ".safetensors":
            data = data[:-1] + bytes([data[-1] ^ 1])
        headers = {
            "ETag": f'"{digest}"',
            "X-Repo-Commit": COMMIT,
            "X-Linked-Etag": f'"{digest}"',
            "X-Linked-Size": str(len(data)),
        }
        start = int(self.headers["Range"].removeprefix("bytes=").partition("-")[0]) if body and "Range" in self.headers else 0
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self._send(206 if start else 200, data[start:], headers, body)

    def _send(self, status: int, data: bytes, headers: dict[str, str], body: bool) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), "Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if not body:
            return
        cut = self.server.cut
        if cut and len(data) > cut:
            self.wfile.write(data[:cut])
            self.wfile.flush()
            self.server.stalled.set()
            self.server.on.wait(60)
        else:
            self.wfile.write(data)


@contextmanager
def serving(folder: Path, name: str) -> Iterator[Hub]:
    """A hub that ends with the block."""
    hub = Hub(folder, name)
    thread = threading.Thread(target=hub.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.on.set()
        hub.shutdown()
        hub.server_close()
        thread.join(5)
