"""The one name among many that another was meant to be: a slip of the fingers, or the same words in another case or order."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
LONG = 8  # from here on two slips are forgiven


def words(name: str) -> tuple[str, ...]:
    """The parts of a name, lower case, singular."""
    return tuple(singular(part.lower()) for part in _WORDS.findall(name))


def singular(word: str) -> str:
    """A word without its plural's ending."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def nearest(name: str, others: Iterable[str], typed: str = "") -> str | None:
    """The nearest of ``others`` that begins with ``typed``; ``None`` if none is near, or two are as near."""
    best: list[tuple[int, str]] = []
    own = words(name)
    for other in others:
        if other != name and other.startswith(typed) and _shape(other) == _shape(name):
            far = _distance(name, own, other)
            if far is not None:
                best.append((far, other))
    best.sort()
    if not best or (len(best) > 1 and best[1][0] == best[0][0]):
        return None
    return best[0][1]


def _shape(name: str) -> tuple[bool, bool, bool]:
    """Private, a constant, or a class by its looks: a slip does not change that."""
    bare = name.lstrip("_")
    return bare != name, len(bare) > 1 and bare.isupper(), bare[:1].isupper()


def _distance(name: str, own: tuple[str, ...], other: str) -> int | None:
    """0 for the same words, else how many slips; ``None`` for too many."""
    limit = 2 if min(len(name), len(other)) >= LONG else 1 if min(len(name), len(other)) >= 4 else 0
    theirs = words(other)
    if own == theirs and own:
        return 0
    if len(own) > 1 and sorted(own) == sorted(theirs):
        return 0
    if abs(len(name) - len(other)) > limit or not limit:
        return None
    slips = edits(name.lower(), other.lower(), limit)
    return slips if slips <= limit else None


def edits(a: str, b: str, limit: int) -> int:
    """Insertions, deletions, replacements and swaps of neighbours from ``a`` to ``b``; more than ``limit`` is ``limit + 1``."""
    last: list[int] = []
    row = list(range(len(b) + 1))
    for i, char in enumerate(a, 1):
        before, last, row = last, row, [i] + [0] * len(b)
        for j, other in enumerate(b, 1):
            row[j] = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (char != other))
            if i > 1 and j > 1 and char == b[j - 2] and a[i - 2] == other:
                row[j] = min(row[j], before[j - 2] + 1)
        if min(row) > limit:
            return limit + 1
    return row[-1]
