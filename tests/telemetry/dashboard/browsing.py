"""A browser for tests: it speaks ASGI to the application, keeps its cookie, and sends exactly the headers it is told."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from telemetry.dashboard.security import Guard

PORT = 4711
HOST = f"127.0.0.1:{PORT}"
ORIGIN = f"http://{HOST}"


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


class Browser:
    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.cookie = ""

    def let_in(self) -> Browser:
        answer = self.get(f"/open?token={self.guard.token}")
        assert answer.status == 303, answer
        self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return self

    def get(self, address: str, **headers: str) -> Answer:
        return self.ask("GET", address, headers)

    def post(self, address: str, body: bytes, **headers: str) -> Answer:
        return self.ask("POST", address, {"origin": ORIGIN, "content-type": "application/json", **headers}, body)

    def ask(self, method: str, address: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        """``headers`` names are given with _ for -; an empty value leaves the header out."""
        sent = {"host": HOST, "cookie": self.cookie, "content-length": str(len(body)) if body else ""}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return asyncio.run(self._ask(method, address, [(k.encode(), v.encode("latin-1")) for k, v in sent.items() if v], body))

    async def _ask(self, method: str, address: str, headers: list[tuple[bytes, bytes]], body: bytes) -> Answer:
        path, _, query = address.partition("?")
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": unquote(path), "raw_path": quote(path).encode(), "query_string": query.encode(), "root_path": "",
            "headers": headers, "server": ("127.0.0.1", PORT), "client": ("127.0.0.1", 50_000),
        }  # fmt: skip
        answer = Answer()
        sent = False

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if sent:
                await asyncio.sleep(3600)
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                answer.body += message.get("body", b"")

        await self.guard(scope, receive, send)
        return answer
