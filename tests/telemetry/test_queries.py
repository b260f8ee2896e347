"""The questions of the command line, answered from exact rows."""

from __future__ import annotations

import dataclasses
import json

import pytest

from telemetry import queries
from telemetry.store import Store
from tests.telemetry.samples import STORY, opportunity


def told(store: Store) -> None:
    for event in STORY:
        store.record(event)
    assert store.flush(10)


def test_summary_counts_and_times(store: Store) -> None:
    told(store)
    found = queries.summary(store.path)
    assert dataclasses.replace(found, bytes=0) == queries.Summary(
        opportunities=3,
        sessions=1,
        impressions=2,
        first_ms=1_700_000_001_000,
        last_ms=1_700_000_003_000,
        decisions={"show": 2, "hide": 1},
        reasons={"shown": 2, "unsure": 1},
        outcomes={"accepted": 1, "pending": 1},
        latency=queries.Percentiles(2, 2.0, 90.0),
        tokens_per_second=200.0,
        shown_chars=27,
        accepted_chars=20,
    )
    assert found.bytes == store.path.stat().st_size
    assert json.loads(json.dumps(found.to_json()))["outcomes"] == {"accepted": 1, "pending": 1}


def test_one_session_only(store: Store) -> None:
    told(store)
    store.record(opportunity(session="S2", decision="show", t_total=7.0))
    assert store.flush(10)
    assert queries.summary(store.path, "S2").latency == queries.Percentiles(1, 7.0, 7.0)
    assert queries.summary(store.path, "S2").impressions == 0
    assert queries.summary(store.path).sessions == 2
    assert queries.summary(store.path, "nobody").opportunities == 0


@pytest.mark.parametrize(("n", "p50", "p95"), [(1, 1.0, 1.0), (20, 10.0, 19.0), (100, 50.0, 95.0), (101, 51.0, 96.0)])
def test_percentiles_are_nearest_rank(store: Store, n: int, p50: float, p95: float) -> None:
    for value in range(n, 0, -1):
        store.record(opportunity(decision="show", t_total=float(value)))
    assert store.flush(10)
    assert queries.summary(store.path).latency == queries.Percentiles(n, p50, p95)


def test_recent_is_newest_first_with_what_became_of_it(store: Store) -> None:
    told(store)
    found = queries.recent(store.path, 2)
    assert [(row.id, row.reason, row.impression, row.source, row.outcome) for row in found] == [
        ("O3", "unsure", None, None, None),
        ("O2", "shown", "I2", "cache", None),
    ]
    (first,) = queries.recent(store.path)[2:]
    assert (first.outcome, first.outcome_how, first.accepted_chars, first.seen_how) == ("accepted", "command", 20, "notified")
    assert queries.recent(store.path, session="S2") == []
