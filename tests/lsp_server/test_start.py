"""The first message: answered before anything is loaded, and nothing that follows it is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from lsp_server.start import Greeting, greet

ROOT = Path(__file__).resolve().parents[2]


def frame(message: Any, *headers: str) -> bytes:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    head = "".join(f"{header}\r\n" for header in (*headers, f"Content-Length: {len(body)}"))
    return head.encode() + b"\r\n" + body


def talk(*pieces: bytes) -> tuple[Greeting, bytes]:
    """What the greeting makes of pieces that come one after the other, and what it says."""
    (stdin, feed), (heard, stdout) = os.pipe(), os.pipe()

    def send() -> None:
        for piece in pieces:
            os.write(feed, piece)
        os.close(feed)

    sender = threading.Thread(target=send)
    sender.start()
    greeting = greet(stdin, stdout)
    sender.join()
    os.close(stdout)
    with os.fdopen(heard, "rb") as answers:
        said = answers.read()
    left = b"".join(iter(lambda: os.read(stdin, 65536), b""))
    os.close(stdin)
    return Greeting(greeting.params, greeting.rest + left), said


HELLO = {"jsonrpc": "2.0", "id": "one", "method": "initialize", "params": {"capabilities": {}, "x": "é"}}


def test_initialize_is_answered_and_the_rest_kept() -> None:
    rest = frame({"method": "initialized"}) + b"Content-Le"
    greeting, said = talk(frame(HELLO) + rest)
    assert greeting == Greeting(HELLO["params"], rest)  # type: ignore[arg-type]
    head, _, body = said.partition(b"\r\n\r\n")
    assert head == b"Content-Length: %d" % len(body)
    answer = json.loads(body)
    assert answer["id"] == "one"
    assert "inlineCompletionProvider" in answer["result"]["capabilities"]


def test_it_may_come_in_pieces_and_with_other_headers() -> None:
    message = frame(HELLO, "Content-Type: application/vscode-jsonrpc; charset=utf-8")
    greeting, said = talk(*(message[i : i + 7] for i in range(0, len(message), 7)))
    assert greeting == Greeting(HELLO["params"], b"")  # type: ignore[arg-type]
    assert said


@pytest.mark.parametrize("params", [None, [], 3])
def test_parameters_that_are_none(params: Any) -> None:
    greeting, said = talk(frame({**HELLO, "params": params}))
    assert greeting == Greeting({}, b"")
    assert said


@pytest.mark.parametrize(
    "first",
    [
        frame({"jsonrpc": "2.0", "id": 1, "method": "sotto/status"}),
        frame({"jsonrpc": "2.0", "method": "initialize"}),
        frame({"jsonrpc": "2.0", "method": "exit"}),
        frame(b"{nope"),
        frame([1]),
        b"Content-Length: x\r\n\r\n",
        b"hello\r\n\r\n",
        b"Content-Length: 99\r\n\r\n{",
        b"",
    ],
)
def test_anything_else_is_left_to_the_server(first: bytes) -> None:
    assert talk(first) == (Greeting(None, first), b"")


def test_greeting_loads_no_language_server_library() -> None:
    """The reason why it exists; asyncio alone is a fifth of the time it saves."""
    code = "import sys, lsp_server.cli, lsp_server.commands.serve, lsp_server.start; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout.split()
    assert "lsp_server.start" in loaded
    assert not {"pygls", "lsprotocol", "asyncio", "torch", "numpy", "sqlite_utils"} & set(loaded)


def test_importing_the_server_loads_no_engine_and_no_store() -> None:
    code = "import sys, lsp_server.server; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout.split()
    assert "pygls" in loaded
    assert not {"torch", "numpy", "tokenizers", "sqlite3", "sqlite_utils", "tree_sitter", "pathspec"} & set(loaded)
