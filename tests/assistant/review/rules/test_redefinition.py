"""Definitions and keys that are lost under a second one."""

from __future__ import annotations

import pytest

from assistant.review.rules import redefinition
from tests.assistant.review.rules.cases import find, one

RULE = redefinition.RULE


def test_a_test_that_never_runs() -> None:
    old = "def test_a():\n    assert 1\n"
    finding, line = one(RULE, old, old + "\ndef test_a():\n    assert 2\n", "tests/test_x.py")
    assert line == "def test_a():"
    assert finding.line == 3
    assert "never runs" in finding.message


def test_a_key_with_two_values() -> None:
    one(RULE, "", "x = {'a': 1, 'b': 2, 'a': 3}\n")


def test_javascript() -> None:
    one(RULE, "", "class A {\n  f() { return 1; }\n  f() { return 2; }\n}\n", "a.js")


@pytest.mark.parametrize(
    "new",
    [
        "@overload\ndef f(x: int): ...\n@overload\ndef f(x: str): ...\ndef f(x): pass\n",
        "if a:\n    def f(): pass\nelse:\n    def f(): pass\n",
        "def f(): pass\nf = wrap(f)\ndef f(): pass\n",
        "class A:\n    @property\n    def x(self): pass\n    @x.setter\n    def x(self, v): pass\n",
        "def _(): pass\ndef _(): pass\n",
        "x = {'a': 1, **y, 'a': 2}\n",
        "x = {a: 1, b: 2}\n",
    ],
)
def test_silent(new: str) -> None:
    assert not find(RULE, "", new)


def test_javascript_getter_and_setter() -> None:
    assert not find(RULE, "", "class A {\n  get f() { return 1; }\n  set f(x) { }\n  static g() {}\n  g() {}\n}\n", "a.js")
    assert not find(RULE, "", "class A {\n  static get f() { return 1; }\n  static set f(x) { }\n}\n", "a.js")
