"""A bare JSON-RPC client: subprocess pipes, threads and the standard library only.

Shares no code with pygls or lsprotocol, so that a fault of theirs cannot hide itself, and sends whatever it is told to, right
or wrong. Knows the framing; what the messages mean is the tests' business.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

PATIENCE_S = 120.0
"""No test waits for less: a busy machine is slow, not wrong."""


class RpcError(Exception):
    """The server answered with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class RawClient:
    """One server process. Requests of the server's are answered by ``answers``, by method; others with "not found"."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, errors: Path) -> None:
        self.answers: dict[str, Callable[[Any], Any]] = {}
        self.notifications: list[dict[str, Any]] = []
        self.requested: list[dict[str, Any]] = []
        self.order: list[int] = []
        """Ids of our requests in the order of their answers."""
        self._answered: dict[int, dict[str, Any]] = {}
        self._last_id = 0
        self._news = threading.Condition()
        self._writing = threading.Lock()
        self._closed = False
        with errors.open("ab") as stderr:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=dict(env), cwd=cwd
            )
        threading.Thread(target=self._read, daemon=True).start()

    def write(self, *messages: Mapping[str, Any]) -> None:
        """Send messages in one piece, as they are."""
        assert self.process.stdin is not None
        bodies = [json.dumps({"jsonrpc": "2.0", **message}).encode() for message in messages]
        with self._writing:
            self.process.stdin.write(b"".join(b"Content-Length: %d\r\n\r\n%s" % (len(body), body) for body in bodies))
            self.process.stdin.flush()

    def notify(self, method: str, params: Any = None) -> None:
        self.write({"method": method, "params": params})

    def send(self, method: str, params: Any = None) -> int:
        """A request; returns its id without waiting."""
        id = self.next_id()
        self.write({"id": id, "method": method, "params": params})
        return id

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def wait(self, id: int) -> Any:
        """The result of a request. Raises `RpcError`."""
        self.until(lambda: id in self._answered, f"an answer to request {id}")
        message = self._answered[id]
        if "error" in message:
            raise RpcError(message["error"]["code"], message["error"]["message"])
        assert "result" in message
        return message["result"]

    def call(self, method: str, params: Any = None) -> Any:
        return self.wait(self.send(method, params))

    def until(self, happened: Callable[[], bool], what: str) -> None:
        """Wait until something has come that makes ``happened`` true. Raises `AssertionError`."""
        deadline = time.monotonic() + PATIENCE_S
        with self._news:
            while not happened():
                assert not self._closed, f"the server closed its output before {what}"
                assert self._news.wait(deadline - time.monotonic()), f"{PATIENCE_S:g} s without {what}"

    def notified(self, method: str) -> list[Any]:
        """The params of all notifications of a method so far."""
        with self._news:
            return [message.get("params") for message in self.notifications if message["method"] == method]

    def end(self) -> int:
        """Say goodbye as an editor does; returns the exit code."""
        if self.process.poll() is None:
            self.call("shutdown")
            self.notify("exit")
        return self.gone()

    def gone(self) -> int:
        """Wait for the process to end by itself."""
        code = self.process.wait(PATIENCE_S)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        return code

    def kill(self) -> None:
        self.process.kill()
        self.gone()

    def _read(self) -> None:
        while (message := self._frame()) is not None:
            with self._news:
                self._take(message)
                self._news.notify_all()
        with self._news:
            self._closed = True
            self._news.notify_all()

    def _frame(self) -> dict[str, Any] | None:
        stream = self.process.stdout
        assert stream is not None
        length = None
        try:
            while (line := stream.readline()).strip():
                name, _, value = line.partition(b":")
                assert value, f"not a header: {line!r}"
                if name.lower() == b"content-length":
                    length = int(value)
            return None if length is None else json.loads(stream.read(length))
        except ValueError:  # closed under our hands at the end of a test
            return None

    def _take(self, message: dict[str, Any]) -> None:
        if "method" not in message:
            self._answered[message["id"]] = message
            self.order.append(message["id"])
        elif "id" in message:
            self.requested.append(message)
            threading.Thread(target=self._answer, args=(message,), daemon=True).start()
        else:
            self.notifications.append(message)

    def _answer(self, message: dict[str, Any]) -> None:
        answer = self.answers.get(message["method"])
        if answer is None:
            self.write({"id": message["id"], "error": {"code": -32601, "message": "no such method"}})
        else:
            self.write({"id": message["id"], "result": answer(message.get("params"))})
