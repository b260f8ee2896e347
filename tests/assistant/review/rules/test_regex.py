"""Patterns that do not compile, groups that are not there, flags as a count."""

from __future__ import annotations

import pytest

from assistant.review.rules import regex
from tests.assistant.review.rules.cases import find, fixed, one

RULE = regex.RULE


@pytest.mark.parametrize(
    "code",
    [
        "re.compile(r'(a')",
        "re.sub(r'(a)', r'\\2', x)",
        "re.match(r'(a)(b)', x).group(3)",
    ],
)
def test_named(code: str) -> None:
    one(RULE, "", f"def f(x):\n    return {code}\n")


def test_names_for_another_number_of_groups() -> None:
    one(RULE, "", "def f(x):\n    a, b = re.match(r'(a)', x).groups()\n    return a\n")


def test_flags_as_a_count() -> None:
    assert "flags=re.ASCII" in fixed(RULE, "", "def f(x):\n    return re.sub(r'a', '', x, re.ASCII)\n")


@pytest.mark.parametrize(
    "code",
    [
        "re.compile(r'(a)')",
        "re.sub(r'(a)', r'\\1', x)",
        "re.match(r'(a)(b)', x).group(2)",
        "re.compile('\\\\(')",
        "re.compile(x)",
        "re.sub(r'a', '', x, flags=re.ASCII)",
        "re.compile(f'({x}')",
    ],
)
def test_silent(code: str) -> None:
    assert not find(RULE, "", f"def f(x):\n    return {code}\n")
