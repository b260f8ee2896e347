"""The bound on lost suggestions, the alarm, the cost of a glance."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.gate.safety import Budget, Cost, Drift, bound

points = st.lists(st.tuples(st.floats(0.001, 0.999), st.sampled_from([1.0, 20.0])), min_size=1, max_size=200)


@pytest.mark.parametrize(("alpha", "least"), [(0.05, 19), (0.02, 49), (0.1, 9)])
def test_too_few_taken_suggestions_say_nothing(alpha: float, least: int) -> None:
    made = [(0.1 + i / 1000, 1.0) for i in range(least)]
    assert bound(made[:-1], alpha) is None
    assert bound(made, alpha) is not None


@settings(max_examples=100, deadline=None)
@given(points, st.sampled_from([0.02, 0.05, 0.1]))
def test_no_more_than_the_share_lies_below_the_bound(made: list[tuple[float, float]], alpha: float) -> None:
    limit = bound(made, alpha, caution=0.0)
    if limit is not None:
        lost, n = sum(w for p, w in made if p < limit), sum(w for _, w in made)
        assert lost == 0 or (lost + 1) / (n + 1) <= alpha


@settings(max_examples=50, deadline=None)
@given(points)
def test_a_larger_share_never_lowers_the_bound_and_caution_never_raises_it(made: list[tuple[float, float]]) -> None:
    limits = [limit for alpha in (0.01, 0.02, 0.05, 0.1, 0.2) if (limit := bound(made, alpha)) is not None]
    assert limits == sorted(limits)
    careful, bold = bound(made, 0.1, caution=2.0), bound(made, 0.1, caution=0.0)
    assert careful is None or bold is None or careful <= bold


def test_the_bound_holds_on_average_for_new_suggestions() -> None:
    """The guarantee itself: draw users, calibrate on half of what they took, count the loss on the other half."""
    rng = random.Random(0)
    lost = []
    for _ in range(400):
        taken = [rng.betavariate(2, 3) for _ in range(120)]
        limit = bound([(p, 1.0) for p in taken[:60]], 0.05, caution=0.0)
        assert limit is not None
        lost.append(sum(p < limit for p in taken[60:]) / 60)
    assert 0.02 < sum(lost) / len(lost) <= 0.055


def test_one_explored_hide_that_was_taken_counts_for_twenty() -> None:
    taken = [(0.3 + i / 1000, 1.0) for i in range(100)]
    careless, warned = bound(taken, 0.05), bound([(0.05, 20.0), *taken], 0.05)
    assert careless is not None
    assert warned == 0.05 < careless


def test_the_alarm_is_raised_when_predictions_turn_wrong_and_not_before() -> None:
    rng = random.Random(1)
    for seed in range(20):
        drift = Drift()
        rng.seed(seed)
        calm = [drift.update(p, float(rng.random() < p)) for p in (rng.uniform(0.1, 0.9) for _ in range(500))]
        assert sum(calm) <= 1
        turned = [drift.update(p, float(rng.random() > p)) for p in (rng.choice([0.1, 0.9]) for _ in range(60))]
        assert any(turned)


def test_long_suggestions_need_less_certainty_short_ones_more() -> None:
    needed = [Cost(chars).break_even() for chars in (1, 3, 10, 25, 42, 100, 400)]
    assert needed == sorted(needed, reverse=True)
    assert needed[0] == 1.0
    assert 0.1 < Cost(42).break_even() < 0.2
    assert Cost(42, delay=1.0).break_even() > Cost(42).break_even()


def test_the_budget_fades_on_both_sides() -> None:
    budget = Budget(hidden=1.0, taken=30.0)
    before = budget.allows(0.1, 0.05)
    for _ in range(2000):
        budget.fade()
    assert budget.hidden < 0.1
    assert budget.taken < 3
    assert before
    assert not budget.allows(0.2, 0.05)
