"""A server that ends while another holds the file leaves its last events beside it; the next start takes them in."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from telemetry import connection, queries, spool
from telemetry.store import Store
from tests.telemetry.samples import HIDDEN, KEPT, PART, SHOWN, opportunity, story_of_today


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Another process is writing, and does not come to an end."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(connection, "BUSY_S", 0.05)
    store = Store.open(tmp_path)
    store.record(opportunity())
    assert store.close(30)
    return store.path


def closed_under_lock(path: Path, timeout: float = 0.2) -> Store:
    store = Store.open(path.parent)
    with held(path):
        for event in story_of_today():
            store.record(event)
        assert store.close(timeout)
        if store._thread is not None:
            store._thread.join(30)
    return store


@pytest.mark.parametrize("timeout", [0.2, 10.0])
def test_what_could_not_be_committed_is_there_after_the_next_start(path: Path, timeout: float) -> None:
    """Both when the closing server could not wait, and when its writer gave up by itself."""
    store = closed_under_lock(path, timeout)
    assert store.dropped == 0
    if os.name == "posix":
        assert stat.S_IMODE(spool.path_of(path).stat().st_mode) == 0o600
    assert queries.summary(path).opportunities == 1
    later = Store.open(path.parent)
    later.record(opportunity())
    assert later.close(30)
    found = queries.summary(path)
    assert (found.opportunities, found.outcomes) == (5, {"accepted": 1, "pending": 1})
    assert not spool.path_of(path).exists()
    assert (later.problem, later.dropped) == ("", 0)


def test_what_was_committed_as_well_as_spooled_is_there_once(path: Path) -> None:
    story = story_of_today()
    assert spool.put(path, [*story, *story]) == 0
    for _ in range(2):
        store = Store.open(path.parent)
        for event in story:
            store.record(event)
        assert store.close(30)
    assert queries.summary(path).opportunities == 4
    assert queries.summary(path).outcomes == {"accepted": 1, "pending": 1}


def test_events_come_back_as_they_went(path: Path) -> None:
    odd = dataclasses.replace(SHOWN, p1=0.25, draw=0.5, explored=True, features={"a": 1.5})
    assert spool.put(path, [odd, PART, KEPT]) == 0
    assert spool.take(path) == [odd, PART, KEPT]


def test_lines_that_a_dying_process_cut_short_are_skipped(path: Path) -> None:
    spool.put(path, [SHOWN, HIDDEN])
    file = spool.path_of(path)
    file.write_bytes(b'{"event":"Opp\n[1]\nnull\n{"event":"Path"}\n\xff\n' + file.read_bytes()[:-9])
    assert [event.id for event in spool.take(path)] == ["O1"]  # type: ignore[union-attr]


def test_the_spool_refuses_what_the_tables_refuse(path: Path) -> None:
    secret = "/home/someone/launch_codes.py"
    careless = [
        dataclasses.replace(SHOWN, file_key=secret),
        dataclasses.replace(SHOWN, reason="def launch_codes():"),
        dataclasses.replace(HIDDEN, features={secret: 1.0, "good": 2.0}),
    ]
    assert spool.put(path, careless) == 2
    assert b"launch" not in spool.path_of(path).read_bytes()
    (kept,) = spool.take(path)
    assert kept == dataclasses.replace(HIDDEN, features={"good": 2.0})


def test_a_spool_does_not_grow_without_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "LIMIT_BYTES", 2000)
    assert [spool.put(path, [SHOWN]) for _ in range(5)][-1] == 1
    assert spool.path_of(path).stat().st_size <= 2000
