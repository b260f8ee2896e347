"""The counts are what a scan of the raw rows says, however the rows came; a dashboard never scans them."""

from __future__ import annotations

import itertools
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry import aggregates, connection, panels, queries, retention
from telemetry.events import LABELS, Event, Impression, Opportunity, Outcome, Retention
from telemetry.writer import Writer

HOUR = 3_600_000
START = 1_700_002_800_000 - 1_700_002_800_000 % HOUR

CHOICES = st.tuples(
    st.integers(0, 4),  # hours after the start
    st.sampled_from(["python", "go"]),
    st.sampled_from(["show", "hide", "skip"]),
    st.sampled_from(["", "accepted", "rejected", "unread", "superseded", "typed_through"]),
    st.sampled_from([None, 0.0, 0.25, 0.999, 1.0]),
    st.sampled_from([0.0, 0.3, 7.99, 8.0, 31.0, 500.0, 1e9]),
    st.sampled_from([1.0, 0.05]),
)


def events_of(number: int, choice: tuple[Any, ...]) -> list[Event]:
    hour, language, decision, kind, p2, total, propensity = choice
    at = START + hour * HOUR + number
    opportunity = Opportunity(
        f"O{number}", "S", at, 1.0, language=language, decision=decision, reason="shown", p1=0.5, p2=p2, t_total=total,
        new_tokens=number % 3, propensity=propensity, explored=propensity < 1, gate="G1",
    )  # fmt: skip
    if decision != "show":
        return [opportunity]
    seen = Impression(f"I{number}", opportunity.id, at, 1.0, 10, 1)
    end: list[Event] = [Outcome(seen.id, kind, at, 1.0, 900.0, 6, 1)] if kind else []
    kept: list[Event] = [Retention(seen.id, 120, at, 1.0, 4, 6)] if kind == "accepted" else []
    return [opportunity, seen, *end, *kept]


def scanned(path: Path) -> tuple[Any, ...]:
    """The naive answer, from raw rows only: by language, the latencies, the probabilities."""
    by: dict[str, Counter[str]] = {}
    phases: Counter[str] = Counter()
    bins: dict[int, list[float]] = {}
    for row in queries.gate_rows(path):
        found = by.setdefault(row.language, Counter())
        found["n"] += 1
        found[row.decision] += 1
        found["shown"] += row.shown
        found["accepted"] += row.label == 1
        found["judged"] += row.weight == 1
        found["unread"] += row.outcome == "unread"
        found["retained"] += 4 * (row.retained is not None)
        if row.p2 is not None:
            one = bins.setdefault(min(int(row.p2 * 100), 99), [0.0] * 5)
            one[0] += 1
            one[1] += row.label is not None
            one[2] += row.label or 0
            one[3] += row.weight / row.propensity if row.label is not None else 0
            one[4] += row.weight / row.propensity if row.label else 0
    with connection.reading(path) as raw:
        for (total,) in raw.execute("SELECT t_total FROM opportunity WHERE t_total > 0 AND decision = 'show'"):
            phases[str(next(b for b in range(400) if total < aggregates.bucket_ms(b)[1]))] += 1
    return {k: +c for k, c in by.items()}, phases, {k: [pytest.approx(v) for v in one] for k, one in bins.items()}


def counted(path: Path) -> tuple[Any, ...]:
    by = {
        language: +Counter(
            n=row.opportunities, show=row.opportunities - row.hidden - row.skipped, hide=row.hidden, skip=row.skipped,
            shown=row.shown, accepted=row.accepted, judged=row.judged, unread=row.unread, retained=row.retained_120,
        )
        for language, row in panels.by(path, "language").items()
    }  # fmt: skip
    sql = "SELECT bucket, sum(n) FROM daily_latency WHERE decision = 'show' GROUP BY 1"
    with connection.reading(path) as reader:
        phases = Counter({str(b): n for b, n in reader.execute(f"{aggregates.with_current(reader, 'daily_latency')} {sql}")})
    bins = {
        round(b.low * 100): [b.n, b.labelled, b.positives, b.weight, b.positive_weight]
        for b in panels.calibration(path)
        if b.stage == 2
    }
    return by, phases, bins


