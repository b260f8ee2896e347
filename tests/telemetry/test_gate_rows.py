"""The learner's rows: exact values, every opportunity once, and a file that stays free while they are read."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from telemetry import queries
from telemetry.events import LABELS, Impression, Outcome, Retention
from telemetry.store import Store
from tests.telemetry.samples import CACHED, HIDDEN, SEEN, SEEN_TOO, SHOWN, TAKEN, opportunity

JUDGED = dataclasses.replace(
    SHOWN, features={"prefix_chars": 12.0, "relative": 1 / 3}, feature_version=3, gate="G7", stage=2, p1=0.25, p2=0.75,
    threshold=0.5, propensity=0.05, explored=True, draw=0.01, why="explored",
)  # fmt: skip


def stored(store: Store, *events: object) -> list[queries.GateRow]:
    for event in events:
        store.record(event)  # type: ignore[arg-type]
    assert store.flush(10)
    assert store.problem == ""
    return list(queries.gate_rows(store.path))


def test_a_shown_and_taken_one_has_everything(store: Store) -> None:
    kept = Retention("I1", 120, 1, 1.0, 15, 20)
    (row,) = stored(store, JUDGED, SEEN, TAKEN, kept)
    assert row == queries.GateRow(
        id="O1", session="S1", ts_ms=1_700_000_001_000, mono_ms=1000.5, kind="inline", language="python", trigger="automatic",
        model=SHOWN.model, gate="G7", features={"prefix_chars": 12.0, "relative": 1 / 3}, feature_version=3, stage=2, p1=0.25,
        p2=0.75, threshold=0.5, decision="show", reason="shown", why="explored", rule="",
        propensity=0.05, explored=True, shown=True, n_chars=20,
        outcome="accepted", visible_ms=810.0, accepted_chars=20, retained=0.75, label=1, weight=1.0,
    )  # fmt: skip


def test_hides_and_what_is_still_open_have_no_label(store: Store) -> None:
    rows = stored(store, HIDDEN, CACHED, SEEN_TOO)
    assert [(row.id, row.shown, row.outcome, row.label, row.weight, row.retained) for row in rows] == [
        ("O2", True, "", None, 0.0, None),
        ("O3", False, "", None, 0.0, None),
    ]


@pytest.mark.parametrize("kind", [*LABELS, "unread", "censored"])
def test_labels(store: Store, kind: str) -> None:
    (row,) = stored(store, SHOWN, SEEN, dataclasses.replace(TAKEN, kind=kind))
    expected = {
        "accepted": (1, 1.0), "accepted_line": (1, 1.0), "accepted_word": (1, 1.0), "typed_through": (1, 1.0),
        "resolved": (1, 1.0), "rejected": (0, 1.0), "undone": (0, 1.0), "superseded": (0, 0.3), "ignored": (0, 0.3),
        "unread": (None, 0.0), "censored": (None, 0.0),
    }  # fmt: skip
    assert (row.label, row.weight) == expected[kind]


def test_since_and_chunks_give_every_row_once_in_order(store: Store) -> None:
    """Many share a millisecond, at the edge of a chunk too."""
    for number in range(100):
        store.record(opportunity(1000 + number // 7))
        if number % 10 == 0:
            assert store.flush(10)
    assert store.flush(10)
    rows = list(queries.gate_rows(store.path, chunk=9))
    assert len({row.id for row in rows}) == 100
    assert [row.ts_ms for row in rows] == sorted(row.ts_ms for row in rows)
    assert [row.ts_ms for row in queries.gate_rows(store.path, since=1010, chunk=4)] == [1000 + n // 7 for n in range(70, 100)]


def test_a_server_writes_while_a_learner_reads(store: Store) -> None:
    for number in range(50):
        store.record(opportunity(1000 + number))
    assert store.flush(10)
    found = []
    for row in queries.gate_rows(store.path, chunk=10):
        found.append(row)
        store.record(opportunity(2000 + len(found)))
        if len(found) % 10 == 5 and len(found) < 100:
            assert store.flush(10), "the reader holds the file"
        if len(found) >= 60:
            break
    assert store.dropped == 0
    assert [row.ts_ms for row in found[:51]] == [*range(1000, 1050), 2001]


def test_nothing_is_there(tmp_path: Path) -> None:
    assert list(queries.gate_rows(tmp_path / "telemetry.db")) == []


def test_an_impression_without_an_opportunity_is_no_row(store: Store) -> None:
    assert stored(store, Impression("I9", "gone", 1, 1.0, 1, 1), Outcome("I9", "accepted", 1, 1.0)) == []
