"""One name in the place of another that is good for nothing then."""

from __future__ import annotations

import pytest

from assistant.review.rules import variable_misuse
from tests.assistant.review.rules.cases import find, fixed

RULE = variable_misuse.RULE
OLD = "def span(start, end):\n    size = end - start\n    return size + start\n"


def test_the_orphan_is_put_back() -> None:
    new = OLD.replace("end - start", "start - start")
    assert fixed(RULE, OLD, new) == OLD


@pytest.mark.parametrize(
    "new",
    [
        OLD.replace("size + start", "size + end"),
        "def span(start, end):\n    size = end - begin\n    return size + start\n",
        OLD.replace("end", "stop"),
        OLD.replace("size = end - start", "size = start"),
    ],
)
def test_silent(new: str) -> None:
    assert not find(RULE, OLD, new)
