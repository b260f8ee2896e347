"""Hunks turn one text into the other, touch nothing else, and are small."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from assistant.review.diff import hunks, line_hunks, lines
from assistant.review.types import Hunk

TEXT = st.lists(st.sampled_from(["a", "b", "c", "d", "", "  a", "e"]), max_size=25)


def patched(old: list[str], new: list[str], found: list[Hunk]) -> list[str]:
    result, at = [], 0
    for one in found:
        result += [*old[at : one.old_start], *new[one.new_start : one.new_end]]
        at = one.old_end
    return [*result, *old[at:]]


@given(TEXT, TEXT)
def test_the_hunks_turn_the_old_lines_into_the_new_ones(old: list[str], new: list[str]) -> None:
    found = line_hunks(old, new)
    assert patched(old, new, found) == new
    assert patched(new, old, [Hunk(h.new_start, h.new_end, h.old_start, h.old_end) for h in found]) == old
    for before, after in pairwise(found):  # in order, with something equal in between
        assert before.old_end < after.old_start
        assert before.new_end < after.new_start


def test_unique_lines_hold_functions_together() -> None:
    old = "def a():\n    x = 1\n    return x\n\n\ndef c():\n    return 3\n"
    new = "def a():\n    x = 1\n    return x\n\n\ndef b():\n    x = 2\n    return x\n\n\ndef c():\n    return 3\n"
    assert hunks(old, new) == (Hunk(5, 5, 5, 10),)


def test_line_ends_are_no_difference() -> None:
    assert hunks("a\nb\n", "a\r\nb\r\n") == ()
    assert hunks("a\nb", "a\nb\n") == ()
    assert lines("a\r\nb\x0cc\n") == ["a", "b\x0cc"]


def test_a_hundred_thousand_changed_lines_are_no_trouble() -> None:
    """Without an anchor between them, too: difflib would look at 10,000,000,000 pairs."""
    old = [f"old {i}" for i in range(100_000)]
    new = [f"new {i}" for i in range(100_000)]
    assert line_hunks([*old, "same"], [*new, "same"]) == [Hunk(0, 100_000, 0, 100_000)]
    assert len(line_hunks(["x", "y"] * 20_000, ["y", "z"] * 20_000)) >= 1
