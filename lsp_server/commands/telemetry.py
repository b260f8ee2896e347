"""`sotto telemetry stats|export|pause|resume|erase`: what the record of suggestions says, all of it as JSON lines, or its end.

`add` is called for every start of `sotto` and imports nothing; the rest loads SQLite and rich. Knows the store by its queries.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.panels import Counts

WORD = "erase"
"""What a user types to confirm."""

LEARNED = ("gate*", "review.json")
"""Files of the data folder that were learned from what the user did; they go with the record."""

DAYS = 14


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command and its options."""
    telemetry = commands.add_parser("telemetry", help="look at, export or erase the private record of suggestions")
    kinds = telemetry.add_subparsers(dest="kind", required=True, metavar="WHAT")
    stats = kinds.add_parser("stats", help="how many suggestions were shown, taken and kept, and how fast they came")
    stats.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    export = kinds.add_parser("export", help="every row as JSON lines, after one line with the tables' columns")
    export.add_argument("--out", type=Path, metavar="FILE", help="a new file, for you alone to read (default: stdout)")
    export.add_argument(
        "--gate", action="store_true", help="one line an opportunity with its outcome, as `sotto bench gate --events` reads it"
    )
    export.add_argument(
        "--kind", dest="of", default="", metavar="WORD", help="only inline, next_edit or review, with what became of it"
    )
    export.add_argument(
        "--reason", default="", metavar="WORD", help="only this reason, as in `shown`, `gated_hide`, `explored`"
    )
    pause = kinds.add_parser("pause", help="record nothing from now on, in all editors, until `resume`")
    resume = kinds.add_parser("resume", help="go on recording")
    erase = kinds.add_parser("erase", help="remove every row, its copies, the key behind the file keys, and what was learned")
    erase.add_argument("--yes", action="store_true", help=f"do not ask to type `{WORD}`")
    for kind in (stats, export, pause, resume, erase):
        kind.add_argument("--data-dir", type=Path, metavar="DIR", help="where the private record of suggestions lives")


def run(arguments: argparse.Namespace, data_dir: Path, recording: bool) -> int:
    """0, or 2 with one sentence; 1 when erasing was not confirmed. ``recording`` is false under DO_NOT_TRACK."""
    import sqlite3

    from lsp_server.commands.local import fail
    from telemetry.connection import NewerSchemaError, UnreadableError
    from telemetry.store import FILE_NAME

    path = data_dir / FILE_NAME
    try:
        if arguments.kind == "stats":
            return _stats(path, arguments.json, recording)
        if arguments.kind == "export":
            return _export(arguments.out, _lines(path, arguments.gate, arguments.of, arguments.reason))
        return _erase(path, arguments.yes) if arguments.kind == "erase" else _pause(path, arguments.kind == "pause")
    except (UnreadableError, NewerSchemaError) as error:
        return fail(str(error))
    except BrokenPipeError:
        raise
    except FileExistsError as error:
        return fail(f"{error.filename} exists; name a new file with --out")
    except (sqlite3.Error, OSError) as error:
        return fail(f"{path}: {error}; close your editors and try again")


def summarize(path: Path, recording: bool) -> dict[str, Any]:
    """What `stats` tells, as plain values; rates are left to the reader, who sees their n."""
    from dataclasses import asdict

    from telemetry import disk, panels, retention

    return {
        "store": str(path),
        "recording": recording and not disk.paused(path.parent),
        "bytes": path.stat().st_size if path.exists() else 0,
        "raw_days": retention.RAW_DAYS,
        "daily_days": retention.DAILY_DAYS,
        "total": asdict(panels.total(path)),
        "outcomes": {name or "none yet": row.shown for name, row in panels.by(path, "outcome").items() if row.shown},
        "reasons": {name: row.opportunities for name, row in panels.by(path, "reason").items()},
        "languages": {name: asdict(row) for name, row in panels.by(path, "language").items()},
        "days": {day: asdict(row) for day, row in list(panels.days(path).items())[-DAYS:]},
        "explored": asdict(panels.explored(path)),
        "latency_ms": {phase: asdict(row) for phase, row in panels.latencies(path).items()},
        "silence": asdict(panels.silence(path)),
    }


