"""`sotto bench workspace`: what the workspace index costs on a folder, and what completion and search gain by it.

Joins four measurements: the index (`assistant.workspace.bench`), completion at the same cursors with and without the rest of
the folder (`bench_infill`), the filter of names that do not exist, and search by documentation (`bench_search`).
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from assistant.types import EngineError
from assistant.workspace import bench
from assistant.workspace.existence import bench as existence
from assistant.workspace.index import WorkspaceIndex
from lsp_server.commands import bench_infill, bench_search
from lsp_server.commands.local import CommandError, fail, local_completer
from lsp_server.commands.plot import Panel, svg

SIZES = (1.0, 3.0, 10.0, 30.0, 100.0)
"""Megabytes of source that ``--grow`` measures."""
REAL_CASES, PLANTED_CASES = 600, 300


def run(path: Path, cursors: int, grow: Path | None, as_json: bool, model: str, threads: int) -> int:
    console = Console(stderr=True, quiet=as_json)
    try:
        root = path.resolve()
        if not root.is_dir():
            raise CommandError(f"{path} is not a folder; name one with --path DIR")
        report = _grown(root, grow, console) if grow is not None else _measured(root, cursors, model, threads, console)
    except (CommandError, EngineError, OSError) as error:
        return fail(str(error))
    if as_json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        _print(report)
    return 0


def _measured(root: Path, cursors: int, model: str, threads: int, console: Console) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="sotto-bench-") as work:
        console.print(f"index of {root} ...")
        cache = Path(work, "cache")
        cache.mkdir()
        report: dict[str, Any] = {"path": str(root), **bench.measure(root, cache)}
        report["search_mrr"] = _search_mrr(root, Path(work), console)
        texts = bench_infill.readable(sorted(root.rglob("*.py")))
        index = WorkspaceIndex([root], cache)
        try:
            index.scan()
            report["infill"] = asyncio.run(_infill(texts, index, cursors, model, threads, console))
        finally:
            index.close()
    console.print("names that do not exist ...")
    for kind, key in (("python", "filter"), ("javascript", "filter_javascript")):
        report[key] = existence.measure(root, REAL_CASES, PLANTED_CASES, kind=kind).json()
    return report


def _search_mrr(root: Path, work: Path, console: Console) -> dict[str, Any]:
    console.print("search by documentation ...")
    bare, cache = work / "bare", work / "bare-cache"
    cache.mkdir()
    functions = bench_search.strip(root, bare)
    if not any(function.text for function in functions):
        return {"ours": None, "bm25": None, "n": 0}
    index = WorkspaceIndex([bare], cache)
    try:
        index.scan()
        ranks = bench_search.measure(index, bare, functions)
    finally:
        index.close()
    return {"ours": ranks.ours, "bm25": ranks.bm25, "n": ranks.n}


async def _infill(
    texts: dict[str, str], index: WorkspaceIndex, count: int, model: str, threads: int, console: Console
) -> dict[str, Any]:
    places = bench_infill.cursors(Path(index.roots[0]), texts, count)
    tallies = dict.fromkeys(bench_infill.WAYS, bench_infill.Tally())
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    async with local_completer(model, threads) as (engine, _, info):
        with Progress(*columns, console=console, transient=True) as progress:
            bar = progress.add_task("completing", total=len(tallies) * len(places))
            for way in bench_infill.WAYS:
                if way == "workspace":
                    await bench_infill.teach(engine, texts)
                for place in places:
                    tallies[way] += await bench_infill.ask(engine, info, index, place, way)
                    progress.advance(bar)
    return {**bench_infill.figures(tallies), "n": len(places), "files": len(texts)}


def _grown(root: Path, picture: Path, console: Console) -> dict[str, Any]:
    rows = []
    with tempfile.TemporaryDirectory(prefix="sotto-bench-") as work:
        for row in bench.grow(root, SIZES, Path(work)):
            rows.append(row)
            console.print(f"{row['asked_mb']:g} MB: {row['index_s']:.1f} s, {row['rss_mb']:.0f} MB of memory")
    picture.write_text(_picture(rows), encoding="utf-8")
    return {"path": str(root), "rows": rows, "plot": str(picture)}


def _picture(rows: list[dict[str, Any]]) -> str:
    x = [row["asked_mb"] for row in rows]

    def panel(title: str, series: dict[str, Callable[[dict[str, Any]], float]], limit: float | None = None) -> Panel:
        return Panel(title, x, {name: [read(row) for row in rows] for name, read in series.items()}, limit)

    return svg(
        [
            panel("first index, seconds", {"wall": lambda r: r["index_s"], "CPU": lambda r: r["index_cpu_s"]}),
            panel("index on disk, MB", {"MB": lambda r: r["index_mb"]}),
            panel("memory, MB", {"MB": lambda r: r["rss_mb"]}, 200),
            panel("an edit visible, ms", {"ms": lambda r: r["edit_visible_ms"]}, 10),
            panel("search, ms", {"p50": lambda r: r["search_ms"]["p50"], "p95": lambda r: r["search_ms"]["p95"]}, 20),
        ],
        "MB of source",
    )


def _print(report: dict[str, Any]) -> None:
    if "rows" in report:
        Console().print(f"the picture is in {report['plot']}")
        return
    table = Table(title=f"workspace {report['path']}", show_header=False)
    for name, value in _lines(report):
        table.add_row(name, value)
    Console().print(table)


def _lines(report: dict[str, Any]) -> Iterable[tuple[str, str]]:
    search, infill, mrr = report["search_ms"], report["infill"], report["search_mrr"]
    yield "source", f"{report['files']} files, {report['source_mb']:.1f} MB"
    yield (
        "first index",
        f"{report['index_s']:.1f} s ({report['index_cpu_s']:.1f} s of CPU), {report['index_mb']:.1f} MB on disk",
    )
    if "edit_visible_ms" in report:
        yield "an edit is visible after", f"{report['edit_visible_ms']:.1f} ms (file of {report['edited_kb']:.0f} KB)"
    if search:
        yield "search p50 / p95", f"{search['p50']:.1f} / {search['p95']:.1f} ms"
    yield "memory at most", f"{report['rss_mb']:.0f} MB"
    if infill["n"]:
        for way, label in bench_infill.WAYS.items():
            yield f"rest of line, {label}", f"{infill[f'em_{way}']:.1f} % exact, {infill[f'bpb_{way}']:.3f} bits/byte"
    for label, found in (("Python", report["filter"]), ("JavaScript, TypeScript", report["filter_javascript"])):
        if found["real"]:
            shares = f"{100 * found['caught']:.0f} % caught, {100 * found['false_alarms']:.2f} % false alarms"
            yield f"names that do not exist, {label}", shares
    if mrr["n"]:
        yield "search by documentation", f"MRR {mrr['ours']:.3f}, BM25 {mrr['bm25']:.3f} ({mrr['n']} questions)"
