"""`sotto telemetry` as a user types it, on a store with known rows."""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import os
import sqlite3
import stat
from pathlib import Path

import pytest

from assistant.gate import rows as gate_rows
from lsp_server.commands import telemetry
from telemetry import schema
from telemetry.store import Store
from tests.telemetry.samples import SHOWN, STORY, TAKEN, opportunity


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = Store.open(tmp_path / "data")
    for event in STORY:
        store.record(event)
    for number in range(3):
        store.record(dataclasses.replace(SHOWN, id=f"N{number}", file_key=store.file_key(f"{number}.py")))
    assert store.close(30)
    assert store.problem == ""
    return store.path.parent


def sotto(folder: Path, *arguments: str, recording: bool = True) -> int:
    parser = argparse.ArgumentParser()
    telemetry.add(parser.add_subparsers())
    return telemetry.run(parser.parse_args(["telemetry", *arguments]), folder, recording)


def test_stats_for_people(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert sotto(folder, "stats") == 0
    told = capsys.readouterr().out
    assert "1 of 1: 100% (21% to 100%)" in told, "a rate has its n and its interval"
    assert "accepted 1" in told
    assert "2023-11-14" in told
    assert "DO_NOT_TRACK" not in told
    assert sotto(folder, "stats", recording=False) == 0
    assert "switched off by DO_NOT_TRACK" in capsys.readouterr().out


def test_stats_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sotto(folder, "stats", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["total"]["opportunities"], told["total"]["hidden"], told["total"]["shown"]) == (6, 1, 2)
    assert told["outcomes"] == {"none yet": 1, "accepted": 1}
    assert told["total"]["retained_30"] == 14
    assert (told["recording"], told["raw_days"], told["daily_days"]) == (True, 90, 400)


@pytest.mark.parametrize("kind", [["stats"], ["stats", "--json"], ["export"], ["export", "--gate"], ["erase", "--yes"]])
def test_nothing_recorded_is_no_mistake_and_makes_nothing(
    tmp_path: Path, kind: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert sotto(tmp_path / "none", *kind) == 0
    assert not (tmp_path / "none").exists()
    assert capsys.readouterr().err == ""


def test_export_is_the_schema_and_every_row(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sotto(folder, "export") == 0
    first, *rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert first["schema_version"] == schema.VERSION
    assert set(first["tables"]) == set(schema.TABLES)
    for row in rows:
        assert set(row) - {"table"} == set(first["tables"][row["table"]])
    (shown,) = [row for row in rows if row["table"] == "opportunity" and row["id"] == "O1"]
    assert shown["features"] == {"prefix_chars": 12.0}
    assert sum(row["table"] == "opportunity" for row in rows) == 6


def test_export_for_the_gates_bench_is_read_by_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sotto(folder, "export", "--gate") == 0
    found = {row.id: row for row in gate_rows.read(capsys.readouterr().out.splitlines())}
    assert len(found) == 6
    assert (found["O1"].outcome, found["O1"].accepted_chars, found["O1"].features) == ("accepted", 20, {"prefix_chars": 12.0})
    assert gate_rows.target(found["O1"]) == (1.0, 1.0)
    assert found["O3"].decision == "hide"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--kind", "inline", "--reason", "unsure"), {"O3"}),
        (("--reason", "sure"), {"O1", "N0", "N1", "N2"}),
        (("--reason", "shown"), {"O1", "O2", "N0", "N1", "N2"}),
        (("--kind", "review"), set()),
        (("--reason", "' OR 1 --"), set()),
    ],
)
def test_export_of_a_kind_or_a_reason(
    folder: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], expected: set[str]
) -> None:
    """The gate's own word is a reason too; what became of the chosen ones comes along, and nothing else."""
    assert sotto(folder, "export", *options) == 0
    _, *rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["id"] for row in rows if row["table"] == "opportunity"} == expected
    shown = {row["id"] for row in rows if row["table"] == "impression"}
    assert {row["opportunity"] for row in rows if row["table"] in ("impression", "exits")} <= expected
    assert {row["impression"] for row in rows if row["table"] in ("outcome", "retention")} <= shown
    assert {row["table"] for row in rows} <= {"opportunity", "exits", "impression", "outcome", "retention"}
    assert ("I1" in shown) == ("O1" in expected)
    assert sotto(folder, "export", "--gate", *options) == 0
    assert {json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()} == expected


