"""Comments that tell of what is gone."""

from __future__ import annotations

import pytest

from assistant.review.rules import stale_name
from tests.assistant.review.rules.cases import find, one

RULE = stale_name.RULE
OLD = "def load_items():\n    pass\n"
NEW = "def read_items():\n    pass\n"


def test_a_comment_in_another_file() -> None:
    finding, line = one(RULE, OLD, NEW, others={"pkg/use.py": "x = 1\n# see load_items() for the order\n"})
    assert (finding.path, line) == ("pkg/use.py", "# see load_items() for the order")


def test_a_docstring_of_the_same_file() -> None:
    tail = 'def g():\n    """Do it.\n\n    As `load_items` does.\n    """\n'
    finding, line = one(RULE, OLD + tail, NEW + tail)
    assert line == "As `load_items` does."
    assert finding.line == 5


@pytest.mark.parametrize(
    "other",
    [
        "# see load_items()\nfrom far import load_items\n",
        "# formerly load_items()\n",
        "# see pkg.load_items_all\n",
        "# see load_items()\ngetattr(x, 'load_items')\n",
    ],
)
def test_silent(other: str) -> None:
    assert not find(RULE, OLD, NEW, others={"pkg/use.py": other})


def test_a_plain_word_is_no_name() -> None:
    assert not find(RULE, "def loading():\n    pass\n", "x = 1\n", others={"pkg/use.py": "# while loading\n"})
