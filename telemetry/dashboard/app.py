"""The dashboard's addresses: pages, assets, answers, files to take along, and the one that erases.

Pages are files that hold no data: names and numbers come as JSON and are put in as text, so that no name can be markup. Who
may ask is `security.Guard`'s; what is answered, `answers` and `lists`.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from telemetry import disk, retention
from telemetry.connection import NewerSchemaError, UnreadableError
from telemetry.dashboard import answers, lists, tables
from telemetry.dashboard.security import OPEN, Guard
from telemetry.ids import new_id

WORD = "erase"
"""What the user types to confirm."""

_ASSETS = Path(__file__).parent / "assets"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_LARGEST = 1 << 53


class Dashboard:
    """Answers about one store. ``learned`` are globs of files of its folder that were made from it, and are erased with it."""

    def __init__(self, path: Path, learned: Sequence[str] = ()) -> None:
        self.path = path
        self._learned = learned
        self._run = new_id()
        self._assets = {file.name: file.read_bytes() for file in sorted(_ASSETS.rglob("*")) if file.suffix in _TYPES}
        self.guard = Guard(Starlette(routes=self._routes(), exception_handlers=_FAILURES))

    def _routes(self) -> list[Route]:
        return [
            Route("/", self._page("index.html")),
            Route("/rows", self._page("rows.html")),
            Route(OPEN, lambda request: RedirectResponse("/", 303)),
            Route("/assets/{name}", self._asset),
            Route("/api/summary", self._summary),
            Route("/api/rows", self._rows),
            Route("/api/row", self._row),
            Route("/api/token", self._token),
            Route("/export.jsonl", self._json_lines),
            Route("/export.csv", self._spreadsheet),
            Route("/api/pause", self._pause, methods=["POST"]),
            Route("/api/erase", self._erase, methods=["POST"]),
        ]

    def _page(self, name: str) -> Callable[[Request], Response]:
        return lambda request: self._file(name)

    def _asset(self, request: Request) -> Response:
        return self._file(request.path_params["name"])

    def _file(self, name: str) -> Response:
        """Only names read at the start exist: no address ever becomes a path."""
        if name not in self._assets:
            return PlainTextResponse("There is no such page.\n", 404)
        return Response(self._assets[name], media_type=_TYPES[Path(name).suffix])

    def _summary(self, request: Request) -> Response:
        days = _number(request.query_params, "days", 30)
        offset = _number(request.query_params, "offset", 0)
        if days not in answers.SPANS or abs(offset) > 24 * 60:
            return PlainTextResponse(f"days is one of {answers.SPANS}, offset minutes within a day\n", 400)
        tag = f'"{self._run}-{answers.signature(self.path)}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304)
        return JSONResponse(answers.summary(self.path, days, offset), headers={"etag": tag})

    def _rows(self, request: Request) -> Response:
        asked = request.query_params
        step = asked.get("step", "")
        if step not in lists.STEPS or not set(asked) <= {"step", "since", "until", "row", *lists.EQUAL}:
            return PlainTextResponse("There is no such filter.\n", 400)
        times = [_number(asked, name, default) for name, default in (("since", 0), ("until", _LARGEST), ("row", _LARGEST))]
        equal = {name: asked[name] for name in lists.EQUAL if name in asked}
        return JSONResponse(lists.page(self.path, step, equal, *times))

    def _row(self, request: Request) -> Response:
        found = lists.one(self.path, request.query_params.get("id", ""))
        return JSONResponse(found) if found else PlainTextResponse("There is no such row (any more).\n", 404)

    def _token(self, request: Request) -> Response:
        """What must come with every write. Another origin's page cannot read it."""
        return JSONResponse({"token": self.guard.written, "word": WORD})

    def _json_lines(self, request: Request) -> Response:
        return _download(tables.json_lines(self.path), "application/x-ndjson", "sotto-telemetry.jsonl")

    def _spreadsheet(self, request: Request) -> Response:
        return _download(tables.spreadsheet(self.path), "text/csv", "sotto-opportunities.csv")

    async def _pause(self, request: Request) -> Response:
        """A file beside the store, which every server that writes there looks for; the database stays untouched."""
        asked = await _json(request)
        if isinstance(asked, Response):
            return asked
        if asked not in ({"paused": True}, {"paused": False}):
            return PlainTextResponse("Say whether to pause.\n", 400)
        await run_in_threadpool(disk.pause, self.path.parent, asked["paused"])
        return JSONResponse(asked)

    async def _erase(self, request: Request) -> Response:
        asked = await _json(request)
        if isinstance(asked, Response):
            return asked
        if asked != {"word": WORD}:
            return PlainTextResponse(f"Nothing was erased: type {WORD} to confirm.\n", 400)
        await run_in_threadpool(retention.erase, self.path, self._learned)
        return JSONResponse({"erased": True})


async def _json(request: Request) -> Any:
    """The body, or the answer that refuses it."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        return PlainTextResponse("Send JSON.\n", 415)
    try:
        return json.loads(await request.body())
    except ValueError:
        return PlainTextResponse("Send JSON.\n", 400)


def _download(lines: Iterable[str], kind: str, name: str) -> Response:
    return StreamingResponse(_blocks(lines), media_type=kind, headers={"content-disposition": f'attachment; filename="{name}"'})


def _blocks(lines: Iterable[str]) -> Iterator[str]:
    """A thousand lines at a time: each block costs the server a change of threads."""
    left = iter(lines)
    while block := "".join(itertools.islice(left, 1000)):
        yield block


def _number(asked: Mapping[str, str], name: str, default: int) -> int:
    """A whole number of at most 16 digits. Raises ValueError."""
    text = asked.get(name, "")
    if not text:
        return default
    if len(text) > 17:
        raise ValueError(f"{name} is too long a number")
    return int(text)


def _wrong(request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", 400)


def _unreadable(request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", 503)


def _busy(request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}; close your editors and try again\n", 503)


_FAILURES: Mapping[Any, Any] = {
    ValueError: _wrong,
    UnreadableError: _unreadable,
    NewerSchemaError: _unreadable,
    sqlite3.Error: _busy,
    OSError: _busy,
}
