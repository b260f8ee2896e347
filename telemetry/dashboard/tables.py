"""The record as files to take along: JSON lines of every row, and a spreadsheet of opportunities that no cell can turn on.

Knows no web. Errors are those of `telemetry.queries`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from telemetry import queries, retention

COLUMNS = (
    "id", "ts_ms", "kind", "language", "trigger", "model", "gate", "stage", "p1", "p2", "threshold", "decision", "reason",
    "why", "rule", "propensity", "explored", "shown", "n_chars", "outcome", "visible_ms", "accepted_chars", "retained",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "|", "%")


def json_lines(path: Path) -> Iterator[str]:
    """Every row of every table, after one line with the columns; nothing where there is no store."""
    for row in retention.export(path) if path.exists() else iter(()):
        yield json.dumps(row, separators=(",", ":")) + "\n"


def spreadsheet(path: Path) -> Iterator[str]:
    """CSV (RFC 4180), one line an opportunity with its outcome."""
    yield _line(COLUMNS)
    for row in queries.gate_rows(path):
        yield _line([cell(getattr(row, name)) for name in COLUMNS])


def cell(value: object) -> object:
    """Text that a spreadsheet would run as a formula gets an apostrophe before it; numbers stay numbers."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return int(value) if isinstance(value, bool) else value


def _line(cells: Sequence[object]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()
