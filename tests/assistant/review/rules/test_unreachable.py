"""Statements that never run."""

from __future__ import annotations

import pytest

from assistant.review.rules import unreachable
from tests.assistant.review.rules.cases import find, one

RULE = unreachable.RULE


def test_code_behind_a_new_return() -> None:
    finding, line = one(RULE, "def f(x):\n    g(x)\n    return x\n", "def f(x):\n    return g(x)\n    return x\n")
    assert line == "return x"
    assert finding.evidence[0].line == 1


def test_javascript_behind_throw() -> None:
    _, line = one(RULE, "", "function f() {\n  throw new Error('x');\n  tidy();\n}\n", "a.js")
    assert line == "tidy();"


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ("m.py", "def f():\n    raise NotImplementedError\n    yield\n"),
        ("m.py", "def f(x):\n    if x:\n        return 1\n    return 2\n"),
        ("m.py", "def f():\n    return 1\n    # nothing else\n"),
        ("a.js", "function f() {\n  return g();\n  function g() { return 1; }\n}\n"),
    ],
)
def test_silent(path: str, new: str) -> None:
    assert not find(RULE, "", new, path)


def test_old_dead_code_beside_a_change_is_left_alone() -> None:
    assert not find(RULE, "def f(x):\n    return x\n    g(x)\n", "def f(x):\n    return x\n    g(x, 1)\n")
