"""The file: what is put comes back, no trouble raises, no FTS5 is said once and costs only the search by words."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from assistant.workspace import schema
from assistant.workspace.record import record, rows
from assistant.workspace.store import Store, Update
from assistant.workspace.walk import Stamp

STAMP = Stamp(1, 2, 3)


def update(path: str, text: str, read_at: int = 10) -> Update:
    return Update(path, STAMP, read_at, rows(record(path, text)))


def test_what_is_put_comes_back_and_goes(tmp_path: Path) -> None:
    store = Store(tmp_path / "i.db")
    text = "def f(x):\n    'doc'\n    return g(x)\n"
    assert store.put([update("/a.py", text), update("/b.py", "y = f(1)\n")])
    known = store.known("/a.py")
    assert known is not None
    assert known.stamp == STAMP
    assert store.text(known.id) == text
    assert dict(store.query("SELECT name, files FROM identifier WHERE name IN ('f', 'return', 'def')")) == {
        "return": 1,
        "def": 1,
    }
    assert store.query("SELECT name FROM call ORDER BY 1") == [("f",), ("g",)]
    assert store.remove(["/a.py", "/never.py"])
    assert list(store.files()) == ["/b.py"]
    for table in ("chunk", "words", "symbol", "content"):
        assert len(store.query(f"SELECT * FROM {table}")) <= 1
    assert store.remove(["/b.py"])
    for table in ("chunk", "words", "symbol", "content", "import", "call", "identifier", "file"):
        assert store.query(f"SELECT * FROM {table}") == [], table
    store.close()


def test_putting_twice_is_putting_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "i.db")
    for _ in range(3):
        store.put([update("/a.py", "alpha = 1\n"), update("/a.py", "alpha = 1\n", 11)])
    assert store.query("SELECT name, files FROM identifier") == [("alpha", 1)]
    known = store.known("/a.py")
    assert known is not None
    assert known.read_at == 11
    store.close()


def test_a_batch_is_all_or_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "i.db")
    bad = update("/b.py", "beta = 1\n")
    assert bad.rows is not None
    object.__setattr__(bad.rows, "callees", (object(),))
    told: list[str] = []
    broken = Store(tmp_path / "i.db", report=lambda kind, text: told.append(kind))
    assert not broken.put([update("/a.py", "alpha = 1\n"), bad])
    assert store.count() == 0
    assert told == ["disk"]
    broken.close()
    store.close()


def test_a_folder_that_cannot_be_written_is_told_and_empty(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told: list[str] = []
    store = Store(tmp_path / "file" / "i.db", report=lambda kind, text: told.append(kind))
    assert not store.put([update("/a.py", "alpha = 1\n")])
    assert store.files() == {}
    assert set(told) == {"disk"}
    store.close()


def test_after_close_everything_is_empty(tmp_path: Path) -> None:
    store = Store(tmp_path / "i.db")
    store.put([update("/a.py", "alpha = 1\n")])
    store.close()
    assert store.files() == {}
    assert not store.put([update("/a.py", "alpha = 2\n")])


def test_without_fts5_symbols_still_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "has_fts5", lambda connection: False)
    told: list[str] = []
    store = Store(tmp_path / "i.db", report=lambda kind, text: told.append(kind))
    assert store.put([update("/a.py", "def f(): pass\n")])
    assert store.query("SELECT name FROM symbol") == [("f",)]
    assert not store.has_text
    assert store.compact()
    assert store.remove(["/a.py"])
    assert told == ["fts5"]
    store.close()


def test_a_query_ends_when_it_is_told(tmp_path: Path) -> None:
    store = Store(tmp_path / "i.db")
    store.put([update(f"/{i}.py", "alpha = beta\n" * 3) for i in range(50)])
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    asked = 0

    def until() -> bool:
        nonlocal asked
        asked += 1
        return asked > 3

    assert store.query(endless, (), until) == []
    assert asked == 4
    assert store.count() == 50, "and the connection is as good as before"
    store.close()


def test_a_locked_file_is_told_not_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "_LOCK_WAIT_S", 0.05)
    told: list[str] = []
    store = Store(tmp_path / "i.db", report=lambda kind, text: told.append(text))
    store.put([update("/a.py", "alpha = 1\n")])
    other = sqlite3.connect(tmp_path / "i.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert not store.put([update("/b.py", "beta = 1\n")])
    assert list(store.files()) == ["/a.py"], "readers do not wait"
    other.execute("ROLLBACK")
    other.close()
    assert store.put([update("/b.py", "beta = 1\n")])
    assert len(told) == 1
    store.close()