def _stats(path: Path, as_json: bool, recording: bool) -> int:
    found = summarize(path, recording)
    if as_json:
        sys.stdout.write(json.dumps(found) + "\n")
        return 0
    from rich.console import Console

    console = Console()
    switched = "" if recording else ", switched off by DO_NOT_TRACK"
    if recording and not found["recording"]:
        switched = ", paused (`sotto telemetry resume` goes on)"
    console.print(f"{found['store']}: {found['bytes'] / 1e6:.1f} MB, on this machine only{switched}", highlight=False)
    if not found["total"]["opportunities"]:
        console.print("No suggestions recorded yet.")
        return 0
    console.print(_funnel(found))
    console.print(_days(found["days"]))
    return 0


def _funnel(found: dict[str, Any]) -> Any:
    from rich.table import Table

    total, latency = found["total"], found["latency_ms"].get("t_total")
    table = Table(title="All that is recorded", title_justify="left", show_header=False, box=None)
    for name, text in (
        ("moments a suggestion was possible", f"{total['opportunities']:,}"),
        ("  not worth asking the model", f"{total['skipped']:,}"),
        ("  computed and hidden", f"{total['hidden']:,}"),
        ("  shown", f"{total['shown']:,}"),
        ("accepted, of those judged", _rate(total["accepted"], total["judged"])),
        ("still there after two minutes", _rate(total["retained_120"], total["checked_120"], "characters")),
        ("hides shown all the same, and taken", _rate(found["explored"]["accepted"], found["explored"]["judged"])),
        ("time to a suggestion", f"p50 {latency['p50']:.0f} ms, p95 {latency['p95']:.0f} ms" if latency else "none shown yet"),
        ("outcomes", ", ".join(f"{name} {count:,}" for name, count in found["outcomes"].items()) or "none yet"),
    ):
        table.add_row(name, text)
    return table


def _days(days: dict[str, dict[str, Any]]) -> Any:
    from rich.table import Table

    table = Table(title=f"The last {len(days)} days (UTC)", title_justify="left")
    for column in ("day", "possible", "hidden", "shown", "accepted, of those judged", "characters accepted"):
        table.add_column(column, justify="left" if column == "day" else "right")
    for day, row in days.items():
        rate = _rate(row["accepted"], row["judged"])
        counts = (f"{row[name]:,}" for name in ("opportunities", "hidden", "shown"))
        table.add_row(day, *counts, rate, f"{row['accepted_chars']:,}")
    return table


def _rate(positives: int, n: int, of: str = "") -> str:
    """A rate never goes without its n and its 95 % interval."""
    from telemetry.panels import wilson

    if not n:
        return "none yet"
    low, high = wilson(positives, n)
    return f"{positives:,} of {n:,}{' ' + of if of else ''}: {positives / n:.0%} ({low:.0%} to {high:.0%})"


def _pause(path: Path, on: bool) -> int:
    from telemetry import disk

    disk.pause(path.parent, on)
    sys.stdout.write("Nothing is recorded until `sotto telemetry resume`.\n" if on else "The record goes on.\n")
    return 0


def _export(out: Path | None, lines: Iterator[str]) -> int:
    if out is None:
        for line in lines:
            sys.stdout.write(line)
        return 0
    with os.fdopen(os.open(out, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8", newline="\n") as file:
        file.writelines(lines)
    return 0


def _lines(path: Path, gate: bool, kind: str, reason: str) -> Iterator[str]:
    from dataclasses import asdict

    from telemetry import queries, retention

    if gate:
        rows: Iterator[dict[str, Any]] = (
            asdict(row) for row in queries.gate_rows(path) if kind in ("", row.kind) and reason in ("", row.reason, row.why)
        )
    else:
        rows = retention.export(path, kind=kind, reason=reason) if path.exists() else iter(())
    for row in rows:
        yield json.dumps(row, separators=(",", ":")) + "\n"


def _erase(path: Path, yes: bool) -> int:
    from telemetry import retention

    if not yes and not _confirmed(path):
        sys.stderr.write("sotto: nothing was erased\n")
        return 1
    retention.erase(path, LEARNED)
    sys.stdout.write(f"Erased: {path}, its copies, its key and what was learned from it.\n")
    return 0


def _confirmed(path: Path) -> bool:
    from telemetry import panels

    rows: Counts = panels.total(path)
    sys.stdout.write(f"This removes {rows.opportunities:,} recorded moments for good: {path}\nType {WORD} to go on: ")
    sys.stdout.flush()
    return sys.stdin.readline().strip() == WORD
