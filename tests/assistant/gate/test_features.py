"""Features: numbers with known names, the same for the same place, and no way back to the text."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.completion.context import Windows, look
from assistant.gate.features import PAST, SIGNALS, STAGE_ONE, STAGE_TWO, novelty, of_place, of_text, signals
from assistant.gate.history import History
from assistant.gate.syntax import KINDS, TONGUES, of_syntax
from assistant.types import Chunk, Confidence, Snapshot, Source, Suggestion, Trigger
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


def test_what_an_engine_does_not_tell_is_left_out() -> None:
    assert signals(Chunk("x")) == {}
    told = signals(Chunk("x", entropy=0.5, exits=(0, 3, 0, 1), stop=0.25))
    assert told == {"entropy": 0.5, "exit_depth": 2.5, "stop_head": 0.25}
    assert set(told) == SIGNALS


@pytest.mark.parametrize(
    ("marked", "language", "kind"),
    [
        ("import os\n\ndef f(a, |", "python", "parameters"),
        ("def f(a):\n    x = foo(b, |", "python", "arguments"),
        ("def f(a):\n    x = foo(b, |)\n", "python", "arguments"),
        ("def f(a):\n    y = 1\n    |", "python", "block"),
        ("x = [1, |", "python", "collection"),
        ("x = y[|", "python", "subscript"),
        ("return a + |", "python", "operation"),
        ("return |", "python", "leave"),
        ("if a.|", "python", "attribute"),
        ("x = 'abc |", "python", "text"),
        ("# a note |", "python", "text"),
        ("x = 1\n|", "python", "top"),
        ("const a = foo(b, |", "typescript", "arguments"),
        ("let x = |", "rust", "assignment"),
        ("func f() {\n\treturn |", "go", "leave"),
    ],
)
def test_the_syntax_at_the_cursor(marked: str, language: str, kind: str) -> None:
    seen = of_syntax(look(Snapshot("file:///a", language, marked.replace("|", ""), marked.index("|")), Windows(3000, 600)))
    assert [name for name in KINDS if seen[name]] == [f"node_{kind}"]
    assert [name for name in TONGUES if seen[name]] == [f"language_{language}"]
    assert set(seen) == {*KINDS, *TONGUES}


def test_a_language_without_a_grammar_has_a_name_and_no_syntax() -> None:
    seen = of_syntax(look(Snapshot("file:///a.rb", "ruby", "x = ", 4), Windows(3000, 600)))
    assert seen == {name: float(name == "language_other") for name in TONGUES}


def test_syntax_looks_no_further_than_it_must() -> None:
    """A word a hundred thousand characters back changes nothing, and takes no time."""
    long = "y = [1, 2, 3]\n" * 7000
    near = of_syntax(look(Snapshot("file:///a.py", "python", long + "f(", len(long) + 2), Windows(3000, 600)))
    far = of_syntax(look(Snapshot("file:///a.py", "python", "((( '" + long + "f(", len(long) + 7), Windows(3000, 600)))
    assert near == far


def test_novelty_counts_identifiers_once() -> None:
    assert novelty("a1 b2 b2", "b2 = 3") == 0.5
    assert novelty("()", "x") == 0.0


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=80), st.text(max_size=40))
def test_features_are_finite_for_any_text(before: str, after: str) -> None:
    seen = {**place(before.replace("|", "") + "|" + after), **text("x|", said(before))}
    assert all(math.isfinite(value) for value in seen.values())
