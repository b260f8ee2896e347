"""`sotto bench telemetry`: what the record costs a completion, and how long the dashboard takes with a large one.

Completions run through the real pipeline, journal and store with a model that answers at once, so that milliseconds can be
seen; the dashboard is the real application, asked about a made-up store without a socket between.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from assistant.cancel import Cancel
from assistant.config import Config
from assistant.gate.model import PRIOR_PATH, load
from assistant.gate.policy import Policy
from assistant.gate.weigher import Weigher
from assistant.service import Completer
from assistant.types import Chunk, EngineError, Finish, GenerateRequest, Score, ScoreRequest, Snapshot, Trigger
from lsp_server.commands.demo import SAMPLE
from lsp_server.commands.local import CommandError, fail, percentile
from lsp_server.journal import Journal
from telemetry.dashboard.app import Dashboard
from telemetry.dashboard.security import OPEN
from telemetry.ids import new_id
from telemetry.store import FILE_NAME, Store
from telemetry.synthetic import filled

BLOCKS = 4  # of each kind
PACE_S = 0.02  # between two keys: no typist is faster, and the writer's thread has to keep up
BOOTSTRAPS = 1000
LOOKS = 5
PORT = 1
PAGE = ("/", "/assets/main.js", "/assets/panels.js", "/assets/charts.js", "/assets/uPlot.iife.min.js", "/assets/style.css")


def run(answers: int, moments: int, as_json: bool) -> int:
    """Measure what is asked for; 0, or 2 with one sentence."""
    console, report = Console(stderr=True, quiet=as_json), dict[str, Any]()
    try:
        with console.status("measuring") as status, tempfile.TemporaryDirectory(prefix="sotto-bench-") as folder:
            if answers >= BLOCKS:
                report["completion"] = asyncio.run(_completions(Path(folder), answers, status.update))
            if moments > 0:
                report["dashboard"] = _dashboard(Path(folder) / "made-up", moments, status.update)
    except CommandError as error:
        return fail(str(error))
    if as_json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        _print(report)
    return 0


class _Canned:
    """A model that answers at once, so that what is left of a completion is Sotto's own work."""

    info = None

    async def generate(self, request: GenerateRequest, cancel: Cancel) -> AsyncIterator[Chunk]:
        """One short line for every request."""
        yield Chunk("value)", (-0.2, -0.1), Finish.STOP, 200, 180, 1.0, 1.0, 0.4)

    async def score(self, request: ScoreRequest) -> Score:
        raise EngineError("this model only speaks")

    async def learn(self, key: str, text: str) -> None:
        """Nothing is kept."""

    async def unlearn(self, key: str) -> None:
        """Nothing was kept."""


async def _completions(folder: Path, count: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Milliseconds of ``count`` answers with the record and without, in blocks that take turns."""
    times = list[list[tuple[float, float]]](), list[list[tuple[float, float]]]()
    for block in range(2 * BLOCKS):
        which = block % 2
        say(f"block {block + 1} of {2 * BLOCKS}, {'without' if which else 'with'} the record")
        times[which].append(await _block(folder, count // BLOCKS, records=not which))
    wall, work = ([[[one[clock] for one in block] for block in blocks] for blocks in times] for clock in (0, 1))
    told = compare(work[0], work[1])
    return {**compare(wall[0], wall[1]), **{f"work_{name}": value for name, value in told.items() if name != "answers"}}


async def _block(folder: Path, count: int, records: bool) -> list[tuple[float, float]]:
    """A key, then a completion, ``count`` times, faster than anyone types, all but the model real.

    Milliseconds of each by the wall's clock, and of the event loop's own work, which a busy machine disturbs less.
    """
    store, weigher = Store.open(folder, enabled=records), Weigher(Policy(load(PRIOR_PATH), random.Random(0).random))
    completer, journal = Completer(_Canned(), new_id=new_id, weigher=weigher), Journal(store, new_id)
    journal.begin("bench", "", "")
    head, text, times = SAMPLE.read_text(encoding="utf-8") + "\nresult = measure(", "", []
    for index in range(count):
        text = text + "ab" if index % 20 else ""
        asked, begun = time.perf_counter(), time.thread_time()
        journal.changed("file:///bench.py", head + text)
        snapshot = Snapshot("file:///bench.py", "python", head + text, len(head + text), trigger=Trigger.INVOKED)
        journal.answered(snapshot, await completer.complete(snapshot, Config(), Cancel()))
        journal.tick()
        times.append(((time.perf_counter() - asked) * 1000, (time.thread_time() - begun) * 1000))
        await asyncio.sleep(PACE_S)
    journal.end("exit")
    store.close(10)
    if store.dropped or store.problem:
        raise CommandError(f"the record did not work: {store.problem}")
    return times


def compare(recorded: list[list[float]], plain: list[list[float]], seed: int = 0) -> dict[str, Any]:
    """Percentiles of both, and by how much the 99th moved, with the middle 95 % of bootstraps by block."""

    def at(blocks: list[list[float]], q: int) -> float:
        return percentile([one for block in blocks for one in block], q)

    chance, moved = random.Random(seed), []
    for _ in range(BOOTSTRAPS):
        drawn = [[chance.choice(blocks) for _ in blocks] for blocks in (recorded, plain)]
        moved.append(at(drawn[0], 99) - at(drawn[1], 99))
    return {
        "answers": sum(map(len, recorded)),
        **{f"p{q}_recorded_ms": at(recorded, q) for q in (50, 95, 99)},
        **{f"p{q}_plain_ms": at(plain, q) for q in (50, 95, 99)},
        "p99_moved_ms": at(recorded, 99) - at(plain, 99),
        "p99_moved_low_ms": percentile(moved, 2.5),
        "p99_moved_high_ms": percentile(moved, 97.5),
    }


def _dashboard(folder: Path, moments: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Milliseconds from asking for the page until all that it draws has come."""
    say(f"making up {moments:,} moments: some minutes for a million")
    started = time.perf_counter()
    folder.mkdir(mode=0o700)
    path = filled(folder / FILE_NAME, moments, 89)
    made = time.perf_counter() - started
    say("loading the dashboard")
    times = asyncio.run(_loads(path))
    return {
        "moments": moments,
        "store_mb": path.stat().st_size / 1e6,
        "made_s": made,
        "first_ms": times[30][0],
        "loads_30_days_p50_ms": percentile(times[30], 50),
        "loads_400_days_p50_ms": percentile(times[400], 50),
    }


async def _loads(path: Path) -> dict[int, list[float]]:
    """By the span looked at, in days."""
    dashboard = Dashboard(path, "")
    _, cookie = await _ask(dashboard, f"{OPEN}?token={dashboard.guard.token}")
    return {days: [await _load(dashboard, cookie, days) for _ in range(LOOKS)] for days in (30, 400)}


async def _load(dashboard: Dashboard, cookie: str, days: int) -> float:
    """Milliseconds until all that the page loads has been answered."""
    started = time.perf_counter()
    for place in (*PAGE, f"/api/summary?days={days}"):
        status, _ = await _ask(dashboard, place, cookie)
        if status != 200:
            raise CommandError(f"the dashboard refused {place} ({status})")
    return (time.perf_counter() - started) * 1000


async def _ask(dashboard: Dashboard, address: str, cookie: str = "") -> tuple[int, str]:
    """What a browser on this machine would be answered, without a socket between: the status, and the cookie that was set."""
    path, _, query = address.partition("?")
    headers = [(b"host", f"127.0.0.1:{PORT}".encode()), (b"cookie", cookie.encode())]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http", "path": path,
        "raw_path": path.encode(), "query_string": query.encode(), "root_path": "", "headers": headers,
        "server": ("127.0.0.1", PORT), "client": ("127.0.0.1", 1),
    }  # fmt: skip
    heard: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        heard.append(message)

    await dashboard.guard(scope, receive, send)
    told = dict(heard[0]["headers"])
    return int(heard[0]["status"]), told.get(b"set-cookie", b"").decode().partition(";")[0]


def _print(report: dict[str, Any]) -> None:
    table = Table(title="the record", show_header=False)
    for part, numbers in report.items():
        for name, value in numbers.items():
            table.add_row(f"{part} {name.replace('_', ' ')}", f"{value:,.1f}" if isinstance(value, float) else f"{value:,}")
    Console().print(table)
