"""`sotto bench runtime`: our runtime against llama.cpp and transformers with the same weights, and what a user feels of it.

The race runs in a process of its own (`assistant.model.race`), because this package never loads torch; the engine's start,
memory, cancels and completions are measured at the engine's own client. Knows how to show both; does not know models.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from assistant.cancel import Cancel
from assistant.config import Config
from assistant.types import EngineError, GenerateRequest, Part
from lsp_server.commands import bench_infill, bench_latency, bench_shown
from lsp_server.commands.local import LOAD_TIMEOUT_S, CommandError, fail, local_completer, percentile
from lsp_server.commands.plot import Panel, svg
from lsp_server.engine import EngineClient
from lsp_server.spawn import python_command

MAIN = ("prefill", "decode_plain", "keystroke_warm", "keystroke_ten", "edit_above")
TITLES = {
    "prefill": "prefill",
    "decode_plain": "a token, plain decode",
    "keystroke_warm": "one typed character to 24 tokens",
    "keystroke_ten": "ten typed tokens to 24 tokens",
    "edit_above": "an edit 100 tokens above to 24 tokens",
}
COMPLETIONS, CURSORS, CANCELS, STARTS = 60, 300, 60, 3


def run(path: Path, against: str, rounds: int, quick: bool, plot: Path | None, as_json: bool, model: str, threads: int) -> int:
    console = Console(stderr=True, quiet=as_json)
    try:
        if not path.is_dir():
            raise CommandError(f"{path} is not a folder; name one with --path DIR")
        with console.status("measuring") as status:
            report = _race(path.resolve(), against, rounds, quick, model, status.update)
            texts = bench_infill.readable(sorted(path.resolve().rglob("*.py")))
            places = bench_infill.cursors(path.resolve(), texts, CURSORS)
            report |= asyncio.run(_product(places, texts, model, threads, status.update))
        report["ratios"] = _ratios(report)
        if plot is not None:
            plot.write_text(_picture(report["races"]), encoding="utf-8")
    except (CommandError, EngineError, OSError) as error:
        return fail(str(error))
    if as_json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        _print(report)
    return 0


def _race(path: Path, against: str, rounds: int, quick: bool, model: str, say: Callable[[str], None]) -> dict[str, Any]:
    arguments = ["--path", str(path), "--against", against, "--rounds", str(rounds), "--model", model]
    arguments += ["--small", "--lengths", ""] if quick else []
    command = python_command("assistant.model.race", *arguments)
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, encoding="utf-8", errors="replace") as child:
        assert child.stdout is not None
        assert child.stderr is not None
        lines: list[str] = []
        listener = threading.Thread(target=_listen, args=(child.stderr, lines, say), daemon=True)
        listener.start()
        written = child.stdout.read().splitlines()
        listener.join(5.0)
    try:
        answer = json.loads(written[-1])
    except (ValueError, IndexError) as error:
        raise CommandError(f"the race broke off ({lines[-1] if lines else 'no message'})") from error
    if "error" in answer:
        raise CommandError(answer["error"])
    return dict(answer)


def _listen(stream: Any, lines: list[str], say: Callable[[str], None]) -> None:
    for line in stream:
        lines.append(line.strip())
        say(line.strip())


async def _product(
    places: Sequence[bench_infill.Cursor], texts: dict[str, str], model: str, threads: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Start, memory, completions and cancels of the engine process as editors have it."""
    say("starting engines")
    starts = [await _cold_start(model, threads) for _ in range(STARTS)]
    totals = []
    async with local_completer(model, threads) as (engine, completer, info):
        for number, place in enumerate(places[:COMPLETIONS]):
            say(f"completing {number + 1} of {COMPLETIONS}")
            totals.append((await completer.complete(place.snapshot, Config(), Cancel())).timings.total)
        memory = bench_latency.resident_mb(engine.pid)
        await bench_infill.teach(engine, texts)
        shown = await bench_shown.measure(engine, places, say)
    cancels = await bench_latency.time_cancels(CANCELS, model, threads, say)
    return {
        "runner": info.runner,
        "cold_start_s": percentile(starts, 50),
        "rss_mb": memory,
        "completion_ms": {"p50": percentile(totals, 50), "p95": percentile(totals, 95), "n": len(totals)},
        "shown": shown,
        "cancel_ms": {"p50": cancels["cancel_to_idle_p50_ms"], "p99": cancels["cancel_to_idle_p99_ms"], "n": CANCELS},
    }


