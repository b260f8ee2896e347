"""Text into the words that are searched: identifiers whole, their parts, stems of English words.

Pure and deterministic: the index on disk is only valid while these functions answer the same (`store.SCHEMA` counts it).
Knows nothing of files, languages or weights.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

MAX_IDENTIFIER = 100
"""Characters; a longer word is data, not a name."""

_IDENTIFIER = re.compile(r"[^\W\d]\w+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
_VOWEL = re.compile(r"[aeiouy]")

_STOP = """
    a an the this that these those it its of to in on at by for from with without into onto as is are was were be been being
    and or but nor so than then there here when where which who whom whose what while whether will would shall should can
    could may might must do does did done have has had having i you he she we they them their our your my me us his her
    such via per any each every all some other another more most only own same too very just also thus hence e g i.e eg ie
    etc function method class module given used using use uses object value values instance
"""
STOP = frozenset(_STOP.split())
"""Words of a question that say nothing about which function is meant."""

_ENDINGS = (
    ("ization", "iz"),
    ("isation", "iz"),
    ("ational", "at"),
    ("ations", "at"),
    ("ation", "at"),
    ("ities", "ity"),
    ("ments", "ment"),
    ("iness", "y"),
    ("ously", "ous"),
    ("ically", "ic"),
    ("ators", "at"),
    ("ator", "at"),
    ("ising", "iz"),
    ("ised", "iz"),
    ("ises", "iz"),
    ("ise", "iz"),
    ("ize", "iz"),
    ("izer", "iz"),
    ("ies", "y"),
    ("ied", "y"),
    ("tions", "t"),
    ("tion", "t"),
    ("sions", "s"),
    ("sion", "s"),
    ("ings", ""),
    ("ing", ""),
    ("ers", ""),
    ("ors", ""),
    ("eds", ""),
    ("ed", ""),
    ("er", ""),
    ("or", ""),
    ("es", ""),
    ("ly", ""),
    ("s", ""),
    ("e", ""),
)


@lru_cache(maxsize=1 << 12)
def stem(word: str) -> str:
    """A lower-case word without its grammatical ending: ``parser``, ``parsing`` and ``parsed`` all give ``pars``."""
    if len(word) < 4 or not word.isascii() or word.endswith(("ss", "us", "is")):
        return word
    for ending, put in _ENDINGS:
        if word.endswith(ending):
            rest = word[: len(word) - len(ending)] + put
            if len(rest) >= 3 and _VOWEL.search(rest):
                return _undoubled(rest)
    return word


def _undoubled(word: str) -> str:
    return word[:-1] if word[-1] == word[-2] and word[-1] not in "lsz" else word


@lru_cache(maxsize=1 << 12)
def subwords(identifier: str) -> tuple[str, ...]:
    """The lower-case parts of a camelCase, snake_case or UPPER_CASE name: ``parseHTTPHeader2`` gives parse, http, header, 2."""
    return tuple(part.lower() for part in _PART.findall(identifier))


@lru_cache(maxsize=1 << 13)
def stems(identifier: str) -> tuple[str, ...]:
    """Stems of the parts of a name that have two letters or more."""
    return tuple(stem(part) for part in subwords(identifier) if len(part) > 1 and not part.isdigit())


def identifiers(text: str) -> list[str]:
    """Every identifier-like word of two characters or more, in order, repeats kept, as written."""
    return [name for name in _IDENTIFIER.findall(text) if len(name) <= MAX_IDENTIFIER]


def capped(words: Iterable[str], most: int) -> list[str]:
    """The words in order, each at most ``most`` times: beyond a few, a repeat says no more about what code does, and an index
    without them is a third of the size.
    """
    counts: dict[str, int] = {}
    kept = []
    for word in words:
        count = counts.get(word, 0)
        if count < most:
            counts[word] = count + 1
            kept.append(word)
    return kept


def prose(text: str) -> list[str]:
    """Stems of the words of a sentence, names in it split, stop words dropped; all words when nothing else is left."""
    words = [part for name in identifiers(text) for part in subwords(name) if len(part) > 1]
    kept = [stem(word) for word in words if word not in STOP]
    return kept or [stem(word) for word in words]
