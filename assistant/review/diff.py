"""Which lines of a text became which of another: patience first (lines that are unique on both sides), then difflib.

difflib alone is quadratic on large files; lines that occur once in both texts, the anchors, cut the problem into small ones
and keep functions together. Knows texts; nothing of files or git.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from assistant.review.types import Hunk

MOST_COMPARED = 1_000_000
"""Pairs of lines that difflib may look at in one gap between anchors; a larger gap is one hunk."""

MAX_DEPTH = 60


def hunks(old: str, new: str) -> tuple[Hunk, ...]:
    """The changed runs of lines, in order. Lines end with LF; the end of a line (CR or not) is no difference."""
    return tuple(line_hunks(lines(old), lines(new)))


def lines(text: str) -> list[str]:
    """A text's lines without their ends; what stands after the last LF is a line if there is anything."""
    found = text.split("\n")
    if found and not found[-1]:
        found.pop()
    return [line.removesuffix("\r") for line in found] if "\r" in text else found


def line_hunks(old: Sequence[str], new: Sequence[str]) -> list[Hunk]:
    """The changed runs, touching ones joined."""
    joined: list[Hunk] = []
    for one in _compare(old, new, 0, len(old), 0, len(new), 0):
        last = joined[-1] if joined else None
        if last is not None and (last.old_end, last.new_end) == (one.old_start, one.new_start):
            joined[-1] = Hunk(last.old_start, one.old_end, last.new_start, one.new_end)
        else:
            joined.append(one)
    return joined


def _compare(old: Sequence[str], new: Sequence[str], a: int, b: int, c: int, d: int, depth: int) -> Iterator[Hunk]:
    while a < b and c < d and old[a] == new[c]:
        a, c = a + 1, c + 1
    while a < b and c < d and old[b - 1] == new[d - 1]:
        b, d = b - 1, d - 1
    if a == b or c == d:
        if a < b or c < d:
            yield Hunk(a, b, c, d)
        return
    anchors = _anchors(old, new, a, b, c, d) if depth < MAX_DEPTH else []
    if not anchors:
        yield from _small(old, new, a, b, c, d)
        return
    for i, j in [*anchors, (b, d)]:
        yield from _compare(old, new, a, i, c, j, depth + 1)
        a, c = i, j  # the anchor itself goes into the next part, where it is the common beginning


def _anchors(old: Sequence[str], new: Sequence[str], a: int, b: int, c: int, d: int) -> list[tuple[int, int]]:
    """Lines that occur once on either side and come in the same order on both: the longest such run."""
    olds, news = Counter(old[a:b]), Counter(new[c:d])
    places = {new[j]: j for j in range(c, d) if news[new[j]] == 1}
    pairs = [(i, places[old[i]]) for i in range(a, b) if olds[old[i]] == 1 and old[i] in places]
    return _increasing(pairs)


def _increasing(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest subsequence whose second numbers increase (patience sorting)."""
    tops: list[int] = []
    at: list[int] = []
    before: list[int] = []
    for k, (_, j) in enumerate(pairs):
        pile = bisect_left(tops, j)
        before.append(at[pile - 1] if pile else -1)
        tops[pile : pile + 1] = [j]
        at[pile : pile + 1] = [k]
    found = []
    k = at[-1] if at else -1
    while k >= 0:
        found.append(pairs[k])
        k = before[k]
    return found[::-1]


def _small(old: Sequence[str], new: Sequence[str], a: int, b: int, c: int, d: int) -> Iterator[Hunk]:
    if (b - a) * (d - c) > MOST_COMPARED:
        yield Hunk(a, b, c, d)
        return
    for tag, i, j, k, m in SequenceMatcher(None, old[a:b], new[c:d], autojunk=False).get_opcodes():
        if tag != "equal":
            yield Hunk(a + i, a + j, c + k, c + m)
