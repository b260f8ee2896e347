"""Keywords that a call passed on and its siblings still do."""

from __future__ import annotations

import pytest

from assistant.review.rules import dropped_argument
from tests.assistant.review.rules.cases import find, one

RULE = dropped_argument.RULE
OLD = "def f(x, strict):\n    a = load(x.a, strict=strict)\n    b = load(x.b, strict=strict)\n    return a, b\n"


def test_the_sibling_is_the_witness() -> None:
    finding, line = one(RULE, OLD, OLD.replace("load(x.b, strict=strict)", "load(x.b)"))
    assert line == "b = load(x.b)"
    assert [e.line for e in finding.evidence] == [1]


@pytest.mark.parametrize(
    "new",
    [
        OLD.replace(", strict=strict)", ")"),
        OLD.replace("load(x.b, strict=strict)", "load(x.b, mode=strict)"),
        OLD.replace("load(x.b, strict=strict)", "save(x.b)"),
        OLD.replace("load(x.b, strict=strict)", "load(x.b, **more)"),
    ],
)
def test_silent(new: str) -> None:
    assert not find(RULE, OLD, new)
