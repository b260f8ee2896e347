"""Values that are used behind the test which says that they are not there."""

from __future__ import annotations

import pytest

from assistant.review.rules import none_use
from tests.assistant.review.rules.cases import find, fixed, one

RULE = none_use.RULE


def test_a_test_turned_round() -> None:
    old = "def f(x):\n    if x is not None:\n        return x.name\n    return ''\n"
    finding, line = one(RULE, old, old.replace("is not", "is"))
    assert line == "return x.name"
    assert finding.evidence[0].line == 1


def test_behind_a_guard_turned_round() -> None:
    _, line = one(RULE, "", "def f(x):\n    if x is not None:\n        return 1\n    return x.name\n")
    assert line == "return x.name"


def test_or_in_place_of_and() -> None:
    text = fixed(RULE, "", "def f(x):\n    return x is not None or x.name\n")
    assert "x is not None and x.name" in text


def test_javascript() -> None:
    one(RULE, "", "function f(x) { if (x === null) { return x.name; } }\n", "a.js")


@pytest.mark.parametrize(
    "body",
    [
        "if x is None:\n        x = y\n        x.name",
        "if x is None:\n        return y.name",
        "if x is not None:\n        return x.name",
        "if x is None:\n        return\n    return x.name",
        "return x is not None and x.name",
        "return x is None or x.name",
        "if x is None:\n        if y:\n            x = y\n        return x.name",
    ],
)
def test_silent(body: str) -> None:
    assert not find(RULE, "", f"def f(x, y):\n    {body}\n")
