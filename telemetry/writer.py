"""Turns events into rows and commits them, through everything a disk or another process can do. Used by one thread.

Writes are idempotent and order-free: a duplicate changes nothing, the first final outcome stays, a larger partial acceptance
replaces a smaller one, a session's end may come before its beginning. Knows nothing of queues and threads.
"""

from __future__ import annotations

import json
import math
import random
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any

from telemetry import connection, retention, schema
from telemetry.events import Event, Impression, Model, Opportunity, Outcome, Session, SessionEnd

PARTIAL = ("accepted_word", "accepted_line")
TRIES = 3

Statement = tuple[str, tuple[object, ...]]

# What a value that does not fit raises; anything else concerns the file, not the event.
_MISFIT = (sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError, sqlite3.DataError, OverflowError)


class Writer:
    """The one writing connection of a process; opened when first needed, and again after it broke."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem = ""
        self._connection: sqlite3.Connection | None = None
        self._suspect = False
        self._newer = False

    def write(self, events: Sequence[Event]) -> tuple[list[Event], int]:
        """Commit ``events`` in one transaction. Never raises.

        Returns those to be tried again later, because another process holds the file, and how many are lost; ``problem``
        then says why. It is empty again after the next success.
        """
        busy = False
        for attempt in range(0 if self._newer else TRIES):
            try:
                misfits = self._commit(events)
            except Exception as error:
                busy = self._failed(error)
                time.sleep(random.uniform(0.01, 0.05) * (attempt + 1))
            else:
                self.problem = f"{misfits} events did not fit the store and were left out" if misfits else ""
                return [], misfits
        return (list(events), 0) if busy else ([], len(events))

    def close(self) -> None:
        """Also what a failure needs: a new connection cures a file that was moved, replaced or corrupt."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _failed(self, error: Exception) -> bool:
        """Note what went wrong. Returns whether it was only another process at work."""
        if isinstance(error, sqlite3.Error) and connection.is_busy(error):
            self.problem = "another process holds the telemetry file; events wait in memory"
            return True
        self.close()
        self._suspect = isinstance(error, sqlite3.Error) and connection.is_corrupt(error)
        self._newer = isinstance(error, connection.NewerSchemaError)
        advice = "" if self._newer else f": check that {self.path.parent} is writable and has space"
        self.problem = f"telemetry is not being recorded ({error}){advice}"
        return False

    def _commit(self, events: Sequence[Event]) -> int:
        """One transaction. Returns how many events did not fit; they are left out, the others are stored."""
        db = self._open()
        statements, misfits = _statements(events)
        try:
            _transact(db, lambda: _insert_all(db, statements))
        except _MISFIT:
            misfits += _transact(db, lambda: _insert_each(db, statements))
        return misfits

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = connection.open_for_writing(self.path, self._suspect)
            self._suspect = False
            retention.prune(self._connection, int(time.time() * 1000))
        return self._connection


def _transact(db: sqlite3.Connection, work: Callable[[], int]) -> int:
    db.execute("BEGIN IMMEDIATE")
    try:
        result = work()
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return result


def _insert_all(db: sqlite3.Connection, statements: Iterable[Statement]) -> int:
    by_sql: dict[str, list[tuple[object, ...]]] = {}
    for sql, values in statements:
        by_sql.setdefault(sql, []).append(values)
    for sql, rows in by_sql.items():
        db.executemany(sql, rows)
    return 0


def _insert_each(db: sqlite3.Connection, statements: Iterable[Statement]) -> int:
    misfits = 0
    for sql, values in statements:
        try:
            db.execute(sql, values)
        except _MISFIT:
            misfits += 1
    return misfits


def _statements(events: Iterable[Event]) -> tuple[list[Statement], int]:
    statements, misfits = [], 0
    for event in events:
        try:
            statements.append(_MAKERS[type(event)](event))
        except Exception:  # a caller's mistake costs that event, never the thread
            misfits += 1
    return statements, misfits


def _insert(table: str, columns: Sequence[str], conflict: str) -> str:
    names = ", ".join([*columns, "schema_version"])
    marks = ", ".join("?" * (len(columns) + 1))
    return f"INSERT INTO {table}({names}) VALUES({marks}) ON CONFLICT {conflict}"


def _plain(table: str, kind: type[Event], conflict: str = "DO NOTHING") -> Callable[[Any], Statement]:
    """A maker for an event whose fields are the table's columns."""
    columns = [field.name for field in fields(kind)]
    sql, values = _insert(table, columns, conflict), attrgetter(*columns)
    return lambda event: (sql, (*values(event), schema.VERSION))


def _opportunity() -> Callable[[Any], Statement]:
    columns = [field.name for field in fields(Opportunity)]
    at = columns.index("features")
    plain = _plain("opportunity", Opportunity)

    def make(event: Any) -> Statement:
        sql, values = plain(event)
        return sql, (*values[:at], _features(values[at]), *values[at + 1 :])

    return make


def _features(features: object) -> str:
    """Compact JSON. Only finite numbers under short plain names are kept: a name is no place for text."""
    if not hasattr(features, "items"):
        raise TypeError("features must be a mapping")
    kept = {
        name: float(value)
        for name, value in features.items()
        if len(name) <= 40 and name.isidentifier() and math.isfinite(value)
    }
    return json.dumps(kept, separators=(",", ":"), allow_nan=False)


def _outcome() -> Callable[[Any], Statement]:
    columns = [field.name for field in fields(Outcome)]
    news = ", ".join(f"{name} = excluded.{name}" for name in columns if name != "impression")
    sql = _insert(
        "outcome",
        [*columns, "final"],
        f"(impression, final) DO UPDATE SET {news} "
        "WHERE excluded.final = 0 AND excluded.accepted_chars > outcome.accepted_chars",
    )
    values = attrgetter(*columns)

    def make(event: Any) -> Statement:
        return sql, (*values(event), int(event.kind not in PARTIAL), schema.VERSION)

    return make


def _session_end() -> Callable[[Any], Statement]:
    sql = _insert(
        "session",
        ["id", "ended_ms", "end_reason"],
        "(id) DO UPDATE SET ended_ms = excluded.ended_ms, end_reason = excluded.end_reason WHERE session.ended_ms IS NULL",
    )
    values = attrgetter("session", "ended_ms", "reason")
    return lambda event: (sql, (*values(event), schema.VERSION))


_SESSION_NEWS = ", ".join(f"{field.name} = excluded.{field.name}" for field in fields(Session) if field.name != "id")

_MAKERS: dict[type, Callable[[Any], Statement]] = {
    Session: _plain("session", Session, f"(id) DO UPDATE SET {_SESSION_NEWS} WHERE session.started_ms IS NULL"),
    SessionEnd: _session_end(),
    Model: _plain("model", Model),
    Opportunity: _opportunity(),
    Impression: _plain("impression", Impression),
    Outcome: _outcome(),
}
