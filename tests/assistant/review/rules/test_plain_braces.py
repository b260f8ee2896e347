"""Texts that show braces instead of values."""

from __future__ import annotations

import pytest

from assistant.review.rules import plain_braces
from tests.assistant.review.rules.cases import find, fixed, one

RULE = plain_braces.RULE


def test_an_exception() -> None:
    new = 'def f(name):\n    raise ValueError("no {name} here")\n'
    assert one(RULE, "", new)[0].line == 1
    assert 'f"no {name} here"' in fixed(RULE, "", new)


def test_javascript() -> None:
    assert "backquotes" in one(RULE, "", 'function f(a) {\n  throw new Error("no ${a} here");\n}\n', "m.js")[0].message


@pytest.mark.parametrize(
    "new",
    [
        'def f(name):\n    raise ValueError("no {name}".format(name=name))\n',
        'def f(name):\n    raise ValueError("no {other}")\n',
        'def f(name):\n    return "no {name}"\n',
        'def f(name):\n    raise ValueError("no {{name}}")\n',
        'def f(name):\n    log("{name}")\n',
        'def f(name):\n    logger.info("{name} {x} {y}", 1, 2)\n',
    ],
)
def test_silent(new: str) -> None:
    assert not find(RULE, "", new)
