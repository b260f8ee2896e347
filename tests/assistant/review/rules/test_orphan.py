"""Variables that lost their only reader, or all that changed them."""

from __future__ import annotations

import pytest

from assistant.review.rules import orphan
from tests.assistant.review.rules.cases import find, one

RULE = orphan.RULE
SEARCH = """
    def search(first):
        seen = set()
        pending = [first]
        while pending:
            node = pending.pop()
            if node in seen:
                continue
            seen.add(node)
            pending.extend(node.next)
        return False
"""
DEPTH = """
    def balanced(text):
        depth = 0
        for letter in text:
            depth += 1 if letter == "(" else -1
        return depth == 0
"""


def test_a_set_that_nothing_fills_any_more() -> None:
    finding, _ = one(RULE, SEARCH, SEARCH.replace("            seen.add(node)\n", ""))
    assert "seen is always set() now" in finding.message
    assert len(finding.evidence) == 2


def test_a_counter_that_nobody_reads_any_more() -> None:
    finding, _ = one(RULE, DEPTH, DEPTH.replace("depth == 0", "True"))
    assert "depth is still computed" in finding.message


def test_a_parameter_that_is_ignored_now() -> None:
    finding, _ = one(RULE, "def f(a, b):\n    return g(a, b)\n", "def f(a, b):\n    return g(a, 1)\n")
    assert "parameter b of f is ignored" in finding.message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            DEPTH,
            DEPTH.replace("        depth = 0\n", "")
            .replace("            depth +=", "            size =")
            .replace("depth == 0", "True"),
        ),
        (SEARCH, SEARCH.replace("seen.add(node)", "mark(node, seen)")),
        ("class A(B):\n    def f(self, a):\n        return a\n", "class A(B):\n    def f(self, a):\n        return 1\n"),
        ("def f(xs):\n    for x in xs:\n        g(x)\n", "def f(xs):\n    for x in xs:\n        g(1)\n"),
        ("def f():\n    x = 1\n    return g(x)\n", "def f():\n    return g(1)\n"),
    ],
)
def test_silent(old: str, new: str) -> None:
    assert not find(RULE, old, new)
