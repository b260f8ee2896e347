"""Texts with another number of holes than values."""

from __future__ import annotations

import pytest

from assistant.review.rules import format_arity
from tests.assistant.review.rules.cases import find, fixed, one

RULE = format_arity.RULE


@pytest.mark.parametrize(
    "code",
    [
        "'%s %s' % (x,)",
        "'%s' % (x, x)",
        "'%(a)s' % {'b': 1}",
        "'{} {}'.format(x)",
        "'{a}'.format(b=x)",
        "'{}'.format(x, x)",
        "logger.info('%s %s %s', x, x)",
    ],
)
def test_named(code: str) -> None:
    one(RULE, "", f"def f(x):\n    return {code}\n")


def test_an_f_that_is_missing() -> None:
    assert "f'no {x}'" in fixed(RULE, "", "def f(x):\n    raise ValueError('no {x}')\n")


def test_a_constant_that_is_told_as_it_is() -> None:
    new = "BAD_MESSAGE = 'no {name}'\n\ndef f(x):\n    raise ValueError(BAD_MESSAGE)\n"
    finding, line = one(RULE, "", new)
    assert line == "raise ValueError(BAD_MESSAGE)"
    assert finding.evidence[0].line == 0


@pytest.mark.parametrize(
    "code",
    [
        "'%s %s' % (x, x)",
        "'%s' % x",
        "'%s %s' % x",
        "'100%' + '%d' % 3",
        "'%(a)s' % {'a': 1}",
        "'%*d' % (3, x)",
        "'{} {}'.format(*x)",
        "'{0} {0}'.format(x)",
        "'{:>{}}'.format(x, 3)",
        "'{{}} {}'.format(x)",
        "logger.info('%s', x)",
        "logger.info('%(a)s', {'a': x})",
        "print('{y}')",
        "print(f'{x}')",
    ],
)
def test_silent(code: str) -> None:
    assert not find(RULE, "", f"def f(x):\n    return {code}\n")
