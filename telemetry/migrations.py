"""Bring a database to the schema of this version, whoever else starts at the same moment.

All pending steps run inside one outer BEGIN IMMEDIATE, each in a savepoint together with its own record: sqlite-utils' plain
``apply`` lost 18 to 24 of 32 races of four processes on a fresh file, with the outer transaction it lost none.
Imported only when there is something to migrate: sqlite-utils brings numpy along, 200 to 300 ms in a starting server.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from sqlite_utils import Database, Migrations

from telemetry import schema

STEPS = Migrations("sotto")


@STEPS(name="0001_suggestions")
def _suggestions(db: Database) -> None:
    db.executescript(schema.SUGGESTIONS)


@STEPS(name="0002_gate_loop")
def _gate_loop(db: Database) -> None:
    db.executescript(schema.GATE_LOOP)


@STEPS(name="0003_reasons")
def _reasons(db: Database) -> None:
    db.executescript(schema.REASONS)


def apply(connection: sqlite3.Connection, path: Path, steps: Migrations = STEPS, version: int = schema.VERSION) -> None:
    """Run what is pending in ``steps`` and note ``version`` as ``user_version``; all of it or nothing.

    A database that holds anything is first copied to ``backup_path``. Raises `sqlite3.Error`.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        db = Database(connection, execute_plugins=False, recursive_triggers=False)
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found < version:
            if found:
                _back_up(path, found)
            steps.apply(db)
            connection.execute(f"PRAGMA user_version = {version:d}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def backup_path(path: Path, version: int) -> Path:
    """Where the copy of a database of schema ``version`` lies."""
    return path.with_name(f"{path.name}.v{version}.backup")


def _back_up(path: Path, version: int) -> None:
    """Copy the database while the caller holds the write lock, so that nobody else can migrate it in between.

    VACUUM INTO needs a connection without a transaction; a second one may read beside the lock.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.backup")
    draft.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_CREAT | os.O_WRONLY, 0o600))
    reader = sqlite3.connect(path, timeout=5.0, isolation_level=None)
    try:
        reader.execute("VACUUM INTO ?", (str(draft),))
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    finally:
        reader.close()
    os.replace(draft, backup_path(path, version))
