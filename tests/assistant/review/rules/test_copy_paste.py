"""Copies with one place left as it was."""

from __future__ import annotations

import pytest

from assistant.review.rules import copy_paste
from tests.assistant.review.rules.cases import find, fixed, one

RULE = copy_paste.RULE


def test_a_twin_is_put_right() -> None:
    new = "class A:\n    def __init__(self, width, height):\n        self.width = width\n        self.height = width\n"
    assert "self.height = height" in fixed(RULE, "", new)


def test_equal_branches() -> None:
    one(RULE, "", "def f(x):\n    if x:\n        return load(x, 'utf-8')\n    else:\n        return load(x, 'utf-8')\n")


@pytest.mark.parametrize(
    "new",
    [
        "def f(self, width, height):\n    self.width = width\n    self.height = height\n",
        "def f(self, width, height):\n    self.width = width\n    self.height = width\n    return height\n",
        "def f(self, width):\n    self.width = width\n    self.height = width\n",
        "def f(x):\n    if x:\n        return 1\n    else:\n        return 1\n",
        "def f(x):\n    if x:\n        return load(x, 'utf-8')\n    else:\n        return load(x, 'ascii')\n",
    ],
)
def test_silent(new: str) -> None:
    assert not find(RULE, "", new)
