"""The small charts: what is drawn can be read."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

from lsp_server.commands.plot import Panel, svg

TEXT = "{http://www.w3.org/2000/svg}text"


def texts(picture: str) -> list[tuple[str, float, float]]:
    """What is written, and where."""
    found = ElementTree.fromstring(picture).iter(TEXT)
    return [(one.text or "", float(one.get("x", "0")), float(one.get("y", "0"))) for one in found]


def test_lines_that_end_together_have_names_apart() -> None:
    written = texts(svg([Panel("a < b", [1, 2], {"one": [3, 5], "two": [4, 5], "three": [2, 5]}, straight=True)], "steps"))
    heights = sorted(y for text, _, y in written if text in ("one", "two", "three"))
    assert [b - a >= 12 for a, b in pairwise(heights)] == [True, True]
    assert "a < b" in [text for text, _, _ in written]


def test_many_values_leave_out_labels_but_never_the_last() -> None:
    steps = list(range(1, 200))
    for straight in (True, False):
        places = [x for text, x, y in texts(svg([Panel("t", steps, {"s": [7.0] * 199}, straight=straight)], "")) if y > 195]
        numbers = [x for x in places if x > 0][:-1]
        assert all(b - a >= 29 for a, b in pairwise(numbers))
        assert "199" in [text for text, _, _ in texts(svg([Panel("t", steps, {"s": [7.0] * 199}, straight=straight)], ""))]


def test_a_straight_axis_has_round_values_at_equal_distances() -> None:
    picture = svg([Panel("t", [0, 50], {"s": [2.92, 4.1]}, straight=True)], "")
    values = [float(text) for text, x, _ in texts(picture) if x == 46 and re.fullmatch(r"[\d.]+", text)]
    assert values == [3.0, 3.2, 3.4, 3.6, 3.8, 4.0]


def test_what_has_no_value_is_not_drawn() -> None:
    picture = svg([Panel("t", [1, 10], {"gone": [0.0, 0.0], "here": [1.0, 2.0]})], "")
    assert "gone" not in picture
    assert "here" in picture
