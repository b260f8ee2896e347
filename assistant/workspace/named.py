"""Definitions by what was typed of their name, and the list that answers one line of search: names first, then meaning.

A name answers when the query is the whole of it, its beginning, its CamelHumps (``gUN`` and ``g_un`` for ``get_user_name``) or
letters of it in order. Knows nothing of editors; what code does is `find`'s business.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from assistant.workspace.find import Finder
from assistant.workspace.index import WorkspaceIndex
from assistant.workspace.lookup import Lookup, Symbol
from assistant.workspace.words import subwords

MAX_QUERY = 60
"""Characters of a query that are compared with names."""

EXACT, SAME, BEGINNING, HUMPS, PART, SCATTERED = range(6)
_MAX_NAMES = 5_000
_KINDS = {"variable": 1, "field": 2, "impl": 3}  # what is looked for most is called or made
_HUMP = re.compile(r"[A-Z]?[a-z]*|\d+")


class Match(NamedTuple):
    """How a name answers: the smaller the better."""

    rank: int
    length: int


def match(name: str, query: str) -> Match | None:
    """How ``name`` answers a query without blanks; ``None`` if it does not."""
    low, asked = name.lower(), query.lower()
    bare, wanted = low.replace("_", ""), asked.replace("_", "")
    if not wanted or not _is_scattered(wanted, bare):
        return None
    if name == query:
        rank = EXACT
    elif bare == wanted:
        rank = SAME
    elif low.startswith(asked) or bare.startswith(wanted):
        rank = BEGINNING
    elif _is_humps(query, name):
        rank = HUMPS
    else:
        rank = PART if wanted in bare else SCATTERED
    return Match(rank, len(name))


def _is_scattered(letters: str, name: str) -> bool:
    rest = iter(name)
    return all(letter in rest for letter in letters)


def _is_humps(query: str, name: str) -> bool:
    """Whether the query is beginnings of the name's parts, in order, the first part among them."""
    parts = subwords(name)
    pieces = [hump.lower() for word in query.split("_") for hump in _HUMP.findall(word) if hump]
    if len(pieces) == 1:  # all in one case: any cut will do
        return _cut(pieces[0], parts)
    return _in_order(pieces, parts)


def _in_order(pieces: list[str], parts: tuple[str, ...]) -> bool:
    if not pieces or not parts or not parts[0].startswith(pieces[0]):
        return False
    rest = iter(parts)
    return all(any(part.startswith(piece) for part in rest) for piece in pieces)


def _cut(letters: str, parts: tuple[str, ...]) -> bool:
    """Whether ``letters`` is made of beginnings of ``parts`` in order, the first part's among them."""
    reached = {0}
    for number, part in enumerate(parts):
        more = {at + length for at in reached for length in range(1, _common(letters[at:], part) + 1)}
        reached = more if number == 0 else reached | more
    return len(letters) in reached


def _common(a: str, b: str) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


