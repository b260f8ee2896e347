"""Docstrings and signatures that disagree."""

from __future__ import annotations

import pytest

from assistant.review.rules import docstring_parameters
from tests.assistant.review.rules.cases import find, one

RULE = docstring_parameters.RULE
TOLD = '    """Do it.\n\n    :param a: one\n    :param b: two\n    """\n    return a + b\n'


def test_a_parameter_that_is_not_there() -> None:
    finding, line = one(RULE, "", f"def f(a, c):\n{TOLD}")
    assert line == ":param b: two"
    assert "no such parameter" in finding.message


def test_a_parameter_that_is_not_told_of() -> None:
    finding, line = one(RULE, f"def f(a, b):\n{TOLD}", f"def f(a, b, c=0):\n{TOLD}")
    assert line == "def f(a, b, c=0):"
    assert "but the new c" in finding.message


def test_google_style() -> None:
    told = '    """Do it.\n\n    Args:\n        a: One.\n        b: Two.\n    """\n    return a + b\n'
    assert "the new c" in one(RULE, f"def f(a, b):\n{told}", f"def f(a, b, c):\n{told}")[0].message


def test_jsdoc() -> None:
    new = "/**\n * @param {number} a one\n * @param {number} b two\n */\nfunction f(a) { return a; }\n"
    assert one(RULE, "", new, "m.js")[1] == "* @param {number} b two"


@pytest.mark.parametrize("header", ["def f(a, b)", "def f(a, b, **more)", "def f(a, **more)"])
def test_silent(header: str) -> None:
    assert not find(RULE, "", f"{header}:\n{TOLD}")


def test_where_not_all_are_told_of_none_is_missed() -> None:
    told = '    """Do it.\n\n    :param a: one\n    """\n    return a + b\n'
    assert not find(RULE, f"def f(a, b):\n{told}", f"def f(a, b, c=0):\n{told}")
