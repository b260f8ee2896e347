"""Figures of merit on rows whose answer is known, and off-policy estimates against a log whose truth is known."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from assistant.gate.evaluate import GAIN, LOSS, auc, calibration_error, hides, log_loss, threshold_for, value
from assistant.gate.rows import GateRow
from tests.assistant.gate.made import features, prior


def test_auc() -> None:
    y = np.array([0.0, 0.0, 1.0, 1.0])
    assert auc(y, np.array([0.1, 0.2, 0.3, 0.4])) == 1.0
    assert auc(y, np.array([0.4, 0.3, 0.2, 0.1])) == 0.0
    assert auc(y, np.full(4, 0.5)) == 0.5
    assert auc(y, np.array([0.1, 0.3, 0.3, 0.4])) == pytest.approx(0.875)
    assert auc(np.ones(3), np.arange(3.0)) == 0.5


def test_calibration_and_loss_of_the_truth() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    y = (rng.random(20_000) < p).astype(float)
    assert calibration_error(y, p) < 0.02
    assert calibration_error(y, np.clip(p + 0.2, 0, 1)) > 0.1
    assert log_loss(y, p) < log_loss(y, np.full(len(p), 0.5))


def test_a_threshold_hides_as_much_as_its_precision_allows() -> None:
    p = np.arange(100) / 100
    y = np.array([0.0] * 30 + [1.0] + [0.0] * 9 + [1.0] * 60)
    hidden = hides(y, p < threshold_for(y, p, 0.95))
    assert hidden.hidden == 0.41
    assert hidden.precision == pytest.approx(39 / 41)
    assert hidden.accepts_lost == pytest.approx(2 / 61)
    assert threshold_for(np.ones(10), np.arange(10.0), 0.9) == 0.0
    assert hides(y, p < 0).precision == 1.0


EPSILON, TRUE_KEPT = 0.05, 0.4


def log(count: int, seed: int) -> tuple[list[GateRow], float, float]:
    """A gate that hides low `novelty` with exploration wrote this; the values of showing all, and of the log."""
    rng, made, all_shown, logged = random.Random(seed), [], 0.0, 0.0
    for index in range(count):
        numbers = features(rng)
        low = numbers["novelty"] < TRUE_KEPT
        taken = rng.random() < (0.1 if low else 0.5)
        explored = low and rng.random() < EPSILON
        show = explored or not low
        reward = GAIN if taken else -LOSS
        all_shown += reward / count
        logged += reward * show / count
        row = GateRow(str(index), index, numbers, outcome="accepted" if taken else "rejected", visible_ms=2000.0)
        chance = EPSILON if explored else 1 - EPSILON if low else 1.0
        made.append(
            replace(
                row,
                decision="show" if show else "hide",
                outcome=row.outcome if show else "",
                propensity=chance,
                explored=explored,
            )
        )
    return made, all_shown, logged


def test_the_logging_gate_is_worth_what_it_got() -> None:
    made, _, logged = log(3000, 0)

    def same(row: GateRow, p1: float, p2: float) -> float:
        return EPSILON if row.features["novelty"] < TRUE_KEPT else 1.0

    found = value(made, prior(), same)
    assert found.logged == pytest.approx(logged)
    assert found.ips == pytest.approx(logged)
    assert found.hidden == pytest.approx(TRUE_KEPT * (1 - EPSILON), abs=0.03)


def test_another_gate_is_estimated_without_being_tried() -> None:
    """Showing everything, from a log that hid 40 %: right on average over logs, by both estimators."""
    found, truth = [], []
    for seed in range(12):
        made, all_shown, _ = log(1500, seed)
        found.append(value(made, prior(), lambda row, p1, p2: 1.0))
        truth.append(all_shown)
    assert np.mean([one.ips for one in found]) == pytest.approx(np.mean(truth), abs=0.02)
    assert np.mean([one.dr for one in found]) == pytest.approx(np.mean(truth), abs=0.02)
    assert np.mean([abs(one.dr - true) for one, true in zip(found, truth, strict=True)]) < 0.06
    assert np.mean(truth) < np.mean([one.logged for one in found])


def test_rows_without_a_label_and_rules_are_left_out() -> None:
    made, _, _ = log(50, 1)
    noise = [
        GateRow("p", 1, made[0].features, "show"),
        GateRow("r", 1, made[0].features, "suppressed_rule"),
        replace(made[0], trigger="invoked"),
    ]
    assert value([*made, *noise], prior(), lambda row, p1, p2: 1.0).rows == len(made)
    assert value(noise, prior(), lambda row, p1, p2: 1.0).rows == 0
