"""Statements whose value goes nowhere."""

from __future__ import annotations

import pytest

from assistant.review.rules import dead_result
from tests.assistant.review.rules.cases import find, fixed, one

RULE = dead_result.RULE


def test_an_exception_that_is_not_raised() -> None:
    assert "raise ValueError('x')" in fixed(RULE, "", "def f(x):\n    if not x:\n        ValueError('x')\n    return x\n")


def test_a_test_without_its_assert() -> None:
    assert "assert x == 1" in fixed(RULE, "", "def test_f():\n    x = f()\n    x == 1\n", "tests/test_f.py")


@pytest.mark.parametrize(
    "code",
    [
        "x.strip()",
        "sorted(x)",
        "x == 1",
        "y = [3, 1]\n    z = y.sort()",
        "raise NotImplemented",
        "y = []\n    return y.append(1)",
    ],
)
def test_named(code: str) -> None:
    one(RULE, "", f"def f(x):\n    {code}\n")


def test_javascript() -> None:
    assert "throw new Error" in fixed(RULE, "", "function f() {\n  new Error('x');\n}\n", "a.js")


@pytest.mark.parametrize(
    "code",
    [
        "with pytest.raises(ValueError):\n        x == 1",
        "x.sort()",
        "y = sorted(x)",
        "raise ValueError('x')",
        "y = x.sort()",
        "x.replace('a', 'b')",
        "ValueErrors(x)",
        "list.append(x)",
        "try:\n        len(x)\n    except TypeError:\n        pass",
    ],
)
def test_silent(code: str) -> None:
    assert not find(RULE, "", f"def f(x):\n    {code}\n")
