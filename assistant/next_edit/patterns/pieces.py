"""A replaced stretch of text taken apart into the smallest pieces that differ: line by line, then token by token.

What lies between two pieces is the same in both texts, character by character.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import NamedTuple

from assistant.next_edit.patterns.tokens import Token, tokens
from assistant.text import common_suffix, first_difference

MAX_LINES = 200  # of a stretch; a longer one stays whole: difflib takes the square
MAX_TOKENS = 400  # of a block of lines


class Piece(NamedTuple):
    """``[old_start, old_end)`` became ``[start, end)``."""

    old_start: int
    old_end: int
    start: int
    end: int

    def moved(self, old: int, new: int) -> Piece:
        return Piece(self.old_start + old, self.old_end + old, self.start + new, self.end + new)


def pieces(old: str, new: str) -> list[Piece]:
    """What differs, in order."""
    if old == new:
        return []
    head = first_difference(old, new)
    tail = common_suffix(old, new, head)
    # Whole lines: a common prefix may end in the middle of a word.
    head = max(old.rfind("\n", 0, head), new.rfind("\n", 0, head)) + 1
    tail = _back_to_line(old, tail) if tail else 0
    a, b = old[head : len(old) - tail], new[head : len(new) - tail]
    return [piece.moved(head, head) for piece in _by_line(a, b)]


def _back_to_line(text: str, tail: int) -> int:
    """The length of the common end without the rest of its first line."""
    if tail == len(text) or text[len(text) - tail - 1] == "\n":
        return tail
    line = text.find("\n", len(text) - tail)
    return 0 if line == -1 else len(text) - line - 1


def _by_line(old: str, new: str) -> Iterator[Piece]:
    a, b = old.splitlines(keepends=True), new.splitlines(keepends=True)
    if len(a) > MAX_LINES or len(b) > MAX_LINES:
        yield Piece(0, len(old), 0, len(new))
        return
    starts, news = _starts(a), _starts(b)
    for tag, i, j, k, m in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        if tag != "replace":
            yield Piece(starts[i], starts[j], news[k], news[m])
            continue
        for part in _paired(a[i:j], b[k:m]):
            yield from (piece.moved(starts[i], news[k]) for piece in part)


def _paired(a: list[str], b: list[str]) -> Iterator[Iterator[Piece]]:
    """Lines one to one where there are as many; else the whole block by its tokens."""
    old = new = 0
    if len(a) != len(b):
        yield by_token("".join(a), "".join(b))
        return
    for one, other in zip(a, b, strict=True):
        yield (piece.moved(o, n) for o, n in [(old, new)] for piece in by_token(one, other))
        old += len(one)
        new += len(other)


def _starts(lines: list[str]) -> list[int]:
    found = [0]
    for line in lines:
        found.append(found[-1] + len(line))
    return found


def by_token(old: str, new: str) -> Iterator[Piece]:
    """What differs between two short texts, never less than a token."""
    if old == new:
        return
    a, b = tokens(old), tokens(new)
    if len(a) > MAX_TOKENS or len(b) > MAX_TOKENS:
        yield Piece(0, len(old), 0, len(new))
        return
    matcher = SequenceMatcher(None, [t.text for t in a], [t.text for t in b], autojunk=False)
    end, new_end = 0, 0
    for i, k, size in matcher.get_matching_blocks():
        for n in range(size):
            yield from _gap(old, new, end, a[i + n].start, new_end, b[k + n].start)
            end, new_end = a[i + n].end, b[k + n].end
    yield from _gap(old, new, end, len(old), new_end, len(new))


def _gap(old: str, new: str, start: int, end: int, new_start: int, new_end: int) -> Iterator[Piece]:
    """The piece between two tokens that stayed, without the white space that stayed."""
    a, b = old[start:end], new[new_start:new_end]
    if a == b:
        return
    space = min(len(a) - len(a.lstrip()), len(b) - len(b.lstrip()))
    while a[:space] != b[:space]:
        space -= 1
    a, b = a[space:], b[space:]
    rest = min(len(a) - len(a.rstrip()), len(b) - len(b.rstrip()))
    while rest and a[len(a) - rest :] != b[len(b) - rest :]:
        rest -= 1
    yield Piece(start + space, end - rest, new_start + space, new_end - rest)


__all__ = ["Piece", "Token", "by_token", "pieces"]
