"""How long rows live, and the user's rights over them: prune, export, erase. Knows tables, not events or servers."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from telemetry import disk, schema
from telemetry.connection import open_for_writing, reading

RAW_DAYS = 90
DAILY_DAYS = 400
DAY_MS = 86_400_000

_AGGREGATE = """
INSERT INTO daily
SELECT date(o.ts_ms / 1000, 'unixepoch'), o.kind, o.language, o.model, o.decision, o.reason, coalesce(c.kind, ''),
    :version, count(DISTINCT o.id), count(i.id), total(i.n_chars), total(c.accepted_chars), total(c.accepted_lines),
    total(c.visible_ms), total(o.t_total)
FROM opportunity o
LEFT JOIN impression i ON i.opportunity = o.id
LEFT JOIN outcome c ON c.impression = i.id AND c.final = 1
WHERE o.ts_ms < :before
GROUP BY 1, 2, 3, 4, 5, 6, 7
ON CONFLICT(day, kind, language, model, decision, reason, outcome) DO UPDATE SET
    n = n + excluded.n, impressions = impressions + excluded.impressions,
    shown_chars = shown_chars + excluded.shown_chars, accepted_chars = accepted_chars + excluded.accepted_chars,
    accepted_lines = accepted_lines + excluded.accepted_lines, visible_ms = visible_ms + excluded.visible_ms,
    total_ms = total_ms + excluded.total_ms
"""

_DUE = """
SELECT (SELECT count(*) FROM opportunity WHERE ts_ms < :before),
    EXISTS(SELECT 1 FROM daily WHERE day < date(:forget / 1000, 'unixepoch'))
"""

# In this order: outcomes and impressions of old opportunities, those that never had one, then the old rows themselves.
_DELETE = (
    """DELETE FROM outcome WHERE impression IN
        (SELECT i.id FROM impression i JOIN opportunity o ON o.id = i.opportunity WHERE o.ts_ms < :before)""",
    "DELETE FROM impression WHERE opportunity IN (SELECT id FROM opportunity WHERE ts_ms < :before)",
    "DELETE FROM impression WHERE shown_ms < :before AND opportunity NOT IN (SELECT id FROM opportunity)",
    "DELETE FROM outcome WHERE ts_ms < :before AND impression NOT IN (SELECT id FROM impression)",
    "DELETE FROM opportunity WHERE ts_ms < :before",
    """DELETE FROM session WHERE coalesce(ended_ms, started_ms) < :before
        AND id NOT IN (SELECT session FROM opportunity)""",
    "DELETE FROM daily WHERE day < date(:forget / 1000, 'unixepoch')",
)


def prune(connection: sqlite3.Connection, now_ms: int, raw_days: int = RAW_DAYS, daily_days: int = DAILY_DAYS) -> int:
    """Fold raw rows older than ``raw_days`` whole UTC days into `daily`, and drop aggregates older than ``daily_days``.

    Returns how many opportunities were folded. Raises `sqlite3.Error`, and then nothing has changed.
    """
    before = (now_ms // DAY_MS - raw_days) * DAY_MS
    times = {"before": before, "forget": now_ms - daily_days * DAY_MS, "version": schema.VERSION}
    if not any(connection.execute(_DUE, times).fetchone()):
        return 0  # the usual start of a server: no write, no scan
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("BEGIN IMMEDIATE")
    try:
        (count, _) = connection.execute(_DUE, times).fetchone()
        for statement in (_AGGREGATE, *_DELETE):
            connection.execute(statement, times)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return int(count)


def erase(path: Path) -> None:
    """Remove every row for good: overwritten in the file, its journals, its copies, and the key behind the file keys.

    A server that runs goes on with new rows. Raises `sqlite3.Error` or OSError, with a locked file when one is just reading.
    """
    if path.exists():
        connection = open_for_writing(path)
        try:
            _wipe(connection)
        finally:
            connection.close()
    with disk.locked(path.with_name("telemetry.lock")):
        for copy in (*path.parent.glob(f"{path.name}.*"), path.with_name(disk.KEY_NAME)):
            copy.unlink(missing_ok=True)


def _wipe(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("BEGIN IMMEDIATE")
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: connection.execute("ROLLBACK") if connection.in_transaction else None)
        for table in schema.TABLES:
            connection.execute(f"DELETE FROM {table}")
        connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def export(path: Path, chunk: int = 1000) -> Iterator[dict[str, Any]]:
    """Every row as a JSON-ready object with its ``table``, after one object that tells the tables' columns.

    Reads in chunks, so that a running server can write in between. Raises `telemetry.connection.UnreadableError`.
    """
    with reading(path) as connection:
        columns = {table: _columns(connection, table) for table in schema.TABLES}
    yield {"schema_version": schema.VERSION, "tables": columns}
    for table in schema.TABLES:
        last = 0
        while True:
            with reading(path) as connection:
                sql = f"SELECT rowid AS _row, * FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT ?"
                rows = [dict(row) for row in connection.execute(sql, (last, chunk))]
            if not rows:
                break
            last = rows[-1]["_row"]
            for row in rows:
                del row["_row"]
                yield {"table": table, **row}


def _columns(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    return {row["name"]: row["type"] for row in connection.execute(f"PRAGMA table_info({table})")}