class Names:
    """Asks one index for names; safe from any thread."""

    def __init__(self, index: WorkspaceIndex) -> None:
        self._index = index
        self._lookup = Lookup(index)

    def find(self, query: str, limit: int, until: Callable[[], bool] = lambda: False, most: int = SCATTERED) -> list[Symbol]:
        """Definitions whose name answers with rank ``most`` or better, the best first. ``Outer.name`` asks for a member."""
        outer, _, last = query.strip().rstrip("()").rpartition(".")
        last = last[:MAX_QUERY]
        if not last:
            return []
        ranked = sorted((how, name) for name in self._names(last, until) if (how := match(name, last)) and how.rank <= most)
        found: list[Symbol] = []
        for _, name in ranked:
            if len(found) >= limit or until():
                break
            same = [s for s in self._lookup.definitions(name, limit) if _is_inside(s.qualified, outer)]
            found += sorted(same, key=lambda s: (_KINDS.get(s.kind, 0), _is_test(s.path), len(s.path), s.path, s.start))
        return found[:limit]

    def _names(self, query: str, until: Callable[[], bool]) -> Iterable[str]:
        letters = query.replace("_", "")
        pattern = "%" + "%".join("\\" + c if c in "%\\" else c for c in letters) + "%"
        sql = "SELECT DISTINCT name FROM symbol WHERE name LIKE ? ESCAPE '\\' LIMIT ?"
        names = {str(name): None for (name,) in self._index.store.query(sql, (pattern, _MAX_NAMES), until)}
        for made in self._index.buffers.records().values():
            names.update((d.name, None) for d in made.symbols.definitions)
            names.update((f.name, None) for f in made.symbols.fields)
        return names

    def first(self, limit: int) -> list[Symbol]:
        """Some definitions, those of open buffers first: the answer to an empty query."""
        paths = list(self._index.buffers.records())
        sql = "SELECT path FROM file ORDER BY mtime DESC LIMIT ?"
        paths += [str(path) for (path,) in self._index.store.query(sql, (max(20, limit),))]
        found = [s for path in dict.fromkeys(paths) for s in self._lookup.outline(path) if s.kind not in _KINDS]
        return found[:limit]


def _is_test(path: str) -> bool:
    return "test" in os.path.basename(path).lower()


def _is_inside(qualified: str, outer: str) -> bool:
    """Whether what ``qualified`` stands in is called ``outer``, or begins with it."""
    above = qualified.rpartition(".")[0].rpartition(".")[2]
    return not outer or above.lower().startswith(outer.rpartition(".")[2].lower())


class Answer(NamedTuple):
    """``why``: words of the code that answer words of a question; "" where the name did."""

    symbol: Symbol
    why: tuple[str, ...] = ()


def search(
    index: WorkspaceIndex, finder: Finder, query: str, limit: int, until: Callable[[], bool] = lambda: False
) -> list[Answer]:
    """One line of search, best first, each definition once: names that hold what was typed, then what answers by meaning;
    where there is nothing of both, names with its letters here and there. Several words are a question: only a name that is all
    of them comes before its answers.
    """
    query = query.strip()
    names, words = Names(index), query.split()
    if not words:
        return [Answer(symbol) for symbol in names.first(limit)]
    found: dict[tuple[str, int, str], Answer] = {}

    def add(answers: Iterable[Answer]) -> None:
        for answer in answers:
            found.setdefault((answer.symbol.path, answer.symbol.start, answer.symbol.qualified), answer)

    is_word = len(words) == 1
    add(Answer(symbol) for symbol in names.find("".join(words), limit, until, PART if is_word else SAME))
    if len(found) < limit:
        add(a for a in _meant(index, finder, query, limit, until) if not (is_word and a.symbol.kind == "module"))
    if is_word and not found:
        add(Answer(symbol) for symbol in names.find(query, limit, until))
    return list(found.values())[:limit]


def _meant(index: WorkspaceIndex, finder: Finder, query: str, limit: int, until: Callable[[], bool]) -> Iterator[Answer]:
    """By meaning. Code outside of definitions, and text, goes by the name of its file."""
    lookup = Lookup(index)
    for f in finder.find(query, limit, until):
        symbol = lookup.described(f.path, f.name, f.line) if f.name else None
        if symbol is None:
            name = os.path.basename(f.path)
            symbol = Symbol(f.path, name, "", "module", f.start, f.end, f.line, "", "", (), (), "")
        yield Answer(symbol, f.why)


def name_place(symbol: Symbol, text: str) -> int:
    """The offset of the symbol's name in its file's text, else where the symbol begins. A decorator may hold the name, too."""
    if symbol.kind == "module":
        return min(symbol.start, len(text))
    pattern = re.compile(rf"(?<!\w){re.escape(symbol.name)}(?!\w)")
    for found in pattern.finditer(text, symbol.start, max(symbol.start, symbol.end)):
        line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()].lstrip()
        if not line.startswith(("@", "#[", "//", "/*", "*")):
            return found.start()
    return min(symbol.start, len(text))