@settings(max_examples=15, deadline=None)
@given(
    st.lists(CHOICES, max_size=30),
    st.randoms(use_true_random=False),
    st.sampled_from([0, 1, 2, -1]),
    st.lists(st.integers(-1, 2), min_size=1),
)
def test_counts_equal_a_scan_in_any_order_however_much_is_folded(
    tmp_path_factory: pytest.TempPathFactory, choices: list[tuple[Any, ...]], chance: Any, spans: int, days: list[int]
) -> None:
    """The hours cross midnight; meanwhile days go by, and a clock may jump back."""
    path = tmp_path_factory.mktemp("counts") / "telemetry.db"
    events = [event for number, choice in enumerate(choices) for event in events_of(number, choice)]
    chance.shuffle(events)
    db = connection.open_for_writing(path)
    writer = Writer(path)
    writer._connection = db  # opened here, so that nothing is folded or pruned but by this test
    clock = itertools.cycle([START // HOUR // 24 * 24 + 24 * day for day in days])
    with mock.patch.object(aggregates, "recent_hour", side_effect=clock):
        for start in range(0, len(events), 7):
            assert writer.write(events[start : start + 7]) == ([], 0)
            if spans:
                aggregates.fold(db, spans)
            if start % 2:
                aggregates.settle(db)
        db.close()
        assert counted(path) == scanned(path)


@pytest.mark.parametrize(("recent", "when"), [(0, ("2023-11-14", 23)), (1 << 30, ("2023-11-14", aggregates.WHOLE_DAY))])
def test_a_late_outcome_counts_in_the_span_of_its_opportunity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recent: int, when: tuple[str, int]
) -> None:
    monkeypatch.setattr(aggregates, "recent_hour", lambda: recent)
    path = tmp_path / "telemetry.db"
    writer, db = filled(path, [("python", 0)])
    assert panels.total(path).accepted == 0
    writer.write([Outcome("I0", "accepted", START + 50 * HOUR, 1.0)])
    assert panels.total(path).accepted == 1, "before it is folded"
    assert not aggregates.fold(db)
    assert [(found, row.accepted) for found, row in panels.hours(path).items()] == [(when, 1)]
    db.close()


def test_hours_become_days_when_they_are_no_longer_recent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregates, "recent_hour", lambda: 0)
    path = tmp_path / "telemetry.db"
    _, db = filled(path, [("go", 0), ("go", 1), ("go", 2), ("python", 2)])
    before = panels.by(path, "language"), panels.latencies(path), panels.calibration(path)
    assert [when[1] for when in panels.hours(path)] == [23, 0, 1]
    monkeypatch.setattr(aggregates, "recent_hour", lambda: START // HOUR // 24 * 24 + 24)
    aggregates.settle(db)
    assert not aggregates.fold(db)
    assert [when[1] for when in panels.hours(path)] == [aggregates.WHOLE_DAY, 0, 1]
    assert (panels.by(path, "language"), panels.latencies(path), panels.calibration(path)) == before
    db.close()


def test_a_clock_that_jumps_back_counts_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The day is counted as one already; its hours must not be counted beside it."""
    monkeypatch.setattr(aggregates, "recent_hour", lambda: 1 << 30)
    path = tmp_path / "telemetry.db"
    writer, db = filled(path, [("go", 0)])
    monkeypatch.setattr(aggregates, "recent_hour", lambda: 0)
    assert writer.write(events_of(7, (0, "go", "hide", "", 0.4, 20.0, 1.0))) == ([], 0)
    assert panels.total(path).opportunities == 2
    assert not aggregates.fold(db)
    db.close()
    assert {when[1]: row.opportunities for when, row in panels.hours(path).items()} == {aggregates.WHOLE_DAY: 2}


def test_recent_are_today_and_two_days_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telemetry.aggregates.time.time", lambda: 10 * 86_400 + 5.0)
    assert aggregates.recent_hour() == 8 * 24


def filled(path: Path, what: list[tuple[str, int]]) -> tuple[Writer, sqlite3.Connection]:
    db = connection.open_for_writing(path)
    writer = Writer(path)
    writer._connection = db
    events: list[Event] = []
    for number, (language, hour) in enumerate(what):
        events += events_of(number, (hour, language, "show" if number % 2 == 0 else "hide", "", 0.4, 20.0, 1.0))
    assert writer.write(events) == ([], 0)
    while aggregates.fold(db):
        pass
    return writer, db


PANELS: list[Callable[[Path], Any]] = [
    panels.days, panels.hours, panels.total, panels.explored, panels.latencies, panels.calibration, panels.hidden,
    panels.silence, panels.tables, panels.exits,
    lambda path: panels.rules(path, "review"), *(lambda path, name=name: panels.by(path, name) for name in panels.DIMENSIONS),
]  # fmt: skip


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[list[str], list[int]]]:
    """The SQL that panels run, and SQLite's steps in doing it, in hundreds."""
    sqls: list[str] = []
    steps = [0]
    asking = queries.asking

    @contextmanager
    def listened(path: Path) -> Iterator[sqlite3.Connection | None]:
        with asking(path) as ask:
            assert ask is not None
            ask.set_trace_callback(sqls.append)
            ask.set_progress_handler(lambda: steps.__setitem__(0, steps[0] + 1), 100)
            yield ask
            ask.set_trace_callback(None)

    with monkeypatch.context() as patch:
        patch.setattr(panels, "asking", listened)
        yield sqls, steps


def test_no_panel_scans_the_raw_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "telemetry.db"
    writer, db = filled(path, [("python", hour % 5) for hour in range(50)])
    assert writer.write(events_of(99, (3, "go", "show", "accepted", 0.5, 20.0, 1.0))) == ([], 0)
    db.close()
    assert panels.by(path, "language")["go"].accepted == 1, "one hour is stale and has to be counted"
    with watched(monkeypatch) as (sqls, _):
        for panel in PANELS:
            panel(path)
    assert len(sqls) >= len(PANELS)
    with connection.reading(path) as reader:
        for sql in sqls:
            for row in reader.execute(f"EXPLAIN QUERY PLAN {sql}"):
                scan = re.match(r"SCAN (o|i|c|e|r30|r120|r300|opportunity|exits|impression|outcome|retention)\b", row["detail"])
                assert not scan or "INDEX" in row["detail"], (row["detail"], sql)
                assert "AUTOMATIC" not in row["detail"], (row["detail"], sql)
            ordered = [row["detail"] for row in reader.execute(f"EXPLAIN QUERY PLAN {sql}") if "ORDER BY" in row["detail"]]
            assert not (ordered and "LIMIT" in sql.partition("FROM opportunity")[2]), (ordered, sql)


def test_four_times_the_rows_are_no_more_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = []
    for count in (1500, 6000):
        path = tmp_path / str(count) / "telemetry.db"
        filled(path, [("python", number % 5) for number in range(count)])[1].close()
        with watched(monkeypatch) as (_, steps):
            for panel in PANELS:
                panel(path)
        assert panels.total(path).opportunities == count
        work.append(steps[0])
    assert work[1] < 1.2 * work[0], work


def test_buckets_are_narrow_and_leave_no_gap() -> None:
    edges = [aggregates.bucket_ms(bucket) for bucket in range(320)]
    finite = [edge for edge in edges if edge[1] < 1e9]
    assert all(low < high for low, high in edges)
    assert [high for _, high in finite[:-1]] == [low for low, _ in finite[1:]]
    assert all((high - low) / low <= 1 / 16 for low, high in finite if low >= 8)
    assert finite[0] == (0.0, 0.25)


def test_days_older_than_the_raw_rows_keep_their_counts(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.db"
    _, db = filled(path, [("go", 0), ("go", 1), ("go", 2), ("python", 2)])
    before = panels.total(path), panels.by(path, "language"), panels.latencies(path), panels.calibration(path)
    assert retention.prune(db, START + 92 * retention.DAY_MS) == 4
    assert [when[1] for when in panels.hours(path)] == [-1, -1]
    after = panels.total(path), panels.by(path, "language"), panels.latencies(path), panels.calibration(path)
    db.close()
    assert after == before
    assert queries.summary(path).opportunities == 0


def test_labels_name_outcomes_only_once() -> None:
    assert {kind for kind, (label, _) in LABELS.items() if label} == {
        "accepted",
        "accepted_line",
        "accepted_word",
        "typed_through",
        "resolved",
    }
    assert not {"unread", "censored", ""} & set(LABELS)
