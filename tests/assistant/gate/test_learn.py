"""Learning: the forest, the prior, and one user's own part, which starts at nothing and finds what is there."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assistant.gate import boost
from assistant.gate.learn import Labelled, fit_prior, logits, matrix, personalise, regress, squash
from assistant.gate.model import dumps, loads
from assistant.gate.refit import refit
from assistant.gate.rows import LABEL_AGE_MS, to_json
from assistant.gate.safety import PERSONAL_FROM, WEIGHTS_FROM
from tests.assistant.gate.made import prior, rows

ROOT = Path(__file__).resolve().parents[3]


def test_a_forest_finds_what_no_line_can() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((2000, 4))
    y = ((x[:, 0] > 0.5) != (x[:, 1] > 0.5)).astype(float)
    forest = boost.fit(x[:1000], y[:1000], np.ones(1000), boost.Settings(columns=1.0))
    assert (((forest.predict(x[1000:]) > 0) == y[1000:]).mean()) > 0.9


def test_the_same_rows_give_the_same_forest() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.random((300, 5)), (rng.random(300) < 0.4).astype(float)
    one, two = (boost.fit(x, y, np.ones(300)).predict(x) for _ in range(2))
    assert (one == two).all()
    assert boost.fit(x, y, np.ones(300)).base == pytest.approx(math.log(y.mean() / (1 - y.mean())))


def test_features_that_say_nothing_give_a_forest_of_the_mean() -> None:
    y = np.array([0.0, 1.0, 0.0, 0.0] * 20)
    x = np.repeat([[0.0, 1.0]], 80, axis=0)
    x[:40, 0] = 1.0
    assert squash(boost.fit(x, y, np.ones(80)).predict(x)) == pytest.approx(0.25, abs=0.05)


def test_a_regression_finds_its_weights_and_ridge_draws_them_in() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(4000, 2))
    y = (rng.random(4000) < squash(x @ np.array([1.0, -0.5]))).astype(float)
    free, held = (regress(x, y, np.ones(4000), np.zeros(4000), np.zeros(2), np.full(2, r)) for r in (1e-3, 1e5))
    assert free == pytest.approx([1.0, -0.5], abs=0.12)
    assert np.abs(held).max() < 0.05


def test_many_rows_at_once_are_scored_as_one_by_one() -> None:
    gate = personalise(prior(), rows(400, -0.5, slope=3.0))
    some = rows(50, 0.0, seed=9)
    for stage in (gate.one, gate.two):
        one_by_one = [stage.probability(row.features) for row in some]
        assert squash(logits(stage, some)) == pytest.approx(one_by_one, abs=1e-9)


def test_too_few_rows_change_nothing() -> None:
    gate = personalise(prior(), rows(PERSONAL_FROM - 1, -3.0))
    assert gate.two == prior().two
    assert gate.decided == PERSONAL_FROM - 1


def test_a_user_who_takes_little_gets_a_bias_first() -> None:
    shy, keen = (personalise(prior(), rows(WEIGHTS_FROM - 10, odds)) for odds in (-3.0, 2.0))
    assert shy.two.bias < -0.5 < 0.5 < keen.two.bias
    assert not shy.two.terms


def test_a_personal_taste_becomes_a_weight() -> None:
    gate = personalise(prior(), rows(600, 0.0, slope=5.0))
    weights = {term.name: term.weight for term in gate.two.terms}
    assert weights["novelty"] > 0.4
    assert max(weights, key=lambda name: abs(weights[name])) == "novelty"
    assert gate.record["yours"]["log_loss"] < gate.record["yours"]["log_loss_prior"]


def test_what_does_not_help_is_not_kept() -> None:
    """Labels drawn from the prior itself: nothing personal is there to be found."""
    rng, base = random.Random(5), rows(200, 0.0, seed=3)
    drawn = [
        replace(row, outcome="accepted" if rng.random() < prior().two.probability(row.features) else "rejected") for row in base
    ]
    kept = personalise(prior(), drawn).two
    assert abs(kept.bias) < 0.3


def test_a_personal_gate_survives_its_file_and_is_of_the_same_prior() -> None:
    gate = personalise(prior(), rows(300, -1.0, slope=3.0))
    assert loads(dumps(gate)) == gate
    assert gate.two.trees == prior().two.trees
    assert gate.id != prior().id


def test_learning_twice_is_learning_once() -> None:
    made = rows(300, -1.0, slope=3.0)
    assert dumps(personalise(personalise(prior(), made), made)) == dumps(personalise(prior(), made))


def test_requests_by_hand_and_hidden_rows_are_no_labels() -> None:
    made = [replace(row, trigger="invoked") for row in rows(100, 2.0)]
    hidden = [replace(row, decision="hide", outcome="") for row in rows(100, 2.0)]
    assert personalise(prior(), [*made, *hidden]).decided == 0


def test_the_newest_rows_are_left_out() -> None:
    made = rows(200, -1.0)
    now = made[99].ts_ms + LABEL_AGE_MS
    gate, trial = refit(prior(), made, now)
    assert gate.decided == trial.rows == 100


def test_missing_and_broken_numbers_are_filled() -> None:
    made = [replace(rows(1, 0.0)[0], features={"chars": math.nan, "lines": math.inf})]
    assert matrix(made, ["chars", "lines", "tokens"], [1.0, 2.0, 3.0]).tolist() == [[1.0, 2.0, 3.0]]


def test_a_prior_is_fitted_from_rows_of_several_users() -> None:
    data = Labelled.of([row for user in range(6) for row in rows(80, -0.5, seed=user, slope=4.0, user=str(user))])
    gate, p1, p2 = fit_prior(data, {"source": "made up"})
    assert loads(dumps(gate)) == gate
    assert p1.shape == p2.shape == (480,)
    low, high = (
        [p for p, row in zip(p2, data.rows, strict=True) if (row.features["novelty"] > 0.5) is side] for side in (False, True)
    )
    assert np.mean(high) > np.mean(low) + 0.2


def test_refit_as_a_process() -> None:
    lines = "\n".join(to_json(row) for row in rows(200, -1.0))
    command = [sys.executable, "-m", "assistant.gate.refit"]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, cwd=ROOT, check=True)
    gate, _, told = done.stdout.partition("\n")
    assert loads(gate).decided == 200
    assert json.loads(told)["promoted"]
    broken = subprocess.run(command, input="{", capture_output=True, text=True, cwd=ROOT, check=False)
    assert broken.returncode == 2
    assert "line 1" in broken.stderr


def test_ten_thousand_rows_are_learned_in_time() -> None:
    """Issue: below 5 s off the path; processor seconds, because the machine is shared."""
    made = rows(10_000, -1.0, slope=2.0)
    start = time.process_time()
    personalise(prior(), made)
    assert time.process_time() - start < 5
