"""Indexes one beyond the end."""

from __future__ import annotations

import pytest

from assistant.review.rules import off_by_one
from tests.assistant.review.rules.cases import find, fixed, one

RULE = off_by_one.RULE


@pytest.mark.parametrize(
    "body",
    [
        "return x[len(x)]",
        "for i in range(len(x) + 1):\n        print(x[i])",
        "for i in range(len(x)):\n        print(x[i] - x[i + 1])",
    ],
)
def test_named(body: str) -> None:
    finding, _ = one(RULE, "", f"def f(x):\n    {body}\n")
    assert "IndexError" in finding.message


def test_javascript_is_fixed() -> None:
    text = fixed(RULE, "", "function f(x) {\n  for (let i = 0; i <= x.length; i++) {\n    g(x[i]);\n  }\n}\n", "a.js")
    assert "i < x.length" in text


@pytest.mark.parametrize(
    "body",
    [
        "return x[len(x) - 1]",
        "x[len(x)] = 1",
        "for i in range(len(x)):\n        print(x[i])",
        "for i in range(len(x) - 1):\n        print(x[i + 1])",
        "for i in range(len(x)):\n        if i + 1 < len(x):\n            print(x[i + 1])",
        "for i in range(len(x) + 1):\n        print(x[:i])",
        "for i in range(len(x)):\n        if i == 3:\n            break\n        print(x[i + 1])",
    ],
)
def test_silent(body: str) -> None:
    assert not find(RULE, "", f"def f(x):\n    {body}\n")
