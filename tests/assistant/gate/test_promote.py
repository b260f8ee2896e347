"""A learned gate takes the place of the one in force only where the user's own record says that it is not worse."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from assistant.gate.learn import Lesson, lesson
from assistant.gate.model import LINE_ALPHAS, Gate, named
from assistant.gate.promote import MARGIN, compare, learn
from assistant.gate.refit import refit
from assistant.gate.rows import LABEL_AGE_MS, GateRow
from tests.assistant.gate.made import prior, rows


def biased(gate: Gate, bias: float, limit: float = 0.3) -> Gate:
    """A gate that thinks everything is ``bias`` likelier than ``gate`` does, and hides below ``limit``."""
    bounds = {stage: dict.fromkeys(LINE_ALPHAS, limit if stage == "two" else 0.0) for stage in ("one", "two")}
    return named(replace(gate, two=replace(gate.two, bias=bias), bounds=bounds))


def of(gate: Gate, made: list[GateRow]) -> Lesson:
    """As if ``gate`` had been learned from ``made``, with the probabilities it gives."""
    learned = lesson(gate, made)
    p2 = [gate.two.probability(row.features) for row in learned.data.rows]
    p1 = [gate.one.probability(row.features) for row in learned.data.rows]
    return Lesson(gate, learned.data, learned.p1 * 0 + p1, learned.p2 * 0 + p2)


def explored(count: int, taken: float, seed: int = 0) -> list[GateRow]:
    """Shown with a chance of a twentieth, hidden otherwise; taken with log-odds ``taken`` where shown."""
    chance = random.Random(seed)
    made = []
    for row in rows(count, taken, seed):
        shown = chance.random() < 0.05
        hidden = replace(row, decision="hide", outcome="", propensity=0.95, p2=0.1)
        made.append(replace(row, propensity=0.05, explored=True, p2=0.1) if shown else hidden)
    return made


def test_what_hides_what_is_never_taken_is_promoted() -> None:
    trial = compare(of(biased(prior(), -8.0), rows(300, -9.0)), biased(prior(), 8.0), rows(300, -9.0), "balanced")
    assert trial.promoted
    assert trial.gain == pytest.approx(0.25 * 0.95, abs=0.01)
    assert (trial.rows, trial.lost, trial.lost_before) == (300, 0.0, 0.0)


def test_what_hides_what_is_always_taken_is_refused() -> None:
    trial = compare(of(biased(prior(), -8.0), rows(300, 9.0)), biased(prior(), 8.0), rows(300, 9.0), "balanced")
    assert not trial.promoted
    assert trial.gain == pytest.approx(-0.75 * 0.95, abs=0.03)
    assert (trial.lost, trial.lost_before) == (pytest.approx(0.95), 0.0)


def test_what_changes_nothing_is_promoted() -> None:
    gate = biased(prior(), 0.0)
    trial = compare(of(gate, rows(200, 0.0)), gate, rows(200, 0.0), "balanced")
    assert (trial.gain, trial.error, trial.promoted) == (0.0, 0.0, True)


def test_explored_hides_speak_for_all_hides() -> None:
    """Nothing but a twentieth was ever shown, and all of that was taken: showing is worth far more than hiding."""
    made = explored(600, 9.0)
    trial = compare(of(biased(prior(), 8.0), made), biased(prior(), -8.0), made, "balanced")
    assert trial.promoted
    assert trial.gain > 0.5
    assert trial.lost_before == pytest.approx(0.95)
    assert not compare(of(biased(prior(), -8.0), made), biased(prior(), 8.0), made, "balanced").promoted


def test_a_gate_that_hides_too_much_is_replaced_by_a_milder_one_though_that_earns_less() -> None:
    """One in nine is taken: hiding them all is worth most, and costs every one of them."""
    made = rows(400, -2.1)
    trial = compare(of(biased(prior(), 8.0), made), biased(prior(), -8.0), made, "balanced")
    assert trial.gain < -MARGIN
    assert trial.lost_before == pytest.approx(0.95)
    assert trial.lost == 0.0
    assert trial.promoted


def test_no_rows_promote_what_is_there() -> None:
    gate, trial = learn(prior(), [], prior())
    assert (trial.rows, trial.promoted, gate.decided) == (0, True, 0)


def test_a_refused_lesson_leaves_the_very_gate_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assistant.gate.promote.MARGIN", -1.0)
    made = rows(200, -1.0)
    now = made[-1].ts_ms + LABEL_AGE_MS
    gate, trial = refit(prior(), made, now)
    assert not trial.promoted
    assert gate.id == prior().id


def test_a_gate_notes_its_model_and_what_was_forgotten() -> None:
    made = [replace(row, model="m1") for row in rows(200, -1.0)]
    gate, trial = refit(prior(), made, made[-1].ts_ms + LABEL_AGE_MS, since_ms=5)
    assert trial.promoted
    assert (gate.record["model"], gate.record["since_ms"], gate.record["yours"]["rows"]) == ("m1", 5, 200)
