"""Migrations: in order, all or nothing, with a copy of what was there before."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlite_utils import Database, Migrations

from telemetry import connection, migrations, queries, schema
from telemetry.store import Store
from tests.telemetry.samples import opportunity

ROOT = Path(__file__).parents[2]


def next_version(fail: bool = False) -> Migrations:
    """The real steps, and two of a later version."""
    steps = Migrations("sotto")
    steps(name="0001_suggestions")(migrations._suggestions)

    @steps(name="0002_colour")
    def _colour(db: Database) -> None:
        db.execute("ALTER TABLE opportunity ADD COLUMN colour TEXT")

    @steps(name="0003_fill")
    def _fill(db: Database) -> None:
        db.execute("UPDATE opportunity SET colour = 'red'")
        if fail:
            raise sqlite3.OperationalError("database or disk is full")

    return steps


@pytest.fixture
def path(tmp_path: Path) -> Path:
    store = Store.open(tmp_path)
    store.record(opportunity())
    assert store.close(30)
    return store.path


def applied(path: Path) -> tuple[int, list[str]]:
    with connection.reading(path) as reader:
        names = [row[0] for row in reader.execute("SELECT name FROM _sqlite_migrations ORDER BY id")]
        return reader.execute("PRAGMA user_version").fetchone()[0], names


def test_the_version_counts_the_steps_and_each_is_recorded(path: Path) -> None:
    assert applied(path) == (schema.VERSION, [step.name for step in migrations.STEPS._migrations])
    assert len(migrations.STEPS._migrations) == schema.VERSION
    assert not list(path.parent.glob("*.backup")), "an empty file needs no copy"


def test_tables_are_strict_where_sqlite_can(path: Path) -> None:
    with connection.reading(path) as reader:
        tables = {row[0]: row[1] for row in reader.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")}
    assert set(schema.TABLES) <= set(tables)
    if sqlite3.sqlite_version_info >= (3, 37):
        assert all(tables[name].rstrip().endswith("STRICT") for name in schema.TABLES)


OLD_SQLITE = """
import pathlib, sqlite3, sys
sqlite3.sqlite_version_info = (3, 36, 0)
from telemetry.store import Store
from tests.telemetry.samples import STORY
store = Store.open(pathlib.Path(sys.argv[1]))
for event in STORY:
    store.record(event)
assert store.close(30) and store.problem == "" and store.dropped == 0, store.problem
"""


def test_an_sqlite_without_strict_tables_gets_ordinary_ones(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", OLD_SQLITE, str(tmp_path)], cwd=ROOT, check=True, timeout=60)
    with connection.reading(tmp_path / "telemetry.db") as reader:
        assert not [row for row in reader.execute("SELECT sql FROM sqlite_master WHERE sql LIKE '%STRICT'")]
    assert queries.summary(tmp_path / "telemetry.db").outcomes == {"accepted": 1, "pending": 1}


def test_an_old_file_is_copied_then_brought_forward(path: Path) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    migrations.apply(db, path, next_version(), 3)
    migrations.apply(db, path, next_version(), 3)
    assert db.execute("SELECT colour FROM opportunity").fetchall() == [("red",)]
    db.close()
    assert applied(path) == (3, ["0001_suggestions", "0002_colour", "0003_fill"])
    copy = migrations.backup_path(path, schema.VERSION)
    assert applied(copy) == (schema.VERSION, ["0001_suggestions"])
    assert copy.stat().st_mode & 0o077 == 0


def test_a_failing_step_leaves_the_file_as_it_was(path: Path) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="full"):
        migrations.apply(db, path, next_version(fail=True), 3)
    assert [row[1] for row in db.execute("PRAGMA table_info(opportunity)")].count("colour") == 0
    db.close()
    assert applied(path) == (schema.VERSION, ["0001_suggestions"])
