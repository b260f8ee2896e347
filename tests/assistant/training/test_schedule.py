"""Warmup, stable, decay; an early finish; the exit's ramp."""

from __future__ import annotations

import pytest

from assistant.training.schedule import Schedule


def test_the_rate_rises_stays_and_falls() -> None:
    schedule = Schedule.of(10_000_000)
    rates = [schedule.rate(tokens) for tokens in range(0, 10_000_001, 100_000)]
    peak = [i for i, rate in enumerate(rates) if rate == 1.0]
    assert peak == list(range(8, 61))
    assert rates[:9] == sorted(rates[:9])
    assert rates[60:] == sorted(rates[60:], reverse=True)
    assert rates[-1] == pytest.approx(0.05)
    assert schedule.rate(99_000_000) == pytest.approx(0.05)


def test_finishing_decays_from_now() -> None:
    schedule = Schedule.of(10_000_000).finishing(3_000_000)
    assert (schedule.decay_start, schedule.total) == (3_000_000, 5_000_000)
    assert schedule.rate(3_000_000) == 1.0
    assert schedule.rate(4_000_000) == pytest.approx(0.525)
    assert schedule.finishing(4_000_000) == schedule


def test_the_exit_weight_ramps_up() -> None:
    schedule = Schedule.of(9_000_000)
    low, high = schedule.exit_weights
    assert schedule.exit_weight(0) == low
    assert schedule.exit_weight(9_000_000) == high
    assert low < schedule.exit_weight(900_000) < high
