"""Comparison by identity where values are meant."""

from __future__ import annotations

import pytest

from assistant.review.rules import identity
from tests.assistant.review.rules.cases import find, fixed, one

RULE = identity.RULE


@pytest.mark.parametrize(("code", "right"), [("x is 'a'", "x == 'a'"), ("x is not 3", "x != 3"), ("x is ()", "x == ()")])
def test_is_with_a_literal_is_fixed(code: str, right: str) -> None:
    assert fixed(RULE, "", f"def f(x):\n    return {code}\n") == f"def f(x):\n    return {right}\n"


@pytest.mark.parametrize("code", ["x === NaN", "x === []", "typeof x === 'strng'"])
def test_javascript(code: str) -> None:
    finding, _ = one(RULE, "", f"const f = (x) => {code};\n", "a.ts")
    assert finding.severity == "high"


@pytest.mark.parametrize("code", ["x is None", "x is True", "x is y", "x == 'a'", "type(x) is int", "x is ..."])
def test_silent(code: str) -> None:
    assert not find(RULE, "", f"def f(x, y):\n    return {code}\n")
