"""Attributes that nobody sets."""

from __future__ import annotations

import pytest

from assistant.review.rules import missing_attribute
from tests.assistant.review.rules.cases import find, fixed

RULE = missing_attribute.RULE
HEAD = "class A:\n    def __init__(self, error):\n        self.error = error\n"


def test_a_misspelt_attribute_is_put_right() -> None:
    assert "return self.error\n" in fixed(RULE, HEAD, HEAD + "    def f(self):\n        return self.eror\n")


def test_through_a_base_of_the_file() -> None:
    old = HEAD + "\nclass B(A):\n    def f(self):\n        return self.error\n"
    assert "return self.error\n" in fixed(RULE, old, old.replace("return self.error", "return self.errors"))


@pytest.mark.parametrize(
    "new",
    [
        HEAD + "    def f(self):\n        return self.error\n",
        HEAD.replace("class A", "class A(Other)") + "    def f(self):\n        return self.eror\n",
        HEAD + "    def f(self):\n        return self.eror + self.more\n",
        HEAD + "    def f(self):\n        return self.eror\n    def __getattr__(self, name):\n        return 1\n",
        HEAD + "    def f(self):\n        setattr(self, 'eror', 1)\n        return self.eror\n",
        HEAD + "    eror: int\n    def f(self):\n        return self.eror\n",
        HEAD + "    def f(self):\n        self.a, self.eror = 1, 2\n        return self.eror\n",
        "@attr.s\n" + HEAD + "    def f(self):\n        return self.eror\n",
    ],
)
def test_silent(new: str) -> None:
    assert not find(RULE, HEAD, new)
