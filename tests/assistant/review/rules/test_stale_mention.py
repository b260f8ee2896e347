"""Comments with names of variables that are gone."""

from __future__ import annotations

import pytest

from assistant.review.rules import stale_mention
from tests.assistant.review.rules.cases import find, one

RULE = stale_mention.RULE
OLD = "def f(max_size):\n    # max_size counts bytes\n    return max_size + 1\n"
NEW = "def f(limit):\n    # max_size counts bytes\n    return limit + 1\n"


def test_a_parameter_that_was_renamed() -> None:
    finding, line = one(RULE, OLD, NEW)
    assert line == "# max_size counts bytes"
    assert "`max_size`" in finding.message


@pytest.mark.parametrize(
    ("new", "others"),
    [
        (NEW, {"b.py": "max_size = 3\n"}),
        (NEW.replace("# max_size", "# formerly max_size"), {}),
        (NEW + "x = 'max_size'\n", {}),
        (NEW.replace("# max_size", "# limit"), {}),
        (NEW.replace("# max_size counts bytes", '"""Cut.\n\n    >>> max_size = 1\n    """'), {}),
    ],
)
def test_silent(new: str, others: dict[str, str]) -> None:
    assert not find(RULE, OLD, new, others=others)
