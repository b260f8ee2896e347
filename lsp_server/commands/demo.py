"""`sotto demo`: watch a real server complete a real file, and see what it recorded of it.

Draws what `demo_typist` does. Everything on the path is the product: server process, engine process, model, store.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from lsp_server.commands.demo_typist import Buffer, Line, Typist, Watch, choose_lines
from lsp_server.commands.local import CommandError, fail, language_of, percentile, read_source
from telemetry import queries

SAMPLE = Path(__file__).resolve().parent.parent / "sample" / "workshop" / "tools.py"
WINDOW = 9
"""Lines of the file above and below the cursor on the screen."""


class Screen:
    """The editor as text: highlighted code with the ghost text at the cursor, and a line of figures under it."""

    def __init__(self, path: Path) -> None:
        self._title = path.name
        self._lexer = Syntax.guess_lexer(str(path))
        self._figures = "loading the model"

    def figures(self, text: str) -> None:
        self._figures = text

    def draw(self, buffer: Buffer, ghost: str) -> Group:
        row = buffer.text.count("\n", 0, buffer.offset)
        column = buffer.offset - (buffer.text.rfind("\n", 0, buffer.offset) + 1)
        code = Syntax("", self._lexer, theme="ansi_dark").highlight(buffer.text.replace("\r\n", "\n"))
        lines = code.split("\n", allow_blank=True)
        first = max(0, row - WINDOW)
        shown = Text()
        for number in range(first, min(len(lines), row + WINDOW + 1)):
            line = lines[number]
            shown.append(f"{number + 1:4d} ", style="dim")
            if number == row:
                line = line[:column] + Text("▏", style="bold") + Text(ghost, style="italic bright_black") + line[column:]
            shown.append_text(line)
            shown.append("\n")
        shown.rstrip()
        return Group(Panel(shown, title=self._title, border_style="blue"), Text(self._figures, style="dim"))


@contextmanager
def _watching(console: Console, path: Path, buffer: Buffer) -> Iterator[tuple[Watch, Screen]]:
    """Animate in a terminal; stay quiet elsewhere (the summary says it all)."""
    screen = Screen(path)
    if not console.is_terminal:
        yield (lambda *_: None), screen
        return
    with Live(screen.draw(buffer, ""), console=console, refresh_per_second=25, transient=True) as live:
        yield (lambda _what, now, ghost: live.update(screen.draw(now, ghost))), screen


async def _play(
    console: Console, path: Path, text: str, wanted: int, data_dir: Path, model: str, threads: int
) -> dict[str, Any]:
    numbers = choose_lines(text, wanted)
    if not numbers:
        raise CommandError(f"{path} has no line of code long enough to type; try another file with --path")
    with _watching(console, path, Buffer(text)) as (watch, screen):
        typist = Typist(path, text, data_dir, watch, model, threads)
        try:
            start = await typist.open()
            lines: list[Line] = []
            for number in numbers:
                lines.append(await typist.type_line(number))
                screen.figures(_running(lines))
            status = await typist.status()
        finally:
            await typist.close()
    if typist.buffer.text != text:
        raise CommandError("the retyped file differs from the original; please report this with the file")
    return {"start": start, "lines": lines, "status": status}


def _running(lines: list[Line]) -> str:
    latencies = [ms for line in lines for ms in line.latencies_ms]
    accepted = sum(len(line.accepted) for line in lines)
    return f"{len(lines)} lines, {accepted} characters by Tab, median {percentile(latencies, 50):.0f} ms to ghost text"


def _report(path: Path, played: dict[str, Any], data_dir: Path) -> dict[str, Any]:
    lines: list[Line] = played["lines"]
    latencies = [ms for line in lines for ms in line.latencies_ms]
    store = queries.summary(data_dir / "telemetry.db")
    return {
        "file": str(path),
        "model": played["status"].get("model"),
        "server_ready_ms": played["start"]["server_ms"],
        "engine_ready_ms": played["start"]["engine_ms"],
        "time_to_first_suggestion_ms": latencies[0] if latencies else None,
        "median_ms": percentile(latencies, 50) if latencies else None,
        "tokens_per_second": store.tokens_per_second,
        "suggestions": len(latencies),
        "typed_chars": sum(len(line.typed) for line in lines),
        "accepted_chars": sum(len(line.accepted) for line in lines),
        "lines": [{"line": x.number, "code": x.expected, "pieces": x.pieces, "suggestions": x.suggestions} for x in lines],
        "telemetry": store.to_json(),
    }


def _print(console: Console, report: dict[str, Any]) -> None:
    table = Table(title=f"Retyped lines ({report['model']})", title_justify="left")
    for column in ("line", "typed, and in green what Sotto completed", "shown"):
        table.add_column(column, overflow="fold")
    for line in report["lines"]:
        code = Text()
        for text, by_sotto in line["pieces"]:
            code.append(text, style="bold green" if by_sotto else "")
        table.add_row(str(line["line"]), code, str(len(line["suggestions"])))
    console.print(table)
    console.print(_figures(report))
    console.print(_store_table(report["telemetry"]))


def _figures(report: dict[str, Any]) -> Text:
    def ms(value: float | None) -> str:
        return "none" if value is None else f"{value:.0f} ms"

    speed = report["tokens_per_second"]
    return Text(
        f"server answered after {ms(report['server_ready_ms'])}, model ready after {ms(report['engine_ready_ms'])}\n"
        f"first suggestion {ms(report['time_to_first_suggestion_ms'])} after the key, median {ms(report['median_ms'])}, "
        f"{'no tokens decoded' if speed is None else f'{speed:.0f} tokens/s'}\n"
        f"{report['accepted_chars']} of {report['accepted_chars'] + report['typed_chars']} characters came from Sotto"
    )


def _store_table(store: dict[str, Any]) -> Table:
    table = Table(title="What the store recorded", title_justify="left")
    table.add_column("numbers only, on this machine")
    table.add_column("rows")
    for group in ("decisions", "reasons", "outcomes"):
        for name, count in store.get(group, {}).items():
            table.add_row(f"{group.removesuffix('s')}: {name}", str(count))
    return table


def run(path: Path | None, lines: int, as_json: bool, model: str, threads: int) -> int:
    console = Console(stderr=as_json, quiet=as_json)
    folder = Path(tempfile.mkdtemp(prefix="sotto-demo-"))
    try:
        source = path or SAMPLE
        text = read_source(source)
        if path is None:
            # A copy, so that the sample is a file of an ordinary project wherever Sotto is installed.
            shutil.copytree(SAMPLE.parent, folder / "workshop", ignore=shutil.ignore_patterns("__pycache__"))
            source = folder / "workshop" / SAMPLE.name
        console.print(
            Text(f"Opening {source.name} ({language_of(source)}) in `sotto serve`; nothing is written to it.", style="dim")
        )
        played = asyncio.run(_play(console, source, text, max(1, lines), folder / "data", model, threads))
        report = _report(source, played, folder / "data")
    except CommandError as error:
        return fail(str(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if as_json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        _print(console, report)
    return 0
