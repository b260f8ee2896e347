"""What the Python grammar says of half-typed code."""

from __future__ import annotations

import pytest

from assistant.workspace import parse


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("x = 1\n", True),
        ("    return foo(a)\n", True),
        ("import os\n", True),
        ("x = foo(\n    1,\n)\n", True),
        ("# only a comment\n", False),
        ("# and\nx = 1\n", True),
        ("x = foo(\n", False),
        ("x = '''a\n", False),
        ("x =\n", False),
        ("if x:\n    y()\n", False),
        ("def f(): pass\n", False),
        ("@deco\n", False),
        ("", False),
        ("\n", False),
        ("x = '\ud83d'\n", True),
    ],
)
def test_a_simple_statement_is_whole(text: str, whole: bool) -> None:
    assert parse.is_whole_statement(text, "python") is whole


def test_without_a_grammar_there_is_no_answer() -> None:
    assert parse.is_whole_statement("x = 1;", "javascript") is None
    assert parse.has_errors("x = ;", "javascript") is None
    assert parse.breaks("x = ", ")", "", "javascript") is None
    assert parse.empty_block("if (x) {", "", "javascript") is None


@pytest.mark.parametrize(
    ("before", "inserted", "after", "breaks"),
    [
        ("x = 1\n", "y = 2", "\n", False),
        ("x = 1\n", "y = 2)", "\n", True),
        ("if a:\n    b()\n    ", "else:\n        c()", "\n", True),
        ("if a:\n    b()\n", "else:\n    c()", "\n", False),
        ("class A:\n    def f(self):\n        x = 1\n        ", "return x", "\n\n    def g(self):\n        pass\n", False),
        ("class A:\n    def f(self):\n        x = 1\n        ", "return x]", "\n\n    def g(self):\n        pass\n", True),
        ("x = (", "1)", "\n", None),
        ("def f(:\n    pass\n\n\ndef g():\n    ", "pass)", "\n", True),
    ],
)
def test_an_insertion_that_breaks_correct_code(before: str, inserted: str, after: str, breaks: bool | None) -> None:
    assert parse.breaks(before, inserted, after, "python") is breaks


def test_only_the_enclosing_definition_is_looked_at() -> None:
    before = "x = 1\n" * 500 + "class A:\n    def f(self):\n        a = 1\n        if a:\n            "
    after = "b = 2\n        return a\n\n    def g(self):\n        pass\n" + "y = 2\n" * 500
    assert parse.enclosing(before, after) == (
        "    def f(self):\n        a = 1\n        if a:\n            ",
        "b = 2\n        return a\n\n",
    )


def test_a_long_file_costs_no_more_than_its_windows() -> None:
    head, tail = parse.enclosing("x = 1\n" * 100_000, "y = 2\n" * 100_000)
    assert len(head) <= parse.REACH_BEFORE
    assert len(tail) <= parse.REACH_AFTER


def test_the_scan_starts_outside_strings() -> None:
    before = '    half a docstring: it\'s (\n    """\n\n\ndef f():\n    return ('
    assert before[parse.safe_start(before, "python") :].startswith("def f")
    assert parse.safe_start("x = 1\n", "python") == 0
    assert parse.safe_start("function f() {", "javascript") == 0


def test_prose_that_begins_like_code_is_no_safe_place() -> None:
    before = "a docstring\nfrom the user's side\nimport of goods\nclass struggle\ndef leppard\n"
    assert parse.safe_start(before, "python") == 0
