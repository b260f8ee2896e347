"""`sotto bench completion`: single-line infilling over a file of rows, through the same pipeline that answers an editor.

A row is ``{"id", "path", "language", "prefix", "suffix", "target"}``; the model sees prefix and suffix and should write the
first line of the target. Every row is a cold cursor in a file not seen before, the slowest case a user meets; no workspace is
learnt.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from assistant.cancel import Cancel
from assistant.completion.context import Windows, look
from assistant.completion.open_file import open_file
from assistant.completion.prompt import fim
from assistant.config import Config
from assistant.service import Completer
from assistant.types import EngineError, ModelInfo, ScoreRequest, Snapshot, Trigger
from lsp_server.commands.local import CommandError, fail, local_completer, percentile
from lsp_server.engine import EngineClient

FIELDS = ("id", "path", "language", "prefix", "suffix", "target")
CONFIG = replace(
    Config(),
    languages={"*": True},
    exclude=(),
    respect_gitignore=False,
    multi_line="never",
    budget_invoked_ms=10_000,
    telemetry=False,
)


@dataclass(frozen=True)
class Row:
    id: str
    path: str
    language: str
    prefix: str
    suffix: str
    target: str

    @property
    def wanted(self) -> str:
        """The target's first line without white space at its end."""
        return self.target.split("\n", 1)[0].rstrip()

    def snapshot(self) -> Snapshot:
        """The document as an editor holds it, the completion asked for by hand (no debounce, no gate)."""
        text, root = self.prefix + self.suffix, "/bench"
        path = f"{root}/{self.path.lstrip('/')}"
        return Snapshot(f"bench:{self.id}", self.language, text, len(self.prefix), 1, path, root, Trigger.INVOKED)


@dataclass(frozen=True)
class Result:
    """One row's figures. ``similarity`` is 0 to 100; times are milliseconds."""

    exact: bool
    similarity: float
    shown: bool
    bits: float
    bytes: int
    total_ms: float
    decode_ms: float
    new_tokens: int


def read_rows(path: Path, limit: int) -> list[Row]:
    """Raises `CommandError` that names the line that is wrong."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"cannot read {path}: {error}") from error
    rows = list(_rows(path, lines))
    if not rows:
        raise CommandError(f"{path} holds no rows; each line is a JSON object with {', '.join(FIELDS)}")
    return rows[:limit] if limit > 0 else rows


def _rows(path: Path, lines: list[str]) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
            yield Row(**{name: str(data[name]) for name in FIELDS})
        except (ValueError, KeyError, TypeError) as error:
            raise CommandError(f"{path}:{number} is not a row ({error}); it needs {', '.join(FIELDS)}") from error


def similarity(a: str, b: str) -> float:
    """Edit similarity, 0 to 100: matching characters over all (Ratcliff and Obershelp), as the completion papers print it."""
    return 100.0 * SequenceMatcher(None, a, b, autojunk=False).ratio()


async def measure(row: Row, engine: EngineClient, completer: Completer, info: ModelInfo) -> Result:
    snapshot = row.snapshot()
    completion = await completer.complete(snapshot, CONFIG, Cancel())
    text = completion.suggestion.inserted if completion.suggestion else ""
    said = text.split("\n", 1)[0].rstrip()
    site = look(snapshot, Windows.of(info.context, CONFIG.max_tokens))
    file = open_file(site, snapshot)
    score = await engine.score(ScoreRequest(fim(info.layout, site), row.target, file=file))
    return Result(
        exact=said == row.wanted,
        similarity=similarity(said, row.wanted),
        shown=completion.suggestion is not None,
        bits=score.bits,
        bytes=score.bytes,
        total_ms=completion.timings.total,
        decode_ms=completion.timings.decode,
        new_tokens=completion.new_tokens,
    )


def summarize(results: list[Result], info: ModelInfo) -> dict[str, Any]:
    """The object that ``--json`` prints."""
    n, decode_s = len(results), sum(r.decode_ms for r in results) / 1000
    totals = [r.total_ms for r in results]
    return {
        "model": info.name,
        "sha256": info.sha256,
        "n": n,
        "exact_match": sum(r.exact for r in results) / n,
        "edit_similarity": sum(r.similarity for r in results) / n,
        "bits_per_byte": sum(r.bits for r in results) / max(1, sum(r.bytes for r in results)),
        "answered": sum(r.shown for r in results) / n,
        "latency_p50_ms": percentile(totals, 50),
        "latency_p95_ms": percentile(totals, 95),
        "tokens_per_second": sum(r.new_tokens for r in results) / decode_s if decode_s > 0 else None,
        "threads": info.threads,
    }


async def _bench(rows: list[Row], model: str, threads: int, console: Console) -> dict[str, Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    async with local_completer(model, threads) as (engine, completer, info):
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("completing", total=len(rows))
            results = []
            for row in rows:
                results.append(await measure(row, engine, completer, info))
                progress.advance(task)
        return summarize(results, info)


def _print(summary: dict[str, Any]) -> None:
    table = Table(
        title=f"single-line infilling, {summary['model']}, {summary['n']} rows, {summary['threads']} threads", show_header=False
    )
    speed = summary["tokens_per_second"]
    for name, value in (
        ("exact match of the line", f"{100 * summary['exact_match']:.1f} %"),
        ("edit similarity", f"{summary['edit_similarity']:.1f}"),
        ("bits per byte of the target", f"{summary['bits_per_byte']:.3f}"),
        ("answered with a suggestion", f"{100 * summary['answered']:.1f} %"),
        ("latency p50 / p95", f"{summary['latency_p50_ms']:.0f} / {summary['latency_p95_ms']:.0f} ms"),
        ("decode", "none" if speed is None else f"{speed:.0f} tokens/s"),
    ):
        table.add_row(name, value)
    Console().print(table)


def run(data: Path, limit: int, as_json: bool, model: str, threads: int) -> int:
    try:
        rows = read_rows(data, limit)
        summary = asyncio.run(_bench(rows, model, threads, Console(stderr=True, quiet=as_json)))
    except (CommandError, EngineError) as error:
        return fail(str(error))
    if as_json:
        sys.stdout.write(json.dumps(summary) + "\n")
    else:
        _print(summary)
    return 0
