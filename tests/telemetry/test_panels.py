"""Each panel's numbers, from a day of which every row is known."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from telemetry import panels
from telemetry.events import Event, Exits, Impression, Opportunity, Outcome, Retention
from telemetry.store import Store
from tests.telemetry.samples import STORY

DAY = 86_400_000
NOON = 1_700_000_000_000 - 1_700_000_000_000 % DAY + DAY // 2


def shown(number: int, kind: str, day: int = 0, **more: object) -> list[Event]:
    at = NOON + day * DAY + number * 1000
    opportunity = Opportunity(
        f"O{number}", "S", at, 1.0, language="go", decision="show", reason="shown", new_tokens=5, gate="G1",
        p2=0.7 + number / 1e3, **more,  # type: ignore[arg-type]
    )  # fmt: skip
    end = [Outcome(f"I{number}", kind, at, 1.0, 900.0, 8 if "accepted" in kind else 0, 1)] if kind else []
    return [opportunity, Impression(f"I{number}", f"O{number}", at, 1.0, 10, 1), *end]


def quiet(number: int, decision: str, day: int = 0, **more: object) -> list[Event]:
    at = NOON + day * DAY + number * 1000
    kind = {"hide": "unsure", "skip": "empty", "suppressed_rule": "skipped"}[decision]
    return [Opportunity(f"O{number}", "S", at, 1.0, decision=decision, reason=kind, p1=0.1, **more)]  # type: ignore[arg-type]


@pytest.fixture
def path(store: Store) -> Path:
    events = [
        *shown(1, "accepted", t_total=100.0), *shown(2, "rejected", t_total=50.0), *shown(3, "unread", t_total=10.0),
        *shown(4, "", t_total=20.0), *shown(5, "accepted_word", explored=True, propensity=0.05),
        *quiet(6, "hide", new_tokens=3), *quiet(7, "skip"), *quiet(8, "suppressed_rule"),
        *shown(9, "ignored", day=1), *quiet(10, "hide", day=1), *quiet(11, "hide", day=1), *quiet(12, "skip", day=1),
        Retention("I1", 30, NOON, 1.0, 8, 8), Retention("I1", 120, NOON, 1.0, 6, 8), Retention("I5", 120, NOON, 1.0, 0, 8),
    ]  # fmt: skip
    for event in events:
        store.record(event)
    assert store.flush(10)
    assert (store.problem, store.dropped) == ("", 0)
    return store.path


def test_days(path: Path) -> None:
    first, second = panels.days(path).items()
    assert first == (
        "2023-11-14",
        panels.Counts(
            opportunities=8, skipped=2, generated=6, hidden=1, shown=5, explored=1, judged=3, accepted=2, unread=1,
            shown_chars=50, accepted_chars=16, checked_30=8, retained_30=8, checked_120=16, retained_120=6, checked=2, kept=1,
            visible_ms=3600.0, new_tokens=28,
        ),
    )  # fmt: skip
    assert (second[0], second[1].opportunities, second[1].hidden, second[1].judged) == ("2023-11-15", 4, 2, 0)
    assert list(panels.days(path, since="2023-11-15")) == ["2023-11-15"]
    assert panels.total(path, until="2023-11-15") == first[1]


def test_groups(path: Path) -> None:
    assert {name: row.opportunities for name, row in panels.by(path, "language").items()} == {"": 6, "go": 6}
    assert {name: row.shown for name, row in panels.by(path, "outcome").items() if row.shown} == {
        "": 1, "accepted": 1, "accepted_word": 1, "ignored": 1, "rejected": 1, "unread": 1,
    }  # fmt: skip
    assert panels.by(path, "reason")["unsure"].hidden == 3
    with pytest.raises(ValueError, match="none of"):
        panels.by(path, "file_key; DROP TABLE daily")


def test_what_became_of_explored_hides(path: Path) -> None:
    found = panels.explored(path)
    assert (found.opportunities, found.shown, found.accepted) == (1, 1, 1)
    assert panels.explored(path, since="2023-11-15") == panels.Counts()


def test_latencies_within_a_bucket(path: Path) -> None:
    total = panels.latencies(path)["t_total"]
    assert total.n == 4
    assert total.p50 == pytest.approx(20, rel=0.04)
    assert total.p95 == pytest.approx(100, rel=0.04)
    assert set(panels.latencies(path)) == {"t_total"}
    assert panels.latencies(path, decision="hide") == {}


def test_calibration(path: Path) -> None:
    one, two = panels.calibration(path)
    assert (one.stage, one.gate, one.low, one.n, one.labelled) == (1, "", 0.1, 6, 0)
    assert (two.stage, two.gate, two.low, two.n, two.shown) == (2, "G1", 0.7, 6, 6)
    assert (two.labelled, two.positives) == (4, 2)
    assert two.weight == pytest.approx(1 + 1 + 20 + 0.3)
    assert two.positive_weight == pytest.approx(21)
    assert panels.calibration(path, gate="G2") == []


def test_the_last_hidden_ones(path: Path) -> None:
    assert [row["id"] for row in panels.hidden(path, 2)] == ["O11", "O10"]
    assert panels.hidden(path)[2] == {
        "id": "O6", "session": "S", "ts_ms": NOON + 6000, "kind": "inline", "language": "", "trigger": "automatic",
        "reason": "unsure", "why": "", "gate": "", "stage": 0, "p1": 0.1, "p2": None, "threshold": None, "propensity": 1.0,
        "features": "{}",
    }  # fmt: skip


def test_review_comments_count_by_themselves(path: Path, store: Store) -> None:
    before, at = panels.total(path), NOON + 60_000
    for number, (rule, end) in enumerate((("B006", "accepted"), ("B006", "resolved"), ("B006", "rejected"), ("E722", ""))):
        made = Opportunity(f"R{number}", "S", at, 1.0, kind="review", rule=rule, decision="show", reason="shown", t_total=900.0)
        store.record(made)
        store.record(Impression(f"J{number}", made.id, at, 1.0, 40, 1))
        if end:
            store.record(Outcome(f"J{number}", end, at, 1.0))
    assert store.flush(10)
    assert panels.total(path) == before
    assert panels.by(path, "kind")["review"].shown == 4
    assert "B006" not in panels.by(path, "rule")
    found = panels.rules(path, "review")
    assert {rule: {end: row.shown for end, row in ends.items()} for rule, ends in found.items()} == {
        "B006": {"accepted": 1, "rejected": 1, "resolved": 1},
        "E722": {"": 1},
    }
    assert sum(row.accepted for row in found["B006"].values()) == 2
    assert panels.latencies(path)["review"].n == 4
    assert panels.latencies(path)["t_total"].n == 4, "of the suggestions"
    assert panels.silence(path).among == 12


def test_exits_and_the_stop_head(path: Path, store: Store) -> None:
    assert panels.exits(path) == {}
    for number, saved in enumerate((0, 7, None)):
        store.record(Opportunity(f"E{number}", "S", NOON, 1.0, new_tokens=6, saved_tokens=saved))
        store.record(Exits(f"E{number}", 2, 4))
        store.record(Exits(f"E{number}", 6, 2))
        store.record(Exits(f"E{number}", 6, 2))
    assert store.flush(10)
    assert panels.exits(path) == {2: 12, 6: 6}
    total = panels.total(path)
    assert (total.ended_early, total.saved_tokens) == (1, 7)


def test_silence(path: Path) -> None:
    assert panels.silence(path) == panels.Silence(now=3, longest=3, among=12)
    assert panels.silence(path, among=2) == panels.Silence(now=2, longest=2, among=2)


def test_an_empty_store_has_empty_panels(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.db"
    empty = [panels.days(path), panels.hours(path), panels.by(path, "kind"), panels.latencies(path)]
    assert not any([*empty, panels.calibration(path), panels.hidden(path)])
    assert (panels.total(path), panels.explored(path), panels.tables(path)) == (panels.Counts(), panels.Counts(), {})
    assert panels.silence(path) == panels.Silence(0, 0, 0)


def test_several_impressions_of_one_opportunity_count_it_once(store: Store) -> None:
    first = Impression("I1", "O1", NOON, 1.0, 10, 1)
    opportunity = dataclasses.replace(next(e for e in STORY if isinstance(e, Opportunity)), kind="next_edit", ts_ms=NOON)
    for event in (opportunity, first, dataclasses.replace(first, id="I2", rank=1), Outcome("I2", "accepted", NOON, 1.0)):
        store.record(event)
    assert store.flush(10)
    found = panels.total(store.path)
    assert (found.opportunities, found.shown, found.accepted) == (1, 2, 1)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"), [(0, 0, 0, 1), (5, 10, 0.2366, 0.7634), (0, 20, 0, 0.1611), (20, 20, 0.8389, 1)]
)
def test_wilson(k: int, n: int, low: float, high: float) -> None:
    assert panels.wilson(k, n) == pytest.approx((low, high), abs=1e-4)
