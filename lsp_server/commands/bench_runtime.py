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
DRAFTS = {
    "ngram": "caches mixed in, drafts where they pay",
    "exit": "no caches, one draft from the last exit each",
    "plain": "no drafts, no caches",
}
COMPLETIONS, CURSORS, CANCELS, STARTS = 60, 300, 60, 3


def run(
    path: Path,
    against: str,
    rounds: int,
    quick: bool,
    plot: Path | None,
    as_json: bool,
    model: str,
    threads: int,
    device: str = "cpu",
) -> int:
    console = Console(stderr=True, quiet=as_json)
    try:
        if not path.is_dir():
            raise CommandError(f"{path} is not a folder; name one with --path DIR")
        with console.status("measuring") as status:
            report = _race(path.resolve(), against, rounds, quick, model, device, status.update)
            texts = bench_infill.readable(sorted(path.resolve().rglob("*.py")))
            places = bench_infill.cursors(path.resolve(), texts, CURSORS)
            report |= asyncio.run(
                _product(places, texts, (model, threads, device if device == "cuda" else "auto"), status.update)
            )
        report["ratios"] = _ratios(report, 1, "")
        report["ratios_all_cores"] = _ratios(report, report["cores"], "_all_cores")
        report["growth"] = [
            row for model in dict.fromkeys(r["model"] for r in report["races"]) for row in _growth(report["races"], model)
        ]
        if plot is not None:
            plot.write_text(_picture(report["races"]), encoding="utf-8")
    except (CommandError, EngineError, OSError) as error:
        return fail(str(error))
    if as_json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        _print(report)
    return 0


def _race(
    path: Path, against: str, rounds: int, quick: bool, model: str, device: str, say: Callable[[str], None]
) -> dict[str, Any]:
    arguments = ["--path", str(path), "--against", against, "--rounds", str(rounds), "--model", model, "--device", device]
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
    places: Sequence[bench_infill.Cursor], texts: dict[str, str], engine_of: tuple[str, int, str], say: Callable[[str], None]
) -> dict[str, Any]:
    """Start, memory, completions and cancels of the engine process as editors have it; its model, threads and device."""
    model, threads, device = engine_of
    say("starting engines")
    starts = [await _cold_start(model, threads, device) for _ in range(STARTS)]
    totals = []
    async with local_completer(model, threads, device) as (engine, completer, info):
        for number, place in enumerate(places[:COMPLETIONS]):
            say(f"completing {number + 1} of {COMPLETIONS}")
            totals.append((await completer.complete(place.snapshot, Config(), Cancel())).timings.total)
        memory = bench_latency.resident_mb(engine.pid)
        await bench_infill.teach(engine, texts)
        shown = await bench_shown.measure(engine, places, say)
    cancels = await bench_latency.time_cancels(CANCELS, model, threads, say, device)
    return {
        "runner": info.runner,
        "cold_start_s": percentile(starts, 50),
        "rss_mb": memory,
        "completion_ms": {"p50": percentile(totals, 50), "p95": percentile(totals, 95), "n": len(totals)},
        "shown": shown,
        "cancel_ms": {"p50": cancels["cancel_to_idle_p50_ms"], "p99": cancels["cancel_to_idle_p99_ms"], "n": CANCELS},
    }


async def _cold_start(model: str, threads: int, device: str) -> float:
    """Seconds from the spawn of an engine to its first token."""
    started = time.perf_counter()
    engine = EngineClient(model=model, threads=threads, device=device)
    await engine.start()
    try:
        await engine.wait_ready(LOAD_TIMEOUT_S)
        async for _ in engine.generate(GenerateRequest((Part(text="import os\n\ndef main("),), 1), Cancel()):
            break
        return time.perf_counter() - started
    finally:
        await engine.close()


def _ratios(report: dict[str, Any], threads: int, name: str) -> dict[str, dict[str, float]]:
    """The stable keys, from the first race of the checkpoint on so many threads for everyone: their time over ours."""
    races = [race for race in report["races"] if race["threads"] == threads]
    first, large = races[0], [race for race in races if race["model"] != races[0]["model"]]
    found = {}
    for peer, ratios in first["ratios"].items():
        theirs = first["times"][peer]["decode_plain"]["median_ms"]
        found[peer] = {
            **ratios,
            "decode_speculative": theirs / report["drafts" + name]["ngram"]["ms_per_token"],
            "rewriting": theirs / report["rewriting" + name]["drafted_ms"],
            **({"decode_plain_45m": large[0]["ratios"][peer]["decode_plain"]} if large else {}),
        }
    return found


