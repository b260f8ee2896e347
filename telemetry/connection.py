"""Connections to the store's file: one that may write, made safe against everyone else who opens it, and one that only reads.

Knows the file, its journal and its version; nothing of events or queues.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from telemetry import disk, schema

BUSY_S = 1.0  # a small transaction takes milliseconds; who waits longer than this is not waiting for one
_OUR_INDEXES = "PRAGMA automatic_index = 0"  # else it indexes a million rows anew for a day's counts: 2.5 s instead of 0.1
CHECKED_BYTES = 16 << 20  # quick_check of 16 MiB takes some 50 ms


class NewerSchemaError(Exception):
    """The file was written by a later version. The text is fit for the user."""


class UnreadableError(Exception):
    """The store's file cannot be read. The text says what to do."""


def open_for_writing(path: Path, suspect: bool = False) -> sqlite3.Connection:
    """The database at ``path``, made or migrated if need be; a corrupt one is set aside and replaced by an empty one.

    ``suspect``: an error hinted at damage, so look at every page, however long it takes.

    In autocommit mode: transactions are begun explicitly. Raises NewerSchemaError, `sqlite3.Error` or OSError.
    """
    disk.private_folder(path.parent)
    with disk.locked(path.with_name("telemetry.lock")):
        disk.private_file(path)
        try:
            return _prepared(path, suspect)
        except sqlite3.DatabaseError as error:
            if not is_corrupt(error):
                raise
        disk.set_aside(path)
        disk.private_file(path)
        return _prepared(path, suspect=False)


def _prepared(path: Path, suspect: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    try:
        connection.execute(_OUR_INDEXES)
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found > schema.VERSION:
            raise NewerSchemaError(
                f"the file has schema {found}, this version knows {schema.VERSION}: update Sotto, or move the file away"
            )
        _check(connection, path, suspect)
        _choose_journal(connection, path)
        if found < schema.VERSION:
            from telemetry import migrations  # rarely needed, slow to import

            migrations.apply(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path, suspect: bool) -> None:
    """Raise DatabaseError for a damaged file: any damage if it is suspect, else what can be seen within milliseconds."""
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if suspect or path.stat().st_size <= CHECKED_BYTES:
        (verdict,) = connection.execute(f"PRAGMA {'integrity_check' if suspect else 'quick_check'}(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError("malformed: the file's own check failed")


def _choose_journal(connection: sqlite3.Connection, path: Path) -> None:
    """WAL where SQLite and the file system bear it, else a truncated rollback journal. A refusal leaves what is there."""
    wal = wal_is_safe(sqlite3.sqlite_version_info) and not disk.on_network(path)
    with contextlib.suppress(sqlite3.OperationalError):
        connection.execute(f"PRAGMA journal_mode = {'WAL' if wal else 'TRUNCATE'}").fetchone()
    connection.execute(f"PRAGMA synchronous = {'NORMAL' if wal else 'FULL'}")


def wal_is_safe(version: tuple[int, ...]) -> bool:
    """Whether this SQLite has the fix of the WAL-reset bug (two connections, one checkpointing: a corrupt file)."""
    return version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)


def is_corrupt(error: sqlite3.Error) -> bool:
    return "malformed" in str(error) or "not a database" in str(error)


def is_busy(error: sqlite3.Error) -> bool:
    return "locked" in str(error) or "busy" in str(error)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write, usable while a server writes; a file of an older version is brought forward first.

    Errors inside the block become UnreadableError too.
    """
    connection = None
    try:
        connection = _reader(path)
        yield connection
    except (sqlite3.Error, OSError) as error:
        corrupt = isinstance(error, sqlite3.Error) and is_corrupt(error)
        advice = "move the file away; a new one is made at the next start" if corrupt else "try again in a moment"
        raise UnreadableError(f"{path} cannot be read ({error}): {advice}") from error
    finally:
        if connection is not None:
            connection.close()


def _reader(path: Path) -> sqlite3.Connection:
    """Read-only; but what a killed server left half done must be undone first, and only a writing connection may."""
    try:
        found = _probed(path, "ro")
    except sqlite3.OperationalError as error:
        if is_busy(error):
            raise
        found = _probed(path, "rw")
    (version,) = found.execute("PRAGMA user_version").fetchone()
    if not 0 < version < schema.VERSION:
        return found
    found.close()
    open_for_writing(path).close()
    return _probed(path, "ro")


def _probed(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True, timeout=5.0, isolation_level=None)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA query_only = 1")
        connection.execute(_OUR_INDEXES)
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection
