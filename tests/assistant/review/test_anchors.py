"""A pin is on the text it was set on, or nowhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.review.anchors import Pin

TEXT = st.text(st.sampled_from("ab\n"), max_size=30)


@given(TEXT, st.integers(0, 6), st.integers(0, 2), st.data())
def test_after_any_edits_the_pinned_lines_are_whole_lines_with_the_same_text(
    text: str, line: int, more: int, data: st.DataObject
) -> None:
    pin: Pin | None = Pin.on(text, line, line + more)
    assert pin is not None
    said = text[pin.start : pin.end]
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, len(text)))
        new = data.draw(st.text(st.sampled_from("ab\n"), max_size=5))
        pin = pin.after(text, start, end, new)
        text = text[:start] + new + text[end:]
        if pin is None:
            return
        assert text[pin.start : pin.end] == said
        assert pin.start == 0 or text[pin.start - 1] == "\n"
        assert pin.end == len(text) or text[pin.end] == "\n"


@pytest.mark.parametrize(
    ("start", "end", "new", "stays"),
    [
        (0, 0, "import os\n", True),
        (4, 4, "x", False),
        (4, 4, "x\n", True),
        (7, 7, "\nx", True),
        (7, 7, "x", False),
        (5, 6, "z", False),
        (3, 4, "", False),
        (0, 4, "", True),
        (7, 8, "", False),
        (8, 12, "", True),
        (4, 7, "two", False),
    ],
)
def test_an_edit_beside_the_line_moves_it_and_one_in_it_ends_it(start: int, end: int, new: str, stays: bool) -> None:
    text = "one\ntwo\nthree"
    pin = Pin.on(text, 1, 1)
    after = pin.after(text, start, end, new)
    changed = text[:start] + new + text[end:]
    assert (after is not None) == stays
    assert after is None or changed[after.start : after.end] == "two"


def test_crlf_ends_are_not_part_of_a_line() -> None:
    text = "one\r\ntwo\r\n"
    pin = Pin.on(text, 1, 1)
    assert text[pin.start : pin.end] == "two"
    assert pin.after(text, pin.end, pin.end, "\r\nx") == pin
    assert Pin.around(text, 6, 7) == pin
