"""Private definitions that nothing uses any more."""

from __future__ import annotations

import pytest

from assistant.review.rules import left_behind
from tests.assistant.review.rules.cases import find, one

RULE = left_behind.RULE


def test_the_last_use_went() -> None:
    finding, line = one(RULE, "def _f():\n    pass\n\nx = _f()\n", "def _f():\n    pass\n\nx = 1\n")
    assert line == "def _f():"
    assert "took its last use away" in finding.message


def test_new_and_never_used() -> None:
    assert "nothing uses it" in one(RULE, "x = 1\n", "x = 1\n_LIMIT = 5\n")[0].message
    assert "helper" in one(RULE, "", "def helper():\n    return 1\n", "tests/test_m.py")[0].message


def test_javascript_what_is_not_exported() -> None:
    finding, _ = one(RULE, "function f() {}\nf();\nexport const a = 1;\n", "function f() {}\nexport const a = 1;\n", "m.ts")
    assert "function f" in finding.message


@pytest.mark.parametrize(
    ("new", "others"),
    [
        ("def _f():\n    pass\n\nx = 1\n", {"b.py": "from pkg.module import _f\n"}),
        ("def _f():\n    pass\n\nx = 1  # unlike _f\n", {}),
        ("@register\ndef _f():\n    pass\n\nx = 1\n", {}),
        ("class A(B):\n    def _f(self):\n        pass\n\nx = 1\n", {}),
        ("def f():\n    pass\n\nx = 1\n", {}),
    ],
)
def test_silent(new: str, others: dict[str, str]) -> None:
    assert not find(RULE, "def _f():\n    pass\n\nx = _f()\n", new, others=others)


def test_what_was_unused_before_is_old() -> None:
    assert not find(RULE, "def _f():\n    pass\n\nx = 1\n", "def _f():\n    pass\n\nx = 2\n")