def _growth(races: Sequence[dict[str, Any]], model: str) -> list[dict[str, Any]]:
    """What a token of a model takes on one thread and the bytes it reads, of attention alone too, over those at the shortest
    context.
    """
    rows = [race for race in races if race["threads"] == 1 and race["model"] == model]
    base = rows[0]
    return [
        {
            "model": model,
            "length": row["length"],
            "ms": row["times"]["sotto"]["decode_plain"]["median_ms"],
            "time": row["times"]["sotto"]["decode_plain"]["median_ms"] / base["times"]["sotto"]["decode_plain"]["median_ms"],
            "bytes": row["bytes_a_token"] / base["bytes_a_token"],
            "attention_bytes": row["length"] / base["length"],
        }
        for row in sorted(rows, key=lambda one: int(one["length"]))
    ]


def _print(report: dict[str, Any]) -> None:
    console = Console()
    for race in report["races"]:
        names = list(race["times"])
        title = f"{race['model']}, {race['length']} tokens of context, {race['threads']} threads: median ms (theirs over ours)"
        table = Table(title=title)
        table.add_column("")
        for name in names:
            table.add_column(race["times"][name]["name"], justify="right")
        for kind in MAIN:
            table.add_row(TITLES[kind], *(_cell(race, name, kind) for name in names))
        console.print(table)
    table = Table(title="the engine as shipped", show_header=False)
    for cores, name in (("1 thread", ""), (f"{report['cores']} threads", "_all_cores")):
        drafts, again = report["drafts" + name], report["rewriting" + name]
        for kind, what in DRAFTS.items():
            if kind not in drafts:
                continue
            table.add_row(f"a token, {what}, {cores}", f"{drafts[kind]['ms_per_token']:.2f} ms", _passes(drafts[kind]))
        rewritten = f"{again['drafted_ms']:.2f} ms", f"{again['plain_ms']:.2f} without"
        table.add_row(f"rewriting with the old text as draft, {cores}", *rewritten)
    for row in report["growth"]:
        grown = (
            f"{row['time']:.1f} times the first; bytes {row['bytes']:.1f}, attention's own {row['attention_bytes']:.0f} times"
        )
        table.add_row(f"{row['model']}, a token behind {row['length']:,} others", f"{row['ms']:.2f} ms", grown)
    agrees = ", ".join(f"{name.replace('_', ' ')} {share:.1%}" for name, share in report["acceptance"].items())
    table.add_row("exits that agree with the last layer", agrees, "")
    if (head := report["stop_head"]) is not None:
        found = f"finds {head['wrong_stopped']:.0%} of the wrong tokens, and {head['right_stopped']:.1%} of the right ones"
        table.add_row("the Stop head, as it was trained", f"{head['precision']:.0%} of the stopped wrong", found)
    completion, cancel = report["completion_ms"], report["cancel_ms"]
    for way, shown in report["shown"].items():
        right = (
            f"{shown['right']:.0%} of it right, {shown['right_chars']:.1f} right characters, {shown['new_tokens']:.1f} tokens"
        )
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
    """Prefill and a token's time against the length of the context, on one thread, for each model, with the bytes it reads."""
    panels = []
    for model in dict.fromkeys(race["model"] for race in races):
        alone = [race for race in races if race["model"] == model and race["threads"] == 1]
        rows = sorted(alone, key=lambda race: int(race["length"]))
        for kind in ("prefill", "decode_plain", "keystroke_warm"):
            series = {name: [row["times"][name][kind]["median_ms"] for row in rows] for name in rows[0]["times"]}
            if kind == "decode_plain":  # as if each byte took what it takes at the shortest context
                first = rows[0]["times"]["sotto"][kind]["median_ms"] / rows[0]["bytes_a_token"]
                series["sotto's bytes"] = [row["bytes_a_token"] * first for row in rows]
            panels.append(Panel(f"{model}: {kind.replace('_', ' ')}, ms", [row["length"] for row in rows], series))
    return svg(panels, "tokens of context")
