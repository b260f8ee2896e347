"""A broken disk never reaches the caller: corrupt, newer, full, missing or moved files are survived, and said."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry import connection, disk, queries, schema
from telemetry.store import Store
from tests.telemetry.samples import opportunity

ROOT = Path(__file__).parents[2]


def filled(folder: Path, count: int = 300) -> Path:
    store = Store.open(folder)
    for _ in range(count):
        store.record(opportunity())
    assert store.close(30)
    assert store.problem == ""
    return store.path


@pytest.mark.parametrize("garbage", [b"not a database at all" * 100, b"\x00" * 5000])
def test_a_file_that_is_no_database_is_set_aside(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "telemetry.db"
    path.write_bytes(garbage)
    store = Store.open(tmp_path)
    store.record(opportunity())
    assert store.close(30)
    assert queries.summary(path).opportunities == 1
    assert (tmp_path / "telemetry.db.corrupt").read_bytes() == garbage
    assert (store.problem, store.dropped) == ("", 0)


@pytest.mark.parametrize("looked_at", [0, connection.CHECKED_BYTES])
def test_damaged_pages_are_found_at_the_next_start_or_the_next_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looked_at: int
) -> None:
    """A file too large to be looked through at the start (here: any) shows its damage when written to."""
    monkeypatch.setattr(connection, "CHECKED_BYTES", looked_at)
    path = filled(tmp_path)
    with path.open("r+b") as file:
        file.seek(81920)  # behind the schema, in the rows
        file.write(os.urandom(path.stat().st_size - 81920))
    store = Store.open(tmp_path)
    store.record(opportunity())
    assert store.close(30)
    assert queries.summary(path).opportunities == 1
    assert (tmp_path / "telemetry.db.corrupt").exists()


def test_damage_under_a_running_writer_costs_no_new_event(tmp_path: Path) -> None:
    path = filled(tmp_path)
    store = Store.open(tmp_path)
    store.record(opportunity())
    assert store.flush(30)
    with path.open("r+b") as file:
        file.seek(0)
        file.write(os.urandom(path.stat().st_size))
    store.record(opportunity())
    assert store.close(30)
    assert queries.summary(path).opportunities == 1
    assert (store.problem, store.dropped) == ("", 0)


def test_a_newer_schema_is_left_alone_and_said(tmp_path: Path) -> None:
    path = filled(tmp_path, 3)
    newer = sqlite3.connect(path)
    newer.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    newer.close()
    before = path.read_bytes()
    store = Store.open(tmp_path)
    store.record(opportunity())
    store.record(opportunity())
    assert store.close(30)
    assert path.read_bytes() == before
    assert "update Sotto" in store.problem
    assert store.dropped == 2
    assert queries.summary(path).opportunities == 3


def test_a_folder_that_cannot_be_made_gives_a_store_that_drops_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = Store.open(tmp_path / "file" / "data")
    assert "telemetry is not being recorded" in store.problem
    store.record(opportunity())
    assert len(store.file_key("a.py")) == 16
    assert store.close(30)
    assert store.dropped == 1
    assert "writable" in store.problem


def test_a_store_whose_file_is_moved_away_makes_a_new_one(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    store.record(opportunity())
    assert store.flush(30)
    store.path.rename(tmp_path / "moved.db")
    store.record(opportunity())
    assert store.close(30)
    assert queries.summary(store.path).opportunities == 1
    assert queries.summary(tmp_path / "moved.db").opportunities == 1


FULL = """
import resource, signal, sys, pathlib
from telemetry.store import Store
from tests.telemetry.samples import opportunity
store = Store.open(pathlib.Path(sys.argv[1]))
store.record(opportunity())
assert store.flush(30) and store.problem == "", store.problem
size = store.path.stat().st_size
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 4096, hard))
for _ in range(500):
    store.record(opportunity())
assert store.flush(30)
assert store.dropped == 500, store.dropped
assert "not being recorded" in store.problem and "space" in store.problem, store.problem
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
store.record(opportunity())
assert store.close(30) and store.problem == "" and store.dropped == 500, store.problem
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_full_disk_drops_says_so_and_recovers(tmp_path: Path) -> None:
    """The limit on file sizes makes the system refuse to write, as a full disk does, at an address SQLite did not choose."""
    subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], cwd=ROOT, check=True, timeout=120)
    assert queries.summary(tmp_path / "telemetry.db").opportunities == 2


def test_wal_only_where_its_bug_is_fixed() -> None:
    safe = [(3, 51, 3), (3, 52, 0), (3, 50, 7), (3, 44, 6)]
    unsafe = [(3, 51, 2), (3, 51, 0), (3, 50, 6), (3, 49, 9), (3, 45, 0), (3, 44, 5), (3, 40, 1)]
    assert [connection.wal_is_safe(version) for version in safe] == [True] * 4
    assert [connection.wal_is_safe(version) for version in unsafe] == [False] * 7


def test_network_file_systems_are_told_by_their_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/sda1 / ext4 rw 0 0\nhost:/x /mnt/home nfs4 rw 0 0\n/dev/sdb /mnt/home/fast xfs rw 0 0\n")
    found = [
        disk.on_network(Path(p), mounts) for p in ("/home/a.db", "/mnt/home/a.db", "/mnt/home/fast/a.db", "/mnt/homes/a.db")
    ]
    assert found == [False, True, False, False]
    assert not disk.on_network(tmp_path / "a.db", tmp_path / "no such list")


@pytest.mark.parametrize("safe", [True, False])
def test_the_journal_mode_follows_and_rows_survive_the_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, safe: bool
) -> None:
    monkeypatch.setattr(connection, "wal_is_safe", lambda version: not safe)
    filled(tmp_path, 3)
    monkeypatch.setattr(connection, "wal_is_safe", lambda version: safe)
    path = filled(tmp_path, 3)
    reopened = connection.open_for_writing(path)
    assert reopened.execute("PRAGMA journal_mode").fetchone() == ("wal" if safe else "truncate",)
    reopened.close()
    assert queries.summary(path).opportunities == 6


def test_an_unreadable_file_is_told_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.db"
    assert queries.summary(path) == queries.Summary()
    path.touch()
    assert queries.summary(path) == queries.Summary()
    path.write_bytes(b"garbage" * 1000)
    with pytest.raises(connection.UnreadableError, match="move the file away"):
        queries.summary(path)
