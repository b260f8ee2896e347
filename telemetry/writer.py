"""Commits events, and keeps the file in order, through everything a disk or another process can do. Used by one thread.

Knows connections and transactions; what a row looks like is `telemetry.rows`'s, queues and threads are `telemetry.store`'s.
"""

from __future__ import annotations

import contextlib
import random
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from telemetry import aggregates, connection, disk, retention, rows, spool
from telemetry.events import Event
from telemetry.rows import Statement

TRIES = 3
FOLD_S = 5.0  # the age that counts may have; an hour of a busy user is some 1,000 rows, 5 ms
PRUNE_S = 86_400.0

# What a value that does not fit raises; anything else concerns the file, not the event.
_MISFIT = (sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError, sqlite3.DataError, OverflowError)


class Writer:
    """The one writing connection of a process; opened when first needed, and again after it broke."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem = ""
        self._connection: sqlite3.Connection | None = None
        self.behind = False  # whether rows have been written that are not yet counted
        self._folded_at = self._pruned_at = 0.0
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

    def tend(self) -> None:
        """Count what is not yet counted and drop what is too old, when it is time. Never raises."""
        db, now = self._connection, time.monotonic()
        if db is None or now - self._folded_at < FOLD_S:
            return
        self._folded_at = now
        with contextlib.suppress(sqlite3.Error):  # the next write meets the same trouble, and says so
            if now - self._pruned_at > PRUNE_S:
                self._pruned_at = now
                _keep_house(db)
            self.behind = aggregates.fold(db)

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
        statements, misfits = rows.statements(events)
        self.behind = True
        try:
            _transact(db, lambda: _insert_all(db, statements))
        except _MISFIT:
            misfits += _transact(db, lambda: _insert_each(db, statements))
        return misfits

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = connection.open_for_writing(self.path, self._suspect)
            self._suspect = False
            self._unspool(self._connection)
            _keep_house(self._connection)
            self._folded_at = self._pruned_at = time.monotonic()
        return self._connection

    def _unspool(self, db: sqlite3.Connection) -> None:
        """Commit what a server that ended could not. One server does it; if it dies meanwhile, the next does it again."""
        if not spool.path_of(self.path).exists():
            return
        with disk.locked(self.path.with_name("telemetry.lock")) as held:
            if held:
                statements, _ = rows.statements(spool.take(self.path))
                _transact(db, lambda: _insert_each(db, statements))
                spool.clear(self.path)


def _keep_house(db: sqlite3.Connection) -> None:
    retention.prune(db, int(time.time() * 1000))
    aggregates.settle(db)


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
    for sql, many in by_sql.items():
        db.executemany(sql, many)
    return 0


def _insert_each(db: sqlite3.Connection, statements: Iterable[Statement]) -> int:
    misfits = 0
    for sql, values in statements:
        try:
            db.execute(sql, values)
        except _MISFIT:
            misfits += 1
    return misfits
