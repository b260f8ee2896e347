"""Greedy, temperature and top-p choices, and the log-probability that goes with them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from assistant.model.sampling import Sampler, entropy

VALUES = torch.tensor([0.5, 2.0, -math.inf, 1.0, 1.9])
LOGITS = VALUES.numpy()


def draws(sampler: Sampler, count: int = 400) -> list[int]:
    return [sampler.choose(LOGITS)[0] for _ in range(count)]


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_greedy_takes_the_likeliest(temperature: float) -> None:
    token, logprob = Sampler(temperature).choose(LOGITS)
    assert token == 1
    assert logprob == pytest.approx(float(torch.log_softmax(VALUES, 0)[1]), abs=1e-6)  # fp32: 1e-7 a term, five terms


def test_frequencies_follow_the_softmax() -> None:
    expected = torch.softmax(VALUES / 0.7, 0)
    seen = torch.bincount(torch.tensor(draws(Sampler(0.7, seed=3), 4000)), minlength=5) / 4000
    assert seen[2] == 0
    # Four standard deviations of a proportion of 4000 draws: 4 * sqrt(0.25 / 4000) = 0.032.
    assert (seen - expected).abs().max() < 0.032


def test_the_logprob_is_the_models_own_whatever_the_temperature() -> None:
    sampler = Sampler(1.7, 0.9, seed=1)
    for _ in range(20):
        token, logprob = sampler.choose(LOGITS)
        assert logprob == pytest.approx(float(torch.log_softmax(VALUES, 0)[token]), abs=1e-6)


def test_top_p_keeps_the_token_that_crosses_the_line() -> None:
    """Softmax: token 1 0.39, token 4 0.35, token 3 0.14, token 0 0.09."""
    assert set(draws(Sampler(1.0, 0.38))) == {1}
    assert set(draws(Sampler(1.0, 0.5))) == {1, 4}
    assert set(draws(Sampler(1.0, 1.0))) == {0, 1, 3, 4}


def test_top_p_zero_is_greedy() -> None:
    assert set(draws(Sampler(2.0, 0.0), 50)) == {1}


def test_the_seed_decides() -> None:
    assert draws(Sampler(1.0, seed=5), 50) == draws(Sampler(1.0, seed=5), 50)
    assert draws(Sampler(1.0, seed=5), 50) != draws(Sampler(1.0, seed=6), 50)
    assert draws(Sampler(1.0, seed=-1), 5)


def test_the_global_generator_is_left_alone() -> None:
    np.random.seed(3)
    expected = np.random.random()
    np.random.seed(3)
    draws(Sampler(1.0), 5)
    assert np.random.random() == expected


def test_entropy_is_that_of_the_allowed_tokens() -> None:
    logits = np.log(np.array([0.5, 0.25, 0.25], np.float32))
    assert entropy(logits) == pytest.approx(1.5 * math.log(2), abs=1e-6)
    assert entropy(np.append(logits + 3, -np.inf).astype(np.float32)) == pytest.approx(1.5 * math.log(2), abs=1e-5)
    assert entropy(np.array([0.0, -np.inf], np.float32)) == pytest.approx(0.0, abs=1e-6)