def test_a_pause_holds_for_every_server_until_resumed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store.open(folder)
    assert sotto(folder, "pause") == 0
    store.record(opportunity())
    assert store.flush(30)
    assert sotto(folder, "stats", "--json") == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["recording"], told["total"]["opportunities"]) == (False, 6)
    assert sotto(folder, "resume") == 0
    store.record(opportunity())
    assert store.close(30)
    assert store.dropped == 0, "what is not wanted is not lost"
    assert sotto(folder, "stats", "--json") == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["recording"], told["total"]["opportunities"]) == (True, 1), "and what was over four hundred days old is gone"


def test_export_to_a_new_private_file(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "mine.jsonl"
    assert sotto(folder, "export", "--out", str(out)) == 0
    if os.name == "posix":
        assert stat.S_IMODE(out.stat().st_mode) == 0o600
    before = out.read_bytes()
    assert len(before.splitlines()) > 10
    assert sotto(folder, "export", "--out", str(out)) == 2
    assert "mine.jsonl exists" in capsys.readouterr().err
    assert out.read_bytes() == before


@pytest.mark.parametrize("answer", ["", "\n", "yes\n", "ERASE\n", "erase it\n"])
def test_erasing_wants_the_word(
    folder: Path, answer: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (folder / "telemetry.db").read_bytes()
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert sotto(folder, "erase") == 1
    told = capsys.readouterr()
    assert "6 recorded moments" in told.out
    assert "nothing was erased" in told.err
    assert (folder / "telemetry.db").read_bytes() == before


@pytest.mark.parametrize("yes", [True, False])
def test_erasing_leaves_no_trace(folder: Path, yes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with sqlite3.connect(folder / "telemetry.db") as db:
        keys = [key for (key,) in db.execute("SELECT file_key FROM opportunity WHERE file_key <> ''")]
    db.close()
    secret = (folder / "file_key").read_bytes()
    raw = (folder / "telemetry.db").read_bytes()
    assert len(keys) == 3
    assert keys[0].encode() in raw
    for copy in (
        "telemetry.db.spool",
        "telemetry.db.v1.backup",
        "telemetry.db.corrupt",
        "gate.json",
        "gate-1.json",
        "review.json",
    ):
        (folder / copy).write_bytes(raw + secret)
    monkeypatch.setattr("sys.stdin", io.StringIO("erase\n"))
    assert sotto(folder, "erase", *(["--yes"] if yes else [])) == 0
    left = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    for trace in (*map(str.encode, keys), secret, TAKEN.impression.encode() + b"accepted", b"prefix_chars"):
        assert trace not in left
    assert {path.name for path in folder.iterdir() if path.stat().st_size} == {"telemetry.db"}


def test_a_file_that_cannot_be_read_is_one_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "telemetry.db").write_bytes(b"garbage" * 1000)
    assert sotto(folder, "stats") == 2
    assert "move the file away" in capsys.readouterr().err


def test_a_file_of_a_later_version_is_not_erased(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect(folder / "telemetry.db") as db:
        db.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    db.close()
    assert sotto(folder, "erase", "--yes") == 2
    assert "update Sotto" in capsys.readouterr().err


def test_a_held_file_says_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("telemetry.connection.BUSY_S", 0.05)
    other = sqlite3.connect(folder / "telemetry.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert sotto(folder, "erase", "--yes") == 2
    assert "close your editors" in capsys.readouterr().err
    other.close()
