"""`sotto bench kernels`: every operator and policy against the best that torch offers, right answers only.

What is measured runs in a process of its own (`kernels.bench`), because this package never loads torch. Knows how to show its
report; a row whose answer was wrong has no speed and makes the command fail.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from lsp_server.commands.local import CommandError, fail
from lsp_server.commands.plot import Panel, svg
from lsp_server.spawn import python_command

DRAWN = ("dense", "duo", "block_select")
ABOUT = """\
over torch: how many times as long the best that torch offers takes; default: what transformers does by default; dense: our own
attention to every key. Below 1.00x ours is slower. A wider terminal shows more."""
WIDE = 110
"""Columns of a terminal from which the table has all numbers."""


def run(options: argparse.Namespace) -> int:
    console = Console(stderr=True, quiet=options.json)
    try:
        with console.status("measuring") as status:
            report = measure(_arguments(options), status.update)
        if options.plot is not None:
            options.plot.write_text(picture(report["rows"]), encoding="utf-8")
    except (CommandError, OSError) as error:
        return fail(str(error))
    if options.json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        show(report, Console())
    return 1 if wrong(report) else 0


def _arguments(options: argparse.Namespace) -> list[str]:
    rest = ["--freeze"] if options.freeze else []
    named = ["--device", options.device, "--lengths", options.lengths, "--rounds", str(options.rounds)]
    return [*named, "--threads", str(options.threads), *rest]


def measure(
    arguments: Sequence[str], say: Callable[[str], None], module: str = "assistant.model.bench_kernels"
) -> dict[str, Any]:
    """The child's report. Raises `CommandError` with its last words when it breaks off."""
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = python_command(module, *arguments)
    with subprocess.Popen(command, **pipes, text=True, encoding="utf-8", errors="replace") as child:
        assert child.stdout is not None
        lines: list[str] = []
        listener = threading.Thread(target=listen, args=(child.stderr, lines, say), daemon=True)
        listener.start()
        written = child.stdout.read().splitlines()
        listener.join(5.0)
    try:
        return dict(json.loads(written[-1]))
    except (ValueError, IndexError) as error:
        raise CommandError(f"the bench broke off ({lines[-1] if lines else 'no message'})") from error


def listen(stream: Any, lines: list[str], say: Callable[[str], None]) -> None:
    """Hand on what a child writes, line by line, until it ends."""
    for line in stream:
        lines.append(line.strip())
        say(line.strip())


def wrong(report: dict[str, Any]) -> list[dict[str, Any]]:
    """What was not timed because its answer was wrong."""
    return [entry for entry in report["not_measured"] if "wrong" in entry["reason"]]


def show(report: dict[str, Any], console: Console) -> None:
    """A table for each operator and precision, and below it what each policy did: nothing is cut off in 80 columns."""
    console.print(ABOUT, soft_wrap=True)
    for op in dict.fromkeys(row["op"] for row in report["rows"]):
        rows = [row for row in report["rows"] if row["op"] == op]
        for dtype in dict.fromkeys(row["dtype"] for row in rows):
            title = f"{op.replace('_', ' ')} on {report['device']}, {dtype}, {report['threads']} threads"
            console.print(_table(title, [row for row in rows if row["dtype"] == dtype], console.width >= WIDE))
        for line in _what_it_did(rows):
            console.print(line, soft_wrap=True)
    for entry in wrong(report):
        console.print(f"{entry['op']} {entry['policy']} {entry['dtype']} {entry['length']}: {entry['reason']}")
    missing = [entry for entry in report["not_measured"] if entry not in wrong(report)]
    for reason in dict.fromkeys(entry["reason"] for entry in missing):
        count = sum(entry["reason"] == reason for entry in missing)
        console.print(f"{count} rows not measured: {reason}")


def _table(title: str, rows: Sequence[dict[str, Any]], wide: bool) -> Table:
    """A column that would be empty is left out."""
    cells = [_cells(row, wide) for row in rows]
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    for name in cells[0]:
        if any(row[name] for row in cells):
            table.add_column(name, justify="left" if name in ("policy", "its best") else "right", no_wrap=True)
    for row in cells:
        table.add_row(*(row[str(column.header)] for column in table.columns))
    return table


def _cells(row: dict[str, Any], wide: bool) -> dict[str, str]:
    """``over ...``: how many times as long that takes."""
    best = row["best_torch_ms"]
    found = {
        "policy": row["policy"],
        "length": str(row["length"]),
        "ms": f"{row['ms']:.3f}",
        "over torch": _times(row["ratio"]) if best is not None else "nothing like it",
        "default": _times(row.get("default_ratio")),
        "dense": _times(row.get("dense_ratio")),
        "MB read": f"{row['kv_bytes'] / 1e6:.1f}" if row["kv_bytes"] else "",
    }
    if wide:
        found |= {"torch, ms": "" if best is None else f"{best:.3f}", "its best": row["best_torch"]}
        found["max error"] = f"{row['max_error']:.1e}"
    return found


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}x"


def _what_it_did(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Each policy's reasons, and at which lengths."""
    reasons: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        if row.get("reason"):
            lengths = reasons.setdefault((row["policy"], row["reason"]), [])
            if row["length"] not in lengths:
                lengths.append(row["length"])
    return [f"{policy}, {', '.join(map(str, lengths))} keys: {reason}" for (policy, reason), lengths in reasons.items()]


def picture(rows: Sequence[dict[str, Any]]) -> str:
    """Time of a decode step and the KV memory it reads, against the number of keys, for each precision."""
    panels = []
    for dtype in dict.fromkeys(row["dtype"] for row in rows):
        steps = [row for row in rows if row["op"] == "decode" and row["dtype"] == dtype]
        lengths = sorted({row["length"] for row in steps})
        for title, key, scale in (("a decode step, ms", "ms", 1.0), ("KV read, MB", "kv_bytes", 1e-6)):
            series = {name: _along(steps, name, key, scale, lengths) for name in DRAWN}
            panels.append(Panel(f"{dtype}: {title}", lengths, {name: ys for name, ys in series.items() if any(ys)}))
    return svg([panel for panel in panels if panel.x], "keys")


def _along(rows: Sequence[dict[str, Any]], policy: str, key: str, scale: float, lengths: Sequence[int]) -> list[float]:
    found = {row["length"]: row[key] * scale for row in rows if row["policy"] == policy}
    return [found.get(length, 0.0) for length in lengths]
