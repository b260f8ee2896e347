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
AGAINST = ("of transformers'", "of our dense", "what it did")


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
    for op in dict.fromkeys(row["op"] for row in report["rows"]):
        table = Table(title=f"{op.replace('_', ' ')} on {report['device']}, {report['threads']} threads")
        columns = ["policy", "dtype", "length", "ms", "best of torch", "ratio", "max error", "KV read"]
        against = op in ("decode", "prefill")
        for name in [*columns, *(AGAINST if against else ())]:
            table.add_column(name, justify="left" if name in ("policy", "dtype") else "right")
        for row in (row for row in report["rows"] if row["op"] == op):
            table.add_row(*_cells(row), *(_against(row) if against else ()))
        console.print(table)
    for entry in wrong(report):
        console.print(f"{entry['op']} {entry['policy']} {entry['dtype']} {entry['length']}: {entry['reason']}")
    missing = [entry for entry in report["not_measured"] if entry not in wrong(report)]
    for reason in dict.fromkeys(entry["reason"] for entry in missing):
        count = sum(entry["reason"] == reason for entry in missing)
        console.print(f"{count} rows not measured: {reason}")


def _cells(row: dict[str, Any]) -> list[str]:
    best, ratio = row["best_torch_ms"], row["ratio"]
    return [
        row["policy"],
        row["dtype"],
        str(row["length"]),
        f"{row['ms']:.3f}",
        f"{best:.3f} {row['best_torch']}" if best is not None else "nothing like it",
        f"{ratio:.2f}x" if ratio is not None else "",
        f"{row['max_error']:.1e}",
        f"{row['kv_bytes'] / 1e6:.1f} MB" if row["kv_bytes"] else "",
    ]


def _against(row: dict[str, Any]) -> list[str]:
    """The same step of transformers' default path and of our own dense attention over the policy's, and what it did."""
    ratios = [row.get("default_ratio"), row.get("dense_ratio")]
    return [*("" if ratio is None else f"{ratio:.2f}x" for ratio in ratios), row.get("reason", "")]


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
