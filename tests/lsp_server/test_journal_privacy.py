"""Marks planted in documents, names and suggestions reach no byte that the store writes: database, journals, spool, export."""

from __future__ import annotations

import itertools
import json
import socket
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistant.types import Completion, Confidence, ModelInfo, Reason, Ruling, Snapshot, Source, Suggestion, Timings
from lsp_server.journal import Journal
from telemetry import connection, queries, retention, spool
from telemetry.ids import new_id
from telemetry.store import Store

MARK = "zqxmarker"
TEXT = f"import {MARK}\nURL = 'https://{MARK}.example/{MARK}?q=1'\nclass {MARK.title()}:  # {MARK}\n    "
URI = f"file:///home/{MARK}/{MARK}-repo/{MARK}.py"


@pytest.fixture(autouse=True)
def _no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the record of suggestions opened a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def play(journal: Journal, clock: Clock, reasons: list[Reason]) -> None:
    """A session in which every kind of row is written, with marks wherever text comes in."""
    journal.begin("an editor", "1.0", "0.1")
    journal.model(ModelInfo("tiny", "sotto", 9, 10, "ab" * 32, "int8", 1, f"/home/{MARK}/models", 0.0))
    journal.gate("G1", "logistic", json.dumps({"weights": {"chars": 0.5}, "n": 3}), 3, {"auc": 0.8})
    for number in itertools.count():
        reason = reasons[number] if number < len(reasons) else Reason.SHOWN
        ghost = f"def {MARK}_{number}(self):"
        text = TEXT + f"# {number}\n    "
        snapshot = Snapshot(URI, "python", text, len(text), path=URI[7:], root=f"/home/{MARK}/{MARK}-repo")
        suggestion = Suggestion(new_id(), ghost, ghost, len(text), len(text), Source.MODEL, Confidence(-0.5, -1.0, 3))
        shown = suggestion if reason is Reason.SHOWN else None
        completion = Completion(reason, shown, Timings(1, 2, 3, 4, 5), 6, 7, 8, {"chars": 3.0, TEXT: 1.0})
        ruling = Ruling("G1", 1, 0.2, 0.9, 0.3, 2, propensity=0.05, explored=True, draw=0.01, why=TEXT)
        journal.answered(snapshot, replace(completion, ruling=ruling))
        clock.now += 2
        if shown is not None:
            what = ("take", "refuse", "part", "type", "ignore")[number % 5]
            journal.changed(URI, text + {"take": ghost, "refuse": "!", "part": ghost[:4], "type": "d"}.get(what, ""))
        clock.now += 40
        journal.tick()
        if number > len(reasons) + 10:
            break
    journal.closed(URI)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_clean(files: dict[str, bytes]) -> None:
    assert files
    for name, data in files.items():
        for form in (MARK, MARK.title(), "example/", "home/"):
            for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
                assert form.encode(encoding) not in data, (name, form)


@pytest.mark.parametrize("wal", [True, False])
def test_no_mark_in_the_database_or_its_journals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wal: bool) -> None:
    monkeypatch.setattr(connection, "wal_is_safe", lambda version: wal)
    clock = Clock()
    store = Store.open(tmp_path / "data")
    journal = Journal(store, new_id, clock)
    play(journal, clock, list(Reason))
    assert store.flush(30)
    files = bytes_of(store.path.parent)
    assert ("telemetry.db-wal" in files) is wal
    assert_clean(files)
    play(journal, clock, [])
    journal.end("exit")
    assert store.close(30)
    assert (store.problem, store.dropped) == ("", 0)
    assert_clean(bytes_of(store.path.parent))
    found = queries.summary(store.path)
    assert {"accepted", "rejected", "accepted_word", "ignored"} <= set(found.outcomes)
    assert_clean({"export": json.dumps(list(retention.export(store.path))).encode()})
    assert_clean({"gate": repr(list(queries.gate_rows(store.path))).encode()})


def test_no_mark_in_a_hot_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of a transaction that has spilled to the disk."""
    monkeypatch.setattr(connection, "wal_is_safe", lambda version: False)
    clock = Clock()
    store = Store.open(tmp_path / "data")
    play(Journal(store, new_id, clock), clock, list(Reason))
    assert store.close(30)
    with closing(connection.open_for_writing(store.path)) as writer:
        writer.execute("PRAGMA cache_size = 1")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE opportunity SET reason = 'x'")
        files = bytes_of(store.path.parent)
        writer.execute("ROLLBACK")
    assert len(files["telemetry.db-journal"]) > 512
    assert_clean(files)


def test_no_mark_in_the_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BUSY_S", 0.05)
    clock = Clock()
    first = Store.open(tmp_path / "data")
    Journal(first, new_id, clock).begin("an editor", "1", "2")
    assert first.close(30)
    with closing(sqlite3.connect(first.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        store = Store.open(tmp_path / "data")
        play(Journal(store, new_id, clock), clock, list(Reason))
        assert store.close(0.2)
        assert store._thread is not None
        store._thread.join(30)
        other.execute("ROLLBACK")
    assert spool.path_of(store.path).stat().st_size > 1000
    assert_clean(bytes_of(store.path.parent))


def test_excluded_files_leave_no_key_and_others_an_hmac_under_a_key_kept_outside(tmp_path: Path) -> None:
    clock = Clock()
    store = Store.open(tmp_path / "data")
    play(Journal(store, new_id, clock), clock, [Reason.EXCLUDED, Reason.EMPTY])
    assert store.close(30)
    with closing(sqlite3.connect(store.path)) as db:
        keys = dict(db.execute("SELECT reason, file_key FROM opportunity"))
    assert keys["excluded"] == ""
    assert keys["empty"] == Store.open(tmp_path / "data").file_key(f"{MARK}-repo/{MARK}.py")
    assert keys["empty"] != Store.open(tmp_path / "other").file_key(f"{MARK}-repo/{MARK}.py")
    assert (tmp_path / "data" / "file_key").read_bytes() not in store.path.read_bytes()


def test_the_writing_is_done_by_no_thread_but_the_stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never on the event loop: recording, deciding outcomes and switching off open no database."""
    threads = []
    connect = sqlite3.connect

    def noted(*arguments: Any, **options: Any) -> sqlite3.Connection:
        threads.append(threading.current_thread().name)
        made: sqlite3.Connection = connect(*arguments, **options)
        return made

    monkeypatch.setattr(sqlite3, "connect", noted)
    clock = Clock()
    store = Store.open(tmp_path / "data")
    journal = Journal(store, new_id, clock)
    play(journal, clock, list(Reason))
    store.enabled = False
    journal.end("exit")
    assert store.close(30)
    assert threads
    assert set(threads) == {"telemetry"}
