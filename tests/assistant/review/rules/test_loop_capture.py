"""Functions that all see a loop's last value."""

from __future__ import annotations

import pytest

from assistant.review.rules import loop_capture
from tests.assistant.review.rules.cases import find, fixed, one

RULE = loop_capture.RULE


def test_a_lambda_in_a_list_binds_its_own() -> None:
    new = "def f(xs):\n    out = []\n    for x in xs:\n        out.append(lambda: x + 1)\n    return out\n"
    assert "lambda x=x: x + 1" in fixed(RULE, "", new)


@pytest.mark.parametrize(
    "code",
    [
        "return [lambda: x for x in xs]",
        "for x in xs:\n        table[x] = lambda v: v + x",
        "for x in xs:\n        button.connect(lambda: x)",
        "for x in xs:\n        def g():\n            return x\n        table.append(g)",
    ],
)
def test_named(code: str) -> None:
    finding, _ = one(RULE, "", f"def f(xs, table, button):\n    {code}\n")
    assert "`x`" in finding.message


@pytest.mark.parametrize(
    "code",
    [
        "for x in xs:\n        table.append(lambda x=x: x)",
        "for x in xs:\n        table.sort(key=lambda y: y + x)",
        "for x in xs:\n        g = lambda: x\n        g()",
        "for x in xs:\n        table.append(lambda: table)",
        "return [sorted(xs, key=lambda y: x) for x in xs]",
        "for x in xs:\n        def g(x):\n            return x\n        table.append(g)",
    ],
)
def test_silent(code: str) -> None:
    assert not find(RULE, "", f"def f(xs, table):\n    {code}\n")
