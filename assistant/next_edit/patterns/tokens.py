"""Lines and tokens of a text for rules that compare texts: words, numbers and single signs, each with its place.

Knows no language: a string is its signs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

TOKEN = re.compile(r"[^\W\d][\w$]*|\$[\w$]*|\d[\w.]*|[^\w\s]")
WORD = re.compile(r"[^\W\d][\w$]*\Z")
_KEPT = """and as assert async await break case catch class const continue def del do elif else except export extends false
finally for from function if import in is lambda let new nonlocal not null of or pass raise return self static super
switch this throw true try typeof undefined var while with yield None True False"""
KEYWORDS = frozenset(_KEPT.split())
"""Words that are no names, of Python and JavaScript."""


class Token(NamedTuple):
    """``text[start:end]``."""

    text: str
    start: int
    end: int


class Swap(NamedTuple):
    """Tokens ``[old, old_end)`` of one list stand where ``[new, new_end)`` of the other do."""

    old: int
    old_end: int
    new: int
    new_end: int


def tokens(text: str, start: int = 0, end: int | None = None) -> list[Token]:
    """The tokens that begin in ``[start, end)``."""
    stop = len(text) if end is None else end
    return [Token(m.group(), m.start(), m.end()) for m in TOKEN.finditer(text, start, stop)]


def swaps(old: Sequence[Token], new: Sequence[Token]) -> list[Swap]:
    """What was put in place of what, between two short lists of tokens."""
    head = 0
    limit = min(len(old), len(new))
    while head < limit and old[head].text == new[head].text:
        head += 1
    tail = 0
    while tail < limit - head and old[-1 - tail].text == new[-1 - tail].text:
        tail += 1
    a = [t.text for t in old[head : len(old) - tail]]
    b = [t.text for t in new[head : len(new) - tail]]
    if not a or not b:
        return [Swap(head, head + len(a), head, head + len(b))] if a or b else []
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    return [Swap(i + head, j + head, k + head, m + head) for tag, i, j, k, m in matcher.get_opcodes() if tag != "equal"]


def line_start(text: str, offset: int) -> int:
    return text.rfind("\n", 0, offset) + 1


def line_end(text: str, offset: int) -> int:
    """Before the line's end mark."""
    end = text.find("\n", offset)
    if end == -1:
        return len(text)
    return end - 1 if end > offset and text[end - 1] == "\r" else end


def openness(text: str) -> int:
    """How many more brackets a piece of text opens than it closes."""
    return sum(text.count(sign) for sign in "([{") - sum(text.count(sign) for sign in ")]}")


def likeness(a: Sequence[Token], b: Sequence[Token]) -> float:
    """How many of the tokens of two lines are the same, 0 to 1."""
    if not a or not b:
        return 0.0
    changed = swaps(a, b)
    return 1.0 - max(sum(s.old_end - s.old for s in changed), sum(s.new_end - s.new for s in changed)) / max(len(a), len(b))


def places(text: str, word: str) -> Iterator[int]:
    """Where a word stands as a whole one. By `str.find`: a regular expression that looks behind takes ten times as long."""
    at = text.find(word) if word else -1
    while at != -1:
        end = at + len(word)
        if not (at and _is_letter(text[at - 1])) and not (end < len(text) and _is_letter(text[end])):
            yield at
        at = text.find(word, end)


def _is_letter(sign: str) -> bool:
    return sign.isalnum() or sign in "_$"


def is_word(text: str) -> bool:
    return WORD.match(text) is not None
