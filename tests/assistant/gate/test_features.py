"""Features: numbers with known names, the same for the same place, and no way back to the text."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.gate.features import PAST, SIGNALS, STAGE_ONE, STAGE_TWO, novelty, of_place, of_text
from assistant.gate.history import History
from assistant.types import Confidence, Source, Suggestion, Trigger
from tests.assistant.buffers import site


def said(text: str, sure: Confidence | None = None) -> Suggestion:
    return Suggestion("1", text, text, 0, 0, Source.MODEL, sure)


def place(marked: str, history: History | None = None) -> dict[str, float]:
    return of_place(site(marked), Trigger.AUTOMATIC, False, False, history or History(), 0.0)


def text(marked: str, suggestion: Suggestion, **more: float) -> dict[str, float]:
    return of_text(site(marked), suggestion, History(), signals=more)


def test_every_name_is_declared_and_every_declared_name_can_come() -> None:
    history = History()
    history.shown(0.0, "module.py", 3, "x = ")
    seen = place("x = |", history)
    assert set(seen) == set(STAGE_ONE)
    sure = Confidence(-0.1, -0.5, 3)
    signals = dict.fromkeys(SIGNALS, 1.0)
    after = of_text(site("x = |"), said("foo(1)", sure), history, 30.0, {**signals, "secret": 1.0})
    assert set(after) == set(STAGE_TWO)
    assert set(PAST) <= set(STAGE_ONE)


def test_what_is_not_known_is_left_out() -> None:
    assert not {"moved", "same_line"} & set(place("x = |"))
    assert not {"mean_logprob", "tokens", "age", "entropy"} & set(text("x = |", said("1")))


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("import |", {"line_import": 1, "last_word": 1, "after_space": 1, "mid_word": 0}),
        ("if a:\n    ret|", {"mid_word": 1, "indent": 4, "above_opens": 1, "line_branch": 0}),
        ("x = foo(|", {"last_opener": 1, "open_brackets": 1}),
        ("# a note|", {"in_comment": 1, "in_text": 1}),
        ("x = 1\n\n\n|", {"blank_above": 2, "last_none": 1}),
        ("foo(|)", {"line_rest": 1, "rest_is_closers": 1}),
        ("return a |+ b", {"line_leave": 1, "rest_is_closers": 0}),
    ],
)
def test_places(marked: str, expected: dict[str, float]) -> None:
    seen = place(marked)
    assert {name: seen[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("suggestion", "expected"),
    [
        ("value)", {"ends_closed": 1, "lines": 1, "novelty": 0.0, "chars": 6}),
        ("other(", {"ends_open": 1, "novelty": 1.0}),
        ("\n    return value", {"begins_line": 1, "says_leave": 1, "lines": 2}),
        ("# note", {"says_comment": 1}),
    ],
)
def test_texts(suggestion: str, expected: dict[str, float]) -> None:
    seen = text("value = 1\nx = |", said(suggestion))
    assert {name: seen[name] for name in expected} == expected


def test_a_row_does_not_spell_the_text() -> None:
    """Of a hundred different identifiers of one shape, no feature tells any apart."""
    rows = {json.dumps({**place(f"x = {name}|"), **text("x = |", said(name))}) for name in (f"ab{n:02d}c" for n in range(100))}
    assert len(rows) == 1


def test_novelty_counts_identifiers_once() -> None:
    assert novelty("a1 b2 b2", "b2 = 3") == 0.5
    assert novelty("()", "x") == 0.0


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=80), st.text(max_size=40))
def test_features_are_finite_for_any_text(before: str, after: str) -> None:
    seen = {**place(before.replace("|", "") + "|" + after), **text("x|", said(before))}
    assert all(math.isfinite(value) for value in seen.values())
