"""Mutable defaults that calls share, and those that do no harm."""

from __future__ import annotations

import pytest

from assistant.review.rules import mutable_default
from tests.assistant.review.rules.cases import find, fixed, one

RULE = mutable_default.RULE


def test_a_default_that_is_appended_to_is_named_with_its_use() -> None:
    new = '''
        def add(item, seen=[]):
            """Add."""
            seen.append(item)
            return len(seen)
    '''
    finding, line = one(RULE, "", new)
    assert line == "def add(item, seen=[]):"
    assert "append" in finding.message
    assert [e.line for e in finding.evidence] == [3]
    text = fixed(RULE, "", new)
    assert "seen=None" in text
    assert "    if seen is None:\n        seen = []\n" in text.replace("        ", "    ", 1) or "if seen is None:" in text


def test_a_dataclass_field_with_a_list() -> None:
    _, line = one(RULE, "", "from dataclasses import dataclass\n@dataclass\nclass A:\n    items: list[int] = []\n")
    assert line == "items: list[int] = []"


@pytest.mark.parametrize(
    "new",
    [
        "def f(a, b=[]):\n    return a in b\n",
        "def f(a, b=()):\n    return a + b\n",
        "def f(a, b={}):\n    b = dict(b)\n    b[a] = 1\n    return b\n",
        "class A:\n    items = []\n",
    ],
)
def test_silent(new: str) -> None:
    assert not find(RULE, "", new)


def test_what_the_old_function_had_is_no_news() -> None:
    old = "def add(item, seen=[]):\n    seen.append(item)\n"
    assert not find(RULE, old, "def add(item, seen=[]):\n    seen.append(str(item))\n")


def test_a_fix_has_the_line_ends_of_its_file() -> None:
    text = fixed(RULE, "", "def add(item, seen=[]):\r\n    seen.append(item)\r\n")
    assert text == "def add(item, seen=None):\r\n    if seen is None:\r\n        seen = []\r\n    seen.append(item)\r\n"
