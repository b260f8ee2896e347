"""The past as numbers: it starts neutral, says what happened, and returns to neutral by itself."""

from __future__ import annotations

import math

import pytest

from assistant.gate.features import PAST
from assistant.gate.history import FAR, LONGEST_S, REMEMBERED, History

OUTCOMES = ("past_rate", "past_last", "past_refusals", "past_known")


def test_a_new_user_is_neutral() -> None:
    numbers = History().numbers(0.0)
    assert [numbers[name] for name in OUTCOMES] == [0.0, 0.0, 0.0, 0.0]
    assert set(PAST) <= set(numbers)
    assert numbers["since_shown"] == pytest.approx(math.log1p(LONGEST_S))


def test_acceptance_raises_and_refusal_lowers() -> None:
    good, bad = History(), History()
    for second in range(5):
        good.ended(second, "a", 1.0)
        bad.ended(second, "a", 0.0)
    assert good.numbers(5)["past_rate"] > 0 > bad.numbers(5)["past_rate"]
    assert good.numbers(5)["past_refusals"] == 0 < bad.numbers(5)["past_refusals"]
    assert bad.numbers(5)["past_last"] == pytest.approx(-1, abs=0.01)


@pytest.mark.parametrize("how", ["time", "opportunities"])
def test_a_run_of_refusals_fades_without_any_new_outcome(how: str) -> None:
    history = History()
    for second in range(60):
        history.ended(second, "x", 0.0)
    shut = history.numbers(60)
    if how == "opportunities":
        for _ in range(200):
            history.opportunity(60)
    faded = history.numbers(60 if how == "opportunities" else 60 + 3600)
    for name in OUTCOMES:
        assert abs(faded[name]) < 0.02 * max(1.0, abs(shut[name])) + 0.01


def test_a_weak_judgement_moves_less() -> None:
    weak, strong = History(), History()
    weak.ended(0, "a", 0.0, 0.3)
    strong.ended(0, "a", 0.0)
    assert 0 > weak.numbers(0)["past_rate"] > strong.numbers(0)["past_rate"]


def test_a_clock_that_goes_back_breaks_nothing() -> None:
    history = History()
    history.ended(100, "a", 1.0)
    history.shown(100, "f", 3, "")
    assert all(math.isfinite(value) for value in history.numbers(50).values())


def test_the_same_text_is_known_again() -> None:
    history = History()
    history.ended(0, "  foo(bar) ", 0.0)
    assert history.of_text("foo(bar)") == {"text_refused": 1.0, "text_taken": 0.0, "text_common": 1.0, "text_longer": 0.0}
    assert history.of_text("other text")["text_refused"] == 0.0
    for index in range(REMEMBERED + 1):
        history.ended(1, f"text {index}", 0.0)
    assert history.of_text("foo(bar)")["text_refused"] == 0.0


def test_how_far_the_cursor_is_from_the_last_display() -> None:
    history = History()
    assert history.of_place("f", 10, "x = ") == {}
    history.shown(0, "f", 10, "x = ")
    assert history.of_place("f", 13, "x = abc") == {"moved": 3.0, "same_line": 0.0}
    assert history.of_place("f", 10_000, "x =") == {"moved": float(FAR), "same_line": 1.0}
    assert history.of_place("g", 10, "x = ") == {}


def test_the_pace_of_typing_is_that_of_the_last_ten_seconds() -> None:
    history = History()
    for second in range(20):
        history.typed(second, 3)
    assert history.numbers(20)["keys_per_second"] == pytest.approx(2.7)
    assert history.numbers(100)["keys_per_second"] == 0.0
