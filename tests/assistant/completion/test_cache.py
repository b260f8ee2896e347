"""Answers that are found again: typed along, deleted and typed again, with the editor's own brackets in between."""

from __future__ import annotations

import pytest

from assistant.completion.cache import Answer, CompletionCache, Entry
from assistant.completion.context import Site
from assistant.completion.multiline import LINE, Mode, Shape
from assistant.completion.postprocess import Placed
from tests.assistant.buffers import site

STATEMENT = Mode(Shape.STATEMENT)


def filled(marked: str, text: str, answer: Answer | None = None, language: str = "python") -> CompletionCache:
    cache = CompletionCache()
    place = site(marked, language)
    cache.put("u", entry(place, text, answer))
    return cache


def entry(place: Site, text: str, answer: Answer | None = None) -> Entry:
    """``text`` at the cursor, over the rest of the line where it has all of it."""
    over = len(place.rest) if "\n" in text or (place.rest and place.rest in text) else 0
    at = text.rfind(place.rest) if over else 0
    placed = Placed(text, place.offset, place.offset + over, tuple(range(at, at + over))) if text else None
    return Entry.of(place, placed, answer or Answer(text))


@pytest.mark.parametrize(
    ("asked", "suggested", "now", "left"),
    [
        ("x = |\n", "foo(bar)", "x = |\n", "foo(bar)"),
        ("x = |\n", "foo(bar)", "x = fo|\n", "o(bar)"),
        ("x = |\n", "foo(bar)", "x = foo(bar|\n", ")"),
        ("x = |\n", "foo(bar)", "x = foo(|)\n", "bar)"),
        ("x = |\n", "foo(bar)", "x = foo(ba|)\n", "r)"),
        ("x = |\n", "f('a', [1])", "x = f('|')\n", "a', [1])"),
        ("x = |\n", "f('a', [1])", "x = f('a', [|])\n", "1])"),
        ("f(|)\n", "a):", "f(a|)\n", "):"),
        ("f(|)\n", "a):", "f(a)|\n", ":"),
        ("if (x) {|}\n", "\n  y();\n}", "if (x) {\n  y|}\n", "();\n}"),
        ("def f():|\n", "\n    return 1", "def f():\n    |\n", "return 1"),
        ("x = |\r\n", "a", "x = |\r\n", "a"),
    ],
)
def test_what_is_left(asked: str, suggested: str, now: str, left: str) -> None:
    hit = filled(asked, suggested).get("u", site(now), LINE)
    assert hit is not None
    assert hit.text == left


@pytest.mark.parametrize(
    ("asked", "suggested", "now"),
    [
        ("x = |\n", "foo(bar)", "x = g|\n"),
        ("x = |\n", "foo(bar)", "x = foo(bar)|\n"),
        ("x = |\n", "foo(bar)", "x =|\n"),
        ("x = |\n", "foo(bar)", "y = f|\n"),
        ("x = |\n", "foo(bar)", "x = f|\ny\n"),
        ("x = |\n", "foo(bar)", "x = f| + 1\n"),
        ("x = |", "foo(bar)", "x = f|\n"),
        ("x = |\n", "foo(bar)", "x = foo(|]\n"),
        ("import a\nx = |\n", "foo", "import b\nx = f|\n"),
    ],
)
def test_other_places(asked: str, suggested: str, now: str) -> None:
    assert filled(asked, suggested).get("u", site(now), LINE) is None


def test_another_document_has_its_own_answers() -> None:
    assert filled("x = |\n", "foo").get("v", site("x = |\n"), LINE) is None


def test_that_the_model_had_nothing_is_remembered_for_that_place_only() -> None:
    cache = filled("x = |\n", "")
    hit = cache.get("u", site("x = |\n"), LINE)
    assert hit is not None
    assert hit.text == ""
    assert cache.get("u", site("x = a|\n"), LINE) is None


def test_another_shape_is_another_question_until_it_is_typed_along() -> None:
    cache = filled("|\n", "if x:\n    y()", Answer("if x:\n    y()", (), STATEMENT))
    assert cache.get("u", site("|\n"), LINE) is None
    assert cache.get("u", site("|\n"), STATEMENT) is not None
    assert cache.get("u", site("if|\n"), LINE) is not None


def test_who_waits_is_not_served_a_hurried_answer() -> None:
    cache = filled("x = |\n", "fo", Answer("fo", (), LINE, hurried=True))
    assert cache.get("u", site("x = |\n"), LINE) is not None
    assert cache.get("u", site("x = |\n"), LINE, patient=True) is None


def test_the_newest_answer_wins() -> None:
    cache = filled("x = |\n", "foo(bar)")
    cache.put("u", entry(site("x = fo|\n"), "obar"))
    hit = cache.get("u", site("x = foo|\n"), LINE)
    assert hit is not None
    assert hit.text == "bar"


def test_the_least_recently_used_goes_first() -> None:
    cache = CompletionCache(capacity=2)
    for name in "abc":
        cache.put("u", entry(site(f"{name} = |\n"), "1"))
        cache.get("u", site("a = |\n"), LINE)
    assert len(cache) == 2
    assert cache.get("u", site("a = |\n"), LINE)
    assert cache.get("u", site("b = |\n"), LINE) is None


def test_a_closed_document_is_forgotten() -> None:
    cache = filled("x = |\n", "foo")
    cache.forget("u")
    assert len(cache) == 0
