"""Checks that are gone while what they checked is still used."""

from __future__ import annotations

import pytest

from assistant.review.rules import removed_guard
from tests.assistant.review.rules.cases import find, one

RULE = removed_guard.RULE
OLD = """
    def area(width, height):
        if width < 0:
            raise ValueError("negative width")
        size = width * height
        return size
"""
NEW = """
    def area(width, height):
        size = width * height
        return size
"""


def test_a_removed_check_of_a_parameter() -> None:
    finding, line = one(RULE, OLD, NEW)
    assert "if width < 0" in finding.message
    assert line == "size = width * height"


def test_javascript() -> None:
    old = "function f(x) {\n  if (!x) {\n    return 1;\n  }\n  return x.a;\n}\n"
    one(RULE, old, "function f(x) {\n  return x.a;\n}\n", "a.js")


@pytest.mark.parametrize(
    "new",
    [
        NEW.replace("size = width", "check(width)\n        size = width"),
        NEW.replace("size = width", "size = max(width, 0)"),
        NEW.replace("(width, height)", "(height)").replace("width * height", "height"),
        NEW + '\n    def check(w):\n        if w < 0:\n            raise ValueError("negative width")\n',
        NEW.replace("size = width * height", "size = height"),
    ],
)
def test_silent(new: str) -> None:
    assert not find(RULE, OLD, new)


def test_a_test_may_lose_its_guards() -> None:
    assert not find(RULE, OLD, NEW, "tests/test_area.py")


def test_a_check_whose_whole_mechanism_went_was_meant_to_go() -> None:
    head = "class A:\n    seen = set()\n\n    def add(self, x):\n"
    old = head + "        if id(x) in self.seen:\n            return\n        self.items.append(x)\n"
    check = "        if id(x) in self.seen:\n            return\n"
    assert len(find(RULE, old, old.replace(check, ""))) == 1
    assert not find(RULE, old, old.replace(check, "").replace("    seen = set()\n\n", ""))
