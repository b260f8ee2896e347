"""`sotto bench next-edit --grow FILE.svg`: what a next-edit prediction costs as files get longer and more of them are open.

The file is made up: functions that call each other, in which a parameter was just renamed, so that rules find something to do.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from rich.console import Console

from assistant.next_edit.patterns import Trees
from assistant.next_edit.ranker import Ranker
from assistant.next_edit.replay import Moment
from assistant.next_edit.replay_report import latency
from assistant.next_edit.types import Change, Document, Scene
from lsp_server.commands.bench_next_edit import edit_model
from lsp_server.commands.plot import Panel, svg

LINES = (100, 500, 2000, 10_000, 50_000)
OPEN_FILES = (1, 3, 10, 30)
LONG, ROUNDS = 2000, 5
PARTS = ("patterns_cpu", "patterns", "answer")


def run(picture: Path, without: bool, model: str, threads: int, console: Console) -> dict[str, Any]:
    """Measure and write the picture; the object that ``--json`` prints."""
    rows = asyncio.run(_measure(without, model, threads, console))
    picture.write_text(_picture(rows), encoding="utf-8")
    return {"rows": rows, "plot": str(picture)}


async def _measure(without: bool, model: str, threads: int, console: Console) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    ranker = Ranker.load()
    async with edit_model(model, threads, without) as asked:
        for lines, files in [(lines, 1) for lines in LINES] + [(LONG, files) for files in OPEN_FILES]:
            trees, seen = Trees(), []
            for number in range(ROUNDS + 1):
                moment = Moment("made up", str(number), "between", "down", scene(lines, files, number), {})
                seen.append(await asked.see(moment, trees, ranker))
            row: dict[str, Any] = {"lines": lines, "files": files, **latency(seen[1:])}  # the first one parses everything
            rows.append(row)
            console.print(
                f"{lines} lines, {files} files: rules {row['patterns']['p50']:.1f} ms, {row['answer']['p50']:.1f} in all"
            )
    return rows


def scene(lines: int, files: int, turn: int) -> Scene:
    """A parameter renamed in the middle of a file of so many lines, others of the same length beside it.

    Every turn it has another new name, as while it is typed: the text before the change is the same, the one after it is new.
    """
    before, number = made_up(lines), max(1, lines // 5) // 2
    start, name = before.index("(source", before.index(f"def step_{number}(")) + 1, f"origin{turn}"
    change = Change("grow:///0.py", before, start, "source", name, 1.0)
    others = tuple(_document(at, before) for at in range(1, files))
    return Scene(_document(0, change.after), start + len(name), others, (change,))


def made_up(lines: int) -> str:
    """A file of about so many lines: functions that call each other."""
    return "".join(_block(number) for number in range(max(1, lines // 5)))


def _block(number: int) -> str:
    return (
        f"def step_{number}(source, limit={number}):\n"
        f"    items = [one for one in source if one < limit]\n"
        f"    if not items:\n        return source\n"
        f"    return step_{max(0, number - 1)}(items, limit=limit)\n"
    )


def _document(number: int, text: str) -> Document:
    return Document(f"grow:///{number}.py", f"grow/{number}.py", "python", text, 1)


def _picture(rows: list[dict[str, Any]]) -> str:
    long, many = rows[: len(LINES)], rows[len(LINES) :]

    def panel(title: str, mine: list[dict[str, Any]], axis: str, limit: float | None) -> Panel:
        series = {part: [row[part]["p50"] for row in mine] for part in PARTS}
        return Panel(title, [row[axis] for row in mine], series, limit)

    return svg(
        [
            panel("an answer by lines of the file, ms", long, "lines", 120),
            panel(f"by open files of {LONG} lines, ms", many, "files", 120),
        ],
        "lines; open files",
    )
