"""Constructors that leave out the one above."""

from __future__ import annotations

import pytest

from assistant.review.rules import super_init
from tests.assistant.review.rules.cases import find, one

RULE = super_init.RULE
BASE = "class Base:\n    def __init__(self):\n        self.items = []\n    def count(self):\n        return len(self.items)\n"


def test_an_attribute_that_is_never_set() -> None:
    finding, _ = one(RULE, BASE, BASE + "\nclass A(Base):\n    def __init__(self, x):\n        self.x = x\n")
    assert "self.items" in finding.message


def test_a_base_in_another_file() -> None:
    new = "from pkg.base import Base\n\nclass A(Base):\n    def __init__(self, x):\n        self.x = x\n"
    finding, _ = one(RULE, "", new, others={"pkg/base.py": BASE})
    assert finding.evidence[0].path == "pkg/base.py"


def test_javascript() -> None:
    one(RULE, "", "class A extends B {\n  constructor(x) { this.x = x; }\n}\n", "a.js")


@pytest.mark.parametrize(
    "new",
    [
        "class A(Base):\n    def __init__(self):\n        super().__init__()\n",
        "class A(Base):\n    def __init__(self):\n        Base.__init__(self)\n",
        "class A(Base):\n    def __init__(self):\n        self.items = [1]\n",
        "class A(Base):\n    pass\n",
        "class A(Other):\n    def __init__(self):\n        self.x = 1\n",
    ],
)
def test_silent(new: str) -> None:
    assert not find(RULE, BASE, BASE + "\n" + new)