async def _cold_start(model: str, threads: int) -> float:
    """Seconds from the spawn of an engine to its first token."""
    started = time.perf_counter()
    engine = EngineClient(model=model, threads=threads)
    await engine.start()
    try:
        await engine.wait_ready(LOAD_TIMEOUT_S)
        async for _ in engine.generate(GenerateRequest((Part(text="import os\n\ndef main("),), 1), Cancel()):
            break
        return time.perf_counter() - started
    finally:
        await engine.close()


def _ratios(report: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The stable keys, from the race of the checkpoint on one thread: their time over ours."""
    first = report["races"][0]
    found = {}
    for name, ratios in first["ratios"].items():
        theirs = first["times"][name]["decode_plain"]["median_ms"]
        drafted = {
            "decode_speculative": theirs / report["drafts"]["ngram"]["ms_per_token"],
            "rewriting": theirs / report["rewriting"]["drafted_ms"],
        }
        found[name] = {**ratios, **drafted}
    return found


def _print(report: dict[str, Any]) -> None:
    console = Console()
    for race in report["races"]:
        names = list(race["times"])
        table = Table(title=f"{race['model']}, {race['length']} tokens of context: median ms (theirs over ours)")
        table.add_column("")
        for name in names:
            table.add_column(race["times"][name]["name"], justify="right")
        for kind in MAIN:
            table.add_row(TITLES[kind], *(_cell(race, name, kind) for name in names))
        console.print(table)
    table = Table(title="the engine as shipped", show_header=False)
    drafts, again = report["drafts"], report["rewriting"]
    table.add_row("a token, n-gram drafts verified", f"{drafts['ngram']['ms_per_token']:.2f} ms", _passes(drafts["ngram"]))
    table.add_row("a token, no drafts, no caches", f"{drafts['plain']['ms_per_token']:.2f} ms", _passes(drafts["plain"]))
    table.add_row("rewriting with the old text as draft", f"{again['drafted_ms']:.2f} ms", f"{again['plain_ms']:.2f} without")
    agrees = ", ".join(f"{name.replace('_', ' ')} {share:.1%}" for name, share in report["acceptance"].items())
    table.add_row("exits that agree with the last layer", agrees, "")
    completion, cancel = report["completion_ms"], report["cancel_ms"]
    for way, shown in report["shown"].items():
        right = f"{shown['right']:.0%} of it right, {shown['right_chars']:.1f} right characters a cursor"
        table.add_row(f"shown, {way}", f"at {shown['shown']:.0%} of {shown['n']} cursors", right)
    table.add_row("completion", f"p50 {completion['p50']:.0f} ms", f"p95 {completion['p95']:.0f} ms")
    table.add_row("cancel to idle", f"p50 {cancel['p50']:.2f} ms", f"p99 {cancel['p99']:.2f} ms")
    memory = "not measured on this system" if report["rss_mb"] is None else f"{report['rss_mb']:.0f} MB"
    table.add_row("start to first token", f"{report['cold_start_s']:.2f} s", memory)
    console.print(table)


def _cell(race: dict[str, Any], name: str, kind: str) -> str:
    milliseconds = race["times"][name][kind]["median_ms"]
    ratio = race["ratios"].get(name, {}).get(kind)
    return f"{milliseconds:.2f}" + (f"  ({ratio:.1f}x)" if ratio else "")


def _passes(row: dict[str, float]) -> str:
    return f"{row['tokens_per_pass']:.2f} tokens a pass"


def _picture(races: Sequence[dict[str, Any]]) -> str:
    """Prefill and a token's time against the length of the context, on one thread, for each model."""
    panels = []
    for model in dict.fromkeys(race["model"] for race in races):
        alone = [race for race in races if race["model"] == model and race["threads"] == 1]
        rows = sorted(alone, key=lambda race: int(race["length"]))
        for kind in ("prefill", "decode_plain", "keystroke_warm"):
            series = {name: [row["times"][name][kind]["median_ms"] for row in rows] for name in rows[0]["times"]}
            panels.append(Panel(f"{model}: {kind.replace('_', ' ')}, ms", [row["length"] for row in rows], series))
    return svg(panels, "tokens of context")
