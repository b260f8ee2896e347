"""The first gate: two rules."""

from __future__ import annotations

import math

import pytest

from assistant.gate.policy import is_sure, skip
from assistant.types import Confidence
from tests.assistant.buffers import site


@pytest.mark.parametrize(
    ("marked", "skipped"),
    [
        ("retu|rn x\n", True),
        ("x = |value\n", True),
        ("x = |_value\n", True),
        ("x = |größe\n", True),
        ("x = |(value)\n", False),
        ("x = | + 1\n", False),
        ("foo(|)\n", False),
        ("if a:\n  |  (b)\n", True),
        ("foo(\n    |)\n", False),
        ("if a:|\n    b()\n", True),
        ("if a:|\n", False),
        ("if a:|\nb()\n", False),
        ("x = {\n    1:|\n        2}\n", False),
        ("return |\n", False),
        ("|", True),
        ("\n\n  |\n", True),
        ("i|", True),
        ("|\nimport os\n", False),
    ],
)
def test_places_not_worth_a_run(marked: str, skipped: bool) -> None:
    assert skip(site(marked)) is skipped


def test_the_mean_probability_decides() -> None:
    half = Confidence(math.log(0.5), -3.0, 4)
    assert is_sure(half, 0.49)
    assert not is_sure(half, 0.51)
    assert is_sure(None, 1.0)
