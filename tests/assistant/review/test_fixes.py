"""Edits applied, refused and shown."""

from __future__ import annotations

from assistant.review.fixes import apply, place, region, small_diff
from assistant.review.types import TextEdit

TEXT = "a = 1\nb = 2\nc = 3\n"


def edit(start: int, end: int, text: str) -> TextEdit:
    return TextEdit("m.py", start, end, text)


def test_edits_apply_in_any_order_and_never_overlap() -> None:
    assert apply(TEXT, [edit(10, 11, "5"), edit(0, 1, "z")]) == "z = 1\nb = 5\nc = 3\n"
    assert apply(TEXT, [edit(0, 3, "z"), edit(2, 4, "y")]) is None
    assert apply(TEXT, [edit(0, 99, "")]) is None
    assert apply(TEXT, []) == TEXT


def test_the_region_and_the_diff_hold_whole_lines() -> None:
    edits = [edit(10, 11, "5"), edit(6, 6, "# new\n")]
    assert region(TEXT, edits) == (6, 11, "# new\nb = 5")
    assert small_diff(TEXT, edits) == ["-b = 2", "+# new", "+b = 5"]


def test_places_count_from_zero() -> None:
    assert [place(TEXT, at) for at in (0, 5, 6, 18)] == [(0, 0), (0, 5), (1, 0), (3, 0)]
