"""Functions that end without the value they gave."""

from __future__ import annotations

import pytest

from assistant.review.rules import missing_return
from tests.assistant.review.rules.cases import find, fixed, one

RULE = missing_return.RULE


def test_a_return_that_became_a_statement_is_put_back() -> None:
    old = "def f(x):\n    if x:\n        return g(x)\n    return 2\n"
    assert fixed(RULE, old, old.replace("return g(x)", "g(x)").replace("    return 2\n", "    else:\n        return 2\n"))


def test_a_path_that_lost_its_value() -> None:
    old = "def f(x):\n    if x:\n        return 1\n    return 2\n"
    finding, _ = one(RULE, old, "def f(x):\n    if x:\n        return 1\n    log()\n")
    assert "ends without a value on some path" in finding.message


@pytest.mark.parametrize(
    "new",
    [
        "def f(x):\n    if x:\n        return 1\n    raise KeyError(x)\n",
        "def f(x):\n    if x:\n        return 1\n    else:\n        return 2\n",
        "def f(x):\n    while True:\n        if x:\n            return 1\n        g()\n",
        "def f(x):\n    try:\n        return 1\n    finally:\n        g()\n",
        "def f(x):\n    if x:\n        return 1\n    fail(x)\n",
        "def f(x):\n    with g():\n        return 1\n",
    ],
)
def test_silent(new: str) -> None:
    assert not find(RULE, "def f(x):\n    if x:\n        return 1\n    return 2\n", new)


def test_a_function_that_never_gave_a_value_is_left_alone() -> None:
    assert not find(RULE, "def f(x):\n    if x:\n        return\n    g()\n", "def f(x):\n    if x:\n        return\n    h()\n")
