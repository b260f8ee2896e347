"""The tables of the index, and a connection to them. Knows nothing of what the rows mean.

`VERSION` goes up whenever a table, `words`, `chunks` or `record` changes what is stored; a file of another version is not read.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

VERSION = 3

_FTS = "CREATE VIRTUAL TABLE words USING fts5(title, near, doc, body, names, tokenize=\"ascii tokenchars '_'\")"
_VOCABULARY = "CREATE VIRTUAL TABLE vocabulary USING fts5vocab('words', 'col')"
_NO_FTS = "CREATE TABLE words (title TEXT, near TEXT, doc TEXT, body TEXT, names TEXT)"

_TABLES = """
CREATE TABLE file (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, mtime INTEGER NOT NULL, ctime INTEGER NOT NULL,
    size INTEGER NOT NULL, read_at INTEGER NOT NULL, digest BLOB NOT NULL, language TEXT NOT NULL);
CREATE TABLE content (file INTEGER PRIMARY KEY, text BLOB NOT NULL);
CREATE TABLE chunk (id INTEGER PRIMARY KEY, file INTEGER NOT NULL, start INTEGER, end INTEGER, line INTEGER, lines INTEGER,
    kind TEXT, owner INTEGER, block INTEGER, name TEXT);
CREATE INDEX chunk_file ON chunk (file, start);
CREATE TABLE symbol (file INTEGER NOT NULL, ordinal INTEGER, parent INTEGER, name TEXT, qualified TEXT, kind TEXT,
    start INTEGER, end INTEGER, line INTEGER, signature TEXT, doc TEXT, parameters TEXT, bases TEXT, returns TEXT);
CREATE INDEX symbol_name ON symbol (name, kind);
CREATE INDEX symbol_file ON symbol (file);
CREATE TABLE import (file INTEGER NOT NULL, module TEXT, name TEXT, alias TEXT, level INTEGER);
CREATE INDEX import_file ON import (file);
CREATE INDEX import_module ON import (module);
CREATE TABLE call (name TEXT, file INTEGER, PRIMARY KEY (name, file)) WITHOUT ROWID;
CREATE INDEX call_file ON call (file);
CREATE TABLE identifier (name TEXT PRIMARY KEY, files INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""

_LOCK_WAIT_S = 5.0  # longer than any transaction of ours


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode to a file that may not exist yet. Raises `sqlite3.Error`."""
    connection = sqlite3.connect(path, timeout=_LOCK_WAIT_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the last seconds, and the scan finds them
        connection.execute("PRAGMA cache_size = -8000")  # KiB
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA journal_size_limit = 16000000")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def has_fts5(connection: sqlite3.Connection) -> bool:
    """Whether this SQLite was built with FTS5."""
    return any(name == "ENABLE_FTS5" for (name,) in connection.execute("PRAGMA compile_options")) or _try_fts5(connection)


def _try_fts5(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("CREATE VIRTUAL TABLE temp.probe USING fts5(a)")
        connection.execute("DROP TABLE temp.probe")
    except sqlite3.OperationalError:
        return False
    return True


def create(connection: sqlite3.Connection, with_fts5: bool) -> None:
    """Make the tables unless they are there, as one transaction: of two processes, the second finds them made."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in [*_TABLES.split(";"), *((_FTS, _VOCABULARY) if with_fts5 else (_NO_FTS,))]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def version(connection: sqlite3.Connection) -> int:
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    return int(number)
