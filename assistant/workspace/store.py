"""The index on disk: one SQLite file that mirrors the files of one workspace, shared by every process that has it open.

Writes are small transactions that say what a file holds, so doing one twice, or in two processes, changes nothing. The file
is a cache: one that is corrupt, of another version, or gone is replaced by an empty one, and `on_lost` tells the owner to
scan again. Knows nothing of how files are found, read or ranked.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from assistant.workspace import schema
from assistant.workspace.record import Rows
from assistant.workspace.walk import Stamp

T = TypeVar("T")

_CORRUPT = (
    "malformed",
    "not a database",
    "no such table",
    "no such column",
    "vtable constructor",
    "fts5: corrupt",
    "corruption",
)


class Known(NamedTuple):
    """What the index knows of a file without its content. ``read_at``: wall-clock nanoseconds when the stamp was taken."""

    id: int
    stamp: Stamp
    read_at: int
    digest: bytes


class Update(NamedTuple):
    """A file as it was read; ``rows`` is ``None`` when only its stamp is news."""

    path: str
    stamp: Stamp
    read_at: int
    rows: Rows | None


class Store:
    """``report(kind, text)`` hears of troubles, one sentence each. No method raises on a bad file: reads answer as if the index
    were empty, writes answer ``False``.
    """

    def __init__(
        self,
        path: Path,
        report: Callable[[str, str], None] = lambda kind, text: None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self.path = path
        self.has_text = True
        self._report = report
        self._on_lost = on_lost
        self._lock = threading.RLock()
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._generation = 0
        self._inode = 0
        self._closed = False

    # Reading

    def files(self) -> dict[str, Known]:
        """Every file by its path."""
        sql = "SELECT path, id, mtime, ctime, size, read_at, digest FROM file"
        return {p: Known(i, Stamp(m, c, s), r, d) for p, i, m, c, s, r, d in self.query(sql)}

    def known(self, path: str) -> Known | None:
        sql = "SELECT id, mtime, ctime, size, read_at, digest FROM file WHERE path = ?"
        found = self.query(sql, (path,))
        return next((Known(i, Stamp(m, c, s), r, d) for i, m, c, s, r, d in found), None)

    def count(self) -> int:
        found = self.query("SELECT count(*) FROM file")
        return int(found[0][0]) if found else 0

    def text(self, file: int, end: int = 0) -> str:
        """The text of a file as it was read; "" for one that is not there. ``end``: only so many characters of it, or more."""
        found = self.query("SELECT text FROM content WHERE file = ?", (file,))
        if not found:
            return ""
        head = zlib.decompressobj().decompress(found[0][0], end)
        whole = head if not end or head.isascii() else zlib.decompress(found[0][0])
        return whole.decode("utf-8", "surrogatepass")

    def meta(self, key: str) -> str:
        found = self.query("SELECT value FROM meta WHERE key = ?", (key,))
        return str(found[0][0]) if found else ""

    def query(self, sql: str, parameters: Sequence[Any] = (), until: Callable[[], bool] | None = None) -> list[tuple[Any, ...]]:
        """All rows, or none on any trouble. ``until`` is asked every few thousand steps; once true, the query gives up."""

        def work(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
            if until is None:
                return connection.execute(sql, parameters).fetchall()
            connection.set_progress_handler(until, 2_000)
            try:
                return connection.execute(sql, parameters).fetchall()
            finally:
                connection.set_progress_handler(None, 0)

        return self._run(work, [])

    # Writing

    def put(self, updates: Iterable[Update]) -> bool:
        """Make the index say what the updates say, all or nothing. A file whose digest is there already gets its stamp."""
        batch = list(updates)
        return self._write(lambda connection: _put(connection, batch))

    def remove(self, paths: Iterable[str]) -> bool:
        batch = list(paths)
        return not batch or self._write(lambda connection: _remove(connection, batch))

    def set_meta(self, key: str, value: str) -> bool:
        sql = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        return self._write(lambda connection: connection.execute(sql, (key, value)))

    def compact(self) -> bool:
        """Merge the full-text index after a large build: searches get faster by half."""
        if not self.has_text:
            return True
        return self._write(lambda connection: connection.execute("INSERT INTO words (words, rank) VALUES ('merge', -500)"))

    def clear(self) -> None:
        """Start again with an empty file."""
        with self._lock:
            self._set_aside(keep=False)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._close_all()

    # The file itself

    def _write(self, work: Callable[[sqlite3.Connection], object]) -> bool:
        def transaction(connection: sqlite3.Connection) -> bool:
            connection.execute("BEGIN IMMEDIATE")
            try:
                work(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            return True

        return self._run(transaction, False)

    def _run(self, work: Callable[[sqlite3.Connection], T], default: T) -> T:
        if self._closed:
            return default
        generation = self._generation
        try:
            return work(self._connection())
        except sqlite3.Error as error:
            self._trouble(error, generation)
        except zlib.error as error:
            self._trouble(sqlite3.DatabaseError(f"malformed text: {error}"), generation)
        except UnicodeEncodeError:
            return default  # a path that is not text: no such file is stored
        except OSError as error:
            self._report("disk", f"The workspace index cannot use {self.path}: {error}.")
        return default

    def _trouble(self, error: sqlite3.Error, generation: int) -> None:
        text = str(error).lower()
        if self._closed or "interrupted" in text:
            return
        if not any(sign in text for sign in _CORRUPT):
            self._report(
                "disk", f"The workspace index could not be used: {error}. Check space and rights of {self.path.parent}."
            )
            return
        with self._lock:
            if generation == self._generation:  # else another thread has dealt with it
                self._set_aside(keep=True)

    def _connection(self) -> sqlite3.Connection:
        """This thread's connection to the file that has the name now: it may have been replaced or deleted."""
        mine: tuple[int, sqlite3.Connection] | None = getattr(self._local, "mine", None)
        if mine is not None and mine[0] == self._generation and _inode(self.path) == self._inode:
            return mine[1]
        with self._lock:
            if self._inode and _inode(self.path) != self._inode:
                self._close_all()
                self._inode = 0
            connection = self._connect()
            self._local.mine = (self._generation, connection)
            self._open.append(connection)
            return connection

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_new = not self.path.exists() or self.path.stat().st_size == 0
        try:
            connection = self._ready()
        except sqlite3.DatabaseError as error:
            if not any(sign in str(error).lower() for sign in _CORRUPT):
                raise
            self._rename(keep=True)
            is_new, connection = True, self._ready()
        self._inode = _inode(self.path)
        if is_new:
            self._on_lost()
        return connection

    def _ready(self) -> sqlite3.Connection:
        if not self.path.exists():
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))  # it will hold source text: for its owner only
        connection = schema.connect(self.path)
        try:
            self.has_text = schema.has_fts5(connection)
            if not self.has_text:
                self._report("fts5", "This Python's SQLite has no FTS5: workspace search by words is off, symbols still work.")
            schema.create(connection, self.has_text)
            if schema.version(connection) != schema.VERSION:
                raise sqlite3.DatabaseError("corruption: another version of the index")
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_aside(self, keep: bool) -> None:
        self._close_all()
        self._rename(keep)
        self._inode = 0
        self._on_lost()

    def _close_all(self) -> None:
        self._generation += 1
        for connection in self._open:
            try:
                connection.close()
            except sqlite3.Error:
                continue
        self._open.clear()

    def _rename(self, keep: bool) -> None:
        """Move the file away as ``.corrupt`` (the last one is kept for whoever wants to look), or delete it."""
        for suffix in ("", "-wal", "-shm"):
            file = Path(f"{self.path}{suffix}")
            try:
                if keep and not suffix:
                    os.replace(file, f"{self.path}.corrupt")
                else:
                    file.unlink()
            except FileNotFoundError:
                continue
            except OSError as error:  # Windows: another process has it open
                self._report("disk", f"A broken workspace index could not be removed: {error}.")


