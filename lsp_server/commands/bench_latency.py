"""`sotto bench latency`: what a user feels of the real processes: start-up, keystrokes, cancellation, memory.

The server is a child process spoken to over stdio, as an editor does it; cancellation is timed at the engine's own client.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from assistant.cancel import Cancel
from assistant.types import EngineError, GenerateRequest, Part
from lsp_server.commands.bench_next_edit_grow import made_up
from lsp_server.commands.demo import SAMPLE
from lsp_server.commands.demo_typist import Typist, choose_lines
from lsp_server.commands.local import CommandError, fail, local_completer, percentile, read_source

EDITED_LINES, WARM_UP = 2000, 5
"""Of the file in which next edits are asked for, and the answers that do not count."""
CANCEL_AFTER_S = (0.002, 0.06)
"""A cancel arrives between these moments after the request: in the prefill as well as in the decode."""


def resident_mb(pid: int | None) -> float | None:
    """Resident memory of a process in MB (10^6 bytes); ``None`` where the system has no /proc."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    kilobytes = next((int(line.split()[1]) for line in lines if line.startswith("VmRSS:")), None)
    return None if kilobytes is None else kilobytes * 1024 / 1e6


async def _editor(rounds: int, folder: Path, model: str, threads: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Initialize, then about ``rounds`` completions asked for by hand after typed keys, so without debounce.

    ``new_place`` is the first key on each line; ``keystroke`` the keys after it, as a user meets them: some run the model
    over a warm KV cache, some are typed through what is shown.
    """
    text = read_source(SAMPLE)
    target = folder / "tools.py"
    target.write_text(text, encoding="utf-8")
    say("starting the server")
    typist = Typist(target, text, folder / "data", lambda *_: None, model, threads)
    try:
        start = await typist.open()
        cold, warm = [], []
        lines = choose_lines(text, max(1, rounds // 8))
        for index, number in enumerate(lines):
            say(f"typing line {index + 1} of {len(lines)}")
            first, *rest = await typist.time_line(number, 8)
            cold.append(first)
            warm += rest
        status = await typist.status()
        memory = {"server_mb": resident_mb(typist.server_pid), "engine_mb": resident_mb(status.get("enginePid"))}
    finally:
        await typist.close()
    return {
        "initialize_ms": start["initialize_ms"],
        "server_ready_ms": start["server_ms"],
        "engine_ready_ms": start["engine_ms"],
        "new_place_p50_ms": percentile(cold, 50),
        "new_place_p95_ms": percentile(cold, 95),
        "keystroke_p50_ms": percentile(warm, 50),
        "keystroke_p95_ms": percentile(warm, 95),
        "keystrokes": len(warm),
        **memory,
    }


async def _next_edits(rounds: int, folder: Path, model: str, threads: int, say: Callable[[str], None]) -> dict[str, Any]:
    """``rounds`` parameters of a long made-up file get another name, and the next edit is asked for; the first ones warm up."""
    text = made_up(EDITED_LINES)
    target = folder / "long.py"
    target.write_text(text, encoding="utf-8")
    typist = Typist(target, text, folder / "data", lambda *_: None, model, threads)
    times, found = [], 0
    try:
        await typist.open()
        for number in range(rounds + WARM_UP):
            say(f"next edit {number + 1} of {rounds + WARM_UP}")
            start = typist.buffer.text.index("(source", 150 * number) + 1
            took, is_there = await typist.time_edit(start, start + len("source"), f"origin_{number}")
            times.append(took)
            found += is_there and number >= WARM_UP
    finally:
        await typist.close()
    times = times[WARM_UP:]
    return {
        "next_edit_p50_ms": percentile(times, 50),
        "next_edit_p95_ms": percentile(times, 95),
        "next_edits": len(times),
        "next_edits_found": found,
    }


async def time_cancels(
    rounds: int, model: str, threads: int, say: Callable[[str], None], device: str = "auto"
) -> dict[str, Any]:
    """From the moment a request is cancelled to the moment the engine has nothing to do."""
    text = read_source(SAMPLE)
    times = []
    async with local_completer(model, threads, device) as (engine, _, _):
        low, high = CANCEL_AFTER_S
        for index in range(rounds):
            say(f"cancelling {index + 1} of {rounds}")
            # Every request begins elsewhere, so that each has a prefill to interrupt.
            parts = (Part(text=text[37 * (index % 30) :], keep="end"),)
            cancel = Cancel()
            chunks = engine.generate(GenerateRequest(parts, max_tokens=400, budget_ms=5000), cancel)
            asyncio.get_running_loop().call_later(low + (high - low) * index / rounds, cancel.set)
            async for _chunk in chunks:
                pass
            started = time.perf_counter()
            await engine.idle()
            times.append((time.perf_counter() - started) * 1000)
    return {"cancel_to_idle_p50_ms": percentile(times, 50), "cancel_to_idle_p99_ms": percentile(times, 99), "cancels": rounds}


def _print(report: dict[str, Any]) -> None:
    table = Table(title="latency of the real processes", show_header=False)
    for name, value in report.items():
        shown = "not measured on this system" if value is None else f"{value:.1f}" if isinstance(value, float) else str(value)
        table.add_row(name.replace("_", " "), shown)
    Console().print(table)


def run(rounds: int, as_json: bool, model: str, threads: int) -> int:
    console = Console(stderr=True, quiet=as_json)
    try:
        with console.status("measuring") as status, tempfile.TemporaryDirectory(prefix="sotto-bench-") as folder:
            report = asyncio.run(_editor(max(8, rounds), Path(folder), model, threads, status.update))
            report |= asyncio.run(_next_edits(max(1, rounds), Path(folder), model, threads, status.update))
            report |= asyncio.run(time_cancels(max(1, rounds), model, threads, status.update))
    except (CommandError, EngineError) as error:
        return fail(str(error))
    if as_json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        _print(report)
    return 0
