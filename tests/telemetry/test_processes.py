"""Several servers on one file: starting at once, killed in mid-write, read meanwhile."""

from __future__ import annotations

import shutil
import sqlite3
import sys
import threading
import time
from pathlib import Path

import pytest

from telemetry import connection, queries
from telemetry.store import Store
from tests.telemetry.samples import opportunity
from tests.telemetry.servers import check, go, start


@pytest.mark.parametrize("attempt", range(2))
def test_four_servers_at_once_make_one_store_and_lose_nothing(tmp_path: Path, attempt: int) -> None:
    processes = [start(tmp_path / "data", 50, 10) for _ in range(4)]
    for process in processes:
        go(process)
    heard = [process.communicate(timeout=60)[0].split("\n") for process in processes]
    assert [lines[-2] for lines in heard] == ["end 0 "] * 4
    assert len({lines[0] for lines in heard}) == 1, "one key"
    acknowledged = [line for lines in heard for line in lines[1:-2]]
    assert len(acknowledged) == 200
    assert check(tmp_path / "data" / "telemetry.db") == set(acknowledged)


def test_a_reader_sees_whole_batches_while_the_writer_works(store: Store) -> None:
    stop = threading.Event()
    counts: list[int] = []

    def read() -> None:
        while not stop.is_set():
            counts.append(queries.summary(store.path).opportunities)

    store.record(opportunity())
    assert store.flush(10)
    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(30):
        for _ in range(20):
            store.record(opportunity())
        read_before = len(counts)
        assert store.flush(30)
        while len(counts) == read_before and reader.is_alive():
            time.sleep(0.001)
    stop.set()
    reader.join()
    assert store.dropped == 0
    assert counts == sorted(counts)
    assert len(counts) >= 30
    assert queries.summary(store.path).opportunities == 601


def test_a_writer_waits_for_another_that_holds_the_file_and_loses_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_S", 0.05)
    store.record(opportunity())
    assert store.flush(10)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    store.record(opportunity())
    flushed: list[bool] = []
    waiter = threading.Thread(target=lambda: flushed.append(store.flush(60)))
    waiter.start()
    assert not store.flush(0.1)
    while not store.problem:
        time.sleep(0.05)
    assert "another process" in store.problem
    time.sleep(1)  # all three attempts have failed; the flush still waits
    assert flushed == []
    other.execute("COMMIT")
    other.close()
    waiter.join()
    assert flushed == [True]
    assert (store.problem, store.dropped) == ("", 0)
    assert queries.summary(store.path).opportunities == 2


@pytest.mark.skipif(sys.platform == "win32", reason="copies files that are open")
def test_a_reader_undoes_what_a_killed_writer_left_half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hot journal, made without luck: the files are copied in the middle of a transaction that has spilled to the disk."""
    monkeypatch.setattr(connection, "wal_is_safe", lambda version: False)
    store = Store.open(tmp_path / "data")
    for _ in range(300):
        store.record(opportunity())
    assert store.close(30)
    writer = connection.open_for_writing(store.path)
    writer.execute("PRAGMA cache_size = 1")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM opportunity")
    copy = tmp_path / "copy"
    shutil.copytree(store.path.parent, copy)
    assert (copy / "telemetry.db-journal").stat().st_size > 0
    assert queries.summary(copy / store.path.name).opportunities == 300
    writer.execute("ROLLBACK")
    writer.close()
