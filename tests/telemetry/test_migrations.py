"""Migrations: in order, all or nothing, with a copy of what was there before."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlite_utils import Database, Migrations

from telemetry import connection, migrations, panels, queries, retention, schema
from telemetry.store import Store
from tests.telemetry.samples import opportunity
from tests.telemetry.servers import go, start

ROOT = Path(__file__).parents[2]
STEPS = ["0001_suggestions", "0002_gate_loop", "0003_reasons"]


def next_version(fail: bool = False) -> Migrations:
    """The real steps, and two of a later version."""
    steps = Migrations("sotto")
    for step in migrations.STEPS._migrations:
        steps(name=step.name)(step.fn)

    @steps(name="0004_colour")
    def _colour(db: Database) -> None:
        db.execute("ALTER TABLE opportunity ADD COLUMN colour TEXT")

    @steps(name="0005_fill")
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
    migrations.apply(db, path, next_version(), 5)
    migrations.apply(db, path, next_version(), 5)
    assert db.execute("SELECT colour FROM opportunity").fetchall() == [("red",)]
    db.close()
    assert applied(path) == (5, [*STEPS, "0004_colour", "0005_fill"])
    copy = migrations.backup_path(path, schema.VERSION)
    assert applied(copy) == (schema.VERSION, STEPS)
    assert copy.stat().st_mode & 0o077 == 0


def test_a_failing_step_leaves_the_file_as_it_was(path: Path) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="full"):
        migrations.apply(db, path, next_version(fail=True), 5)
    assert [row[1] for row in db.execute("PRAGMA table_info(opportunity)")].count("colour") == 0
    db.close()
    assert applied(path) == (schema.VERSION, STEPS)


def first_version(path: Path, rows: int, start_ms: int = 1_700_000_000_000) -> None:
    """A store as version 1 left it: opportunities a minute apart, one impression with its outcome, and one folded day."""
    steps = Migrations("sotto")
    steps(name=STEPS[0])(migrations._suggestions)
    db = sqlite3.connect(path, isolation_level=None)
    migrations.apply(db, path, steps, 1)
    db.execute("BEGIN")
    old = "INSERT INTO opportunity VALUES(?, 1, 'S1', ?, 1, 'inline', 'go', '', 'automatic', '', '', '{}', NULL, NULL, NULL, "
    for number in range(rows):
        at = start_ms + number * 60_000
        db.execute(old + "'show', 'shown', 1, 0, 0, 0, 0, 0, 5, 1, 1, 1, 0)", (f"O{number}", at))
    db.execute("INSERT INTO impression VALUES('I0', 1, 'O0', 1, 1, 9, 1, 1, NULL, NULL, 0, 'model', 'inferred')")
    db.execute("INSERT INTO outcome VALUES('I0', 1, 1, 'accepted', 1, 1, 800, 9, 1, 'command')")
    db.execute(
        "INSERT INTO daily VALUES('2023-08-01', 'inline', 'go', 'm', 'show', 'shown', 'accepted', 1, 7, 7, 70, 60, 6, 1, 2)"
    )
    db.execute("COMMIT")
    db.close()


def second_version(path: Path, rows: int, start_ms: int) -> None:
    """A store of version 2 over one of version 1: its raw rows to be counted, and a folded day of before."""
    first_version(path, rows, start_ms)
    steps = Migrations("sotto")
    for name, step in zip(STEPS, (migrations._suggestions, migrations._gate_loop), strict=False):
        steps(name=name)(step)
    db = sqlite3.connect(path, isolation_level=None)
    migrations.apply(db, path, steps, 2)
    db.execute("UPDATE opportunity SET p2 = 0.4, stage = 2")
    db.close()
    migrations.backup_path(path, 1).unlink()


def test_a_file_of_version_2_keeps_its_rows_and_the_counts_whose_rows_are_gone(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.db"
    second_version(path, 50, 1_700_000_000_000)
    assert queries.summary(path).opportunities == 50
    assert applied(path) == (3, STEPS)
    assert applied_in_copy(migrations.backup_path(path, 2)) == 2
    assert [(day, row.opportunities, row.accepted, row.kept) for day, row in panels.days(path).items()] == [
        ("2023-08-01", 7, 7, 0),
        ("2023-11-14", 50, 1, 0),
    ]
    assert {(row.why, row.rule) for row in queries.gate_rows(path)} == {("", "")}
    assert panels.by(path, "why")[""].opportunities == 57


def test_four_servers_that_meet_a_file_of_version_2_migrate_it_once(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.db"
    second_version(path, 100, int(time.time() * 1000) - 3 * retention.DAY_MS)
    processes = [start(tmp_path, 20, 5) for _ in range(4)]
    for process in processes:
        go(process)
    heard = [process.communicate(timeout=60)[0].split("\n") for process in processes]
    assert [lines[-2] for lines in heard] == ["end 0 "] * 4
    assert applied(path) == (3, STEPS)
    assert queries.summary(path).opportunities == 180
    assert panels.total(path).opportunities == 180, "the folded day is over four hundred days old"


def test_a_file_of_version_1_keeps_its_rows_and_gets_its_counts(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.db"
    first_version(path, 100)
    assert queries.summary(path).outcomes == {"accepted": 1}
    assert applied(path) == (3, STEPS)
    assert applied_in_copy(migrations.backup_path(path, 1)) == 1
    counted = panels.days(path)
    assert [(day, row.opportunities, row.accepted) for day, row in counted.items()] == [
        ("2023-08-01", 7, 7),
        ("2023-11-14", 100, 1),
    ]
    (first,) = [row for row in queries.gate_rows(path) if row.id == "O0"]
    assert (first.label, first.stage, first.feature_version, first.features) == (1, 0, 0, {})


def applied_in_copy(path: Path) -> int:
    """The version of a copy, read without bringing it forward."""
    copy = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    (version,) = copy.execute("PRAGMA user_version").fetchone()
    copy.close()
    return int(version)


def test_four_servers_that_meet_an_old_file_migrate_it_once(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.db"
    first_version(path, 200, int(time.time() * 1000) - 120 * retention.DAY_MS)
    processes = [start(tmp_path, 20, 5) for _ in range(4)]
    for process in processes:
        go(process)
    heard = [process.communicate(timeout=60)[0].split("\n") for process in processes]
    assert [lines[-2] for lines in heard] == ["end 0 "] * 4
    assert applied(path) == (3, STEPS)
    assert queries.summary(path).opportunities == 80, "what is over ninety days old is a count now"
    assert panels.total(path).opportunities == 280


def test_a_server_of_version_1_goes_on_writing_into_a_newer_file(path: Path) -> None:
    """Two editors, one of them not yet restarted after an update."""
    old = sqlite3.connect(path, isolation_level=None)
    columns = (
        "id, schema_version, session, ts_ms, mono_ms, kind, language, file_key, trigger, model, gate, features, p1, p2, "
        "threshold, decision, reason, propensity, explored, t_wait, t_context, t_prefill, t_decode, t_total, prompt_tokens, "
        "reused_tokens, new_tokens, cancelled"
    )
    values = (
        "'O7', 1, 'S', 1700000000000, 1, 'inline', '', '', 'automatic', '', '', '{}', NULL, NULL, NULL, 'show', 'shown', 1, 0"
    )
    old.execute(f"INSERT INTO opportunity({columns}) VALUES({values}, 0, 0, 0, 0, 5, 1, 1, 1, 0)")
    old.close()
    assert queries.summary(path).opportunities == 2