def _inode(path: Path) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0


def _put(connection: sqlite3.Connection, updates: list[Update]) -> None:
    change: Counter[str] = Counter()
    for path, stamp, read_at, rows in updates:
        found = connection.execute("SELECT id, digest FROM file WHERE path = ?", (path,)).fetchone()
        if found is not None and (rows is None or found[1] == rows.digest):
            sql = "UPDATE file SET mtime = ?, ctime = ?, size = ?, read_at = ? WHERE id = ?"
            connection.execute(sql, (*stamp, read_at, found[0]))
        elif rows is not None:
            if found is not None:
                change.subtract(_erase(connection, found[0]))
            _insert(connection, rows, stamp, read_at)
            change.update(rows.identifiers)
    _count(connection, change)


def _remove(connection: sqlite3.Connection, paths: list[str]) -> None:
    change: Counter[str] = Counter()
    for path in paths:
        found = connection.execute("SELECT id FROM file WHERE path = ?", (path,)).fetchone()
        if found is not None:
            change.subtract(_erase(connection, found[0]))
    _count(connection, change)


def _insert(connection: sqlite3.Connection, rows: Rows, stamp: Stamp, read_at: int) -> None:
    sql = "INSERT INTO file (path, mtime, ctime, size, read_at, digest, language) VALUES (?, ?, ?, ?, ?, ?, ?)"
    file = connection.execute(sql, (rows.path, *stamp, read_at, rows.digest, rows.language)).lastrowid
    connection.execute("INSERT INTO content VALUES (?, ?)", (file, rows.text))
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM chunk").fetchone()
    ids = range(last + 1, last + 1 + len(rows.pieces))
    many = connection.executemany
    many(
        "INSERT INTO chunk VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(i, file, *p) for i, p in zip(ids, rows.pieces, strict=True)],
    )
    sql = "INSERT INTO words (rowid, title, near, doc, body, names) VALUES (?, ?, ?, ?, ?, ?)"
    many(sql, [(i, *w) for i, w in zip(ids, rows.words, strict=True)])
    many(f"INSERT INTO symbol VALUES ({', '.join('?' * 14)})", [(file, *s) for s in rows.symbols])
    many("INSERT INTO import VALUES (?, ?, ?, ?, ?)", [(file, *i) for i in rows.imports])
    many("INSERT INTO call VALUES (?, ?)", [(name, file) for name in rows.callees])


def _erase(connection: sqlite3.Connection, file: int) -> set[str]:
    """Delete a file's rows; its identifiers."""
    sql = "SELECT id, names FROM chunk JOIN words ON words.rowid = chunk.id WHERE file = ?"
    found = connection.execute(sql, (file,)).fetchall()
    connection.executemany("DELETE FROM words WHERE rowid = ?", [(i,) for i, _ in found])
    for table in ("chunk", "symbol", "import", "call", "content"):
        connection.execute(f"DELETE FROM {table} WHERE file = ?", (file,))
    connection.execute("DELETE FROM file WHERE id = ?", (file,))
    return {name for _, names in found for name in names.split()}


def _count(connection: sqlite3.Connection, change: Counter[str]) -> None:
    """Bring document frequencies up to date: one row for each identifier that gained or lost files."""
    changed = [(name, n) for name, n in change.items() if n]
    sql = "INSERT INTO identifier VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET files = files + excluded.files"
    connection.executemany(sql, changed)
    connection.executemany("DELETE FROM identifier WHERE name = ? AND files <= 0", [(name,) for name, n in changed if n < 0])
