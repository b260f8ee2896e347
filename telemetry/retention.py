"""How long rows live, and the user's rights over them: prune, export, erase. Knows tables, not events or servers."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from telemetry import aggregates, disk, schema
from telemetry.connection import open_for_writing, reading

RAW_DAYS = 90
DAILY_DAYS = 400
DAY_MS = 86_400_000

_DUE = """
SELECT (SELECT count(*) FROM opportunity WHERE ts_ms < :before),
    EXISTS(SELECT 1 FROM daily WHERE day < date(:forget / 1000, 'unixepoch'))
"""

_JSON = ("features", "metrics", "json")  # columns that hold JSON; exported as what it says

# In this order: outcomes and impressions of old opportunities, those that never had one, then the old rows themselves.
_DELETE = (
    """DELETE FROM outcome WHERE impression IN
        (SELECT i.id FROM impression i JOIN opportunity o ON o.id = i.opportunity WHERE o.ts_ms < :before)""",
    """DELETE FROM retention WHERE impression IN
        (SELECT i.id FROM impression i JOIN opportunity o ON o.id = i.opportunity WHERE o.ts_ms < :before)""",
    "DELETE FROM impression WHERE opportunity IN (SELECT id FROM opportunity WHERE ts_ms < :before)",
    "DELETE FROM impression WHERE shown_ms < :before AND opportunity NOT IN (SELECT id FROM opportunity)",
    "DELETE FROM outcome WHERE ts_ms < :before AND impression NOT IN (SELECT id FROM impression)",
    "DELETE FROM retention WHERE ts_ms < :before AND impression NOT IN (SELECT id FROM impression)",
    "DELETE FROM exits WHERE opportunity IN (SELECT id FROM opportunity WHERE ts_ms < :before)",
    "DELETE FROM opportunity WHERE ts_ms < :before",
    """DELETE FROM session WHERE coalesce(ended_ms, started_ms) < :before
        AND id NOT IN (SELECT session FROM opportunity)""",
    "DELETE FROM daily WHERE day < date(:forget / 1000, 'unixepoch')",
    "DELETE FROM daily_latency WHERE day < date(:forget / 1000, 'unixepoch')",
    "DELETE FROM daily_calibration WHERE day < date(:forget / 1000, 'unixepoch')",
    "DELETE FROM daily_exits WHERE day < date(:forget / 1000, 'unixepoch')",
)


def prune(connection: sqlite3.Connection, now_ms: int, raw_days: int = RAW_DAYS, daily_days: int = DAILY_DAYS) -> int:
    """Drop raw rows older than ``raw_days`` whole UTC days, whose counts stay as days, and counts older than ``daily_days``.

    Returns how many opportunities were dropped. Raises `sqlite3.Error`, and then nothing has changed.
    """
    before = (now_ms // DAY_MS - raw_days) * DAY_MS
    times = {"before": before, "forget": now_ms - daily_days * DAY_MS}
    if not any(connection.execute(_DUE, times).fetchone()):
        return 0  # the usual start of a server: no write, no scan
    while aggregates.fold(connection):
        pass
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("BEGIN IMMEDIATE")
    try:
        (count, _) = connection.execute(_DUE, times).fetchone()
        (day,) = connection.execute("SELECT date(:before / 1000, 'unixepoch')", times).fetchone()
        aggregates.recount(connection)  # what another server has written since
        aggregates.keep_for_good(connection, day)
        for statement in _DELETE:
            connection.execute(statement, {name: times[name] for name in times if f":{name}" in statement})
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return int(count)


def erase(path: Path, learned: Sequence[str] = ()) -> None:
    """Remove every row for good: overwritten in the file, its journals, its copies, its spool, and the key behind the file
    keys; ``learned`` are globs of files beside it that were made from it.

    A server that runs goes on with new rows. Raises `sqlite3.Error` or OSError, with a locked file when one is just reading.
    """
    for file in (file for pattern in learned for file in path.parent.glob(pattern)):
        if file.is_file():
            disk.shred(file)
    if not path.exists() and not path.parent.is_dir():
        return
    if path.exists():
        connection = open_for_writing(path)
        try:
            _wipe(connection)
        finally:
            connection.close()
    with disk.locked(path.with_name("telemetry.lock")):
        for copy in (*path.parent.glob(f"{path.name}.*"), path.with_name(disk.KEY_NAME)):
            disk.shred(copy)


def _wipe(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("BEGIN IMMEDIATE")
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: connection.execute("ROLLBACK") if connection.in_transaction else None)
        for table in (*schema.TABLES, "stale"):
            connection.execute(f"DELETE FROM {table}")
        connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


_OF_IMPRESSION = "EXISTS(SELECT 1 FROM impression i JOIN opportunity o ON o.id = i.opportunity WHERE i.id = t.impression AND"
_CHOSEN = "(:kind = '' OR o.kind = :kind) AND (:reason = '' OR :reason IN (o.reason, o.why))"
_OF_CHOSEN = {
    "opportunity": f"EXISTS(SELECT 1 FROM opportunity o WHERE o.id = t.id AND {_CHOSEN})",
    "exits": f"EXISTS(SELECT 1 FROM opportunity o WHERE o.id = t.opportunity AND {_CHOSEN})",
    "impression": f"EXISTS(SELECT 1 FROM opportunity o WHERE o.id = t.opportunity AND {_CHOSEN})",
    "outcome": f"{_OF_IMPRESSION} {_CHOSEN})",
    "retention": f"{_OF_IMPRESSION} {_CHOSEN})",
}
"""The tables that hold something of one opportunity, and how a row is found to be of a chosen one."""


def export(path: Path, chunk: int = 1000, kind: str = "", reason: str = "") -> Iterator[dict[str, Any]]:
    """Every row as a JSON-ready object with its ``table``, after one object that tells the tables' columns.

    With ``kind`` or ``reason`` (the opportunity's, or the gate's own word) only opportunities of it and what became of them.
    Reads in chunks, so that a running server can write in between. Raises `telemetry.connection.UnreadableError`.
    """
    with reading(path) as connection:
        columns = {table: _columns(connection, table) for table in schema.TABLES}
    yield {"schema_version": schema.VERSION, "tables": columns}
    filtered = bool(kind or reason)
    for table in (name for name in schema.TABLES if not filtered or name in _OF_CHOSEN):
        last, chosen = 0, _OF_CHOSEN[table] if filtered else "1"
        while True:
            with reading(path) as connection:
                sql = f"SELECT rowid AS _row, * FROM {table} t WHERE rowid > :last AND {chosen} ORDER BY rowid LIMIT :chunk"
                values = {"last": last, "chunk": chunk, "kind": kind, "reason": reason}
                rows = [dict(row) for row in connection.execute(sql, values)]
            if not rows:
                break
            last = rows[-1]["_row"]
            for row in rows:
                del row["_row"]
                yield {"table": table, **row, **{name: json.loads(row[name]) for name in _JSON if name in row}}


def _columns(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    return {row["name"]: row["type"] for row in connection.execute(f"PRAGMA table_info({table})")}
