"""Conditions that cannot be both, and literals that are always true."""

from __future__ import annotations

import pytest

from assistant.review.rules import constant_condition
from tests.assistant.review.rules.cases import find, fixed, one

RULE = constant_condition.RULE


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("x != 1 or x != 2", "always true"),
        ("x == 1 and x == 2", "always false"),
        ("x == 'a' or 'b'", "true by itself"),
        ("'a' and 'b' in x", "always true"),
        ("x.a and y and x.a", "twice"),
        ("len(x) >= 0", "never negative"),
        ("x.a < x.a", "with itself"),
    ],
)
def test_named(code: str, said: str) -> None:
    finding, _ = one(RULE, "", f"def f(x, y):\n    if {code}:\n        return 1\n")
    assert said in finding.message


def test_or_becomes_and() -> None:
    assert "x != 1 and x != 2" in fixed(RULE, "", "def f(x):\n    return x != 1 or x != 2\n")


def test_a_function_that_is_not_called() -> None:
    new = "def ready():\n    return 1\n\ndef f():\n    if ready:\n        return 2\n"
    assert "if ready():" in fixed(RULE, "", new)


def test_the_same_test_twice_in_a_chain() -> None:
    _, line = one(RULE, "", "def f(x):\n    if x == 1:\n        return 1\n    elif x == 1:\n        return 2\n")
    assert line == "elif x == 1:"


def test_an_assert_of_a_tuple() -> None:
    assert fixed(RULE, "", "def f(x):\n    assert (x, 'no x')\n") == "def f(x):\n    assert x, 'no x'\n"


def test_a_walrus_that_takes_the_comparison() -> None:
    assert "if (a := x['t']) not in y:" in fixed(RULE, "", "def f(x, y):\n    if a := x['t'] not in y:\n        return a\n")


def test_javascript() -> None:
    one(RULE, "", "function f(x) { if (x !== 'a' || x !== 'b') { return 1; } }\n", "a.js")


@pytest.mark.parametrize(
    "code",
    [
        "x == 1 or x == 2",
        "x != 1 and x != 2",
        "x != x",
        "f() or f()",
        "x.pop() and x.pop()",
        "x != 1 or y != 2",
        "x or 'default'",
        "len(x) > 0",
        "x == 'a' or y == 'b'",
        "(a := x) in y",
    ],
)
def test_silent(code: str) -> None:
    assert not find(RULE, "", f"def f(x, y):\n    return {code}\n")
