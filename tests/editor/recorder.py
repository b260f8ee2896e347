"""Stands between an editor and the server and keeps every message of both: `python recorder.py FILE serve --stdio ...`.

Each message becomes a line of FILE, `{"from": "client" or "server", "at": seconds, "session": number, "message": ...}`. Bytes
pass through as they are; when the server ends, so does this.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from typing import IO

LOCK = threading.Lock()


def frame(stream: IO[bytes]) -> tuple[bytes, bytes] | None:
    """The head and the body of the next message; ``None`` at the end."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return None
        head += line
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    return head, stream.read(length)


def pass_on(name: str, source: IO[bytes], target: IO[bytes], path: str) -> None:
    try:
        while (message := frame(source)) is not None:
            target.write(b"".join(message))
            target.flush()
            line = {"from": name, "at": time.time(), "session": os.getpid(), "message": json.loads(message[1])}
            with LOCK, open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        target.close()
    except OSError:
        pass  # the other side has ended


def main(path: str, arguments: list[str]) -> None:
    server = subprocess.Popen([sys.executable, "-m", "lsp_server", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin is not None
    assert server.stdout is not None
    threading.Thread(target=pass_on, args=("client", sys.stdin.buffer, server.stdin, path), daemon=True).start()
    pass_on("server", server.stdout, sys.stdout.buffer, path)
    os._exit(server.wait() & 0xFF)  # the other thread still waits for the editor


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
