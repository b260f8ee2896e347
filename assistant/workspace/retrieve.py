"""What the workspace says of the code at a cursor: the function that is called, the members of a class, what imports mean,
blocks like the one being written, recent edits. Each as a short text of signatures and first sentences, or of code.

Whether any of it is worth its place in a prompt is for others to say. Knows the index and a snapshot; not models or tokens.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from assistant.cancel import Cancel
from assistant.types import Snapshot
from assistant.workspace.aim import DEADLINE_MS, Snippet, Snippets, aim
from assistant.workspace.index import WorkspaceIndex
from assistant.workspace.lookup import Symbol
from assistant.workspace.meaning import SELVES, TYPES, Meaning
from assistant.workspace.search import Place, Searcher
from assistant.workspace.words import identifiers

_MOST_MEMBERS, _MOST_IMPORTS, _MOST_SIMILAR, _MOST_EDITS = 30, 8, 3, 3
_USED_BEFORE, _USED_AFTER = 1_500, 500  # characters around the cursor whose imported names count as in use
_LONGEST = 1_200  # characters of one piece of code: 25 lines
_LEAST_SHARED = 3
_DOC = 100
_WORDS = (
    "self this class return else elif None True False true false null import from with async await yield lambda raise except"
    " function const switch case default export static public private void interface struct string number boolean type range"
    " print super isinstance Exception ValueError Error undefined typeof throw catch finally while break continue"
)
_EVERYWHERE = frozenset(_WORDS.split())
_WORD = re.compile(r"[^\W\d]\w*")

_log = logging.getLogger(__name__)

Recent = Callable[[Snapshot], Sequence[tuple[str, str]]]
"""The user's latest edits elsewhere, newest first: the absolute path of the file, and the text to show."""


class WorkspaceRetriever:
    """A `Retriever` over one index. ``recent``: where recent edits come from; the open buffers if it is not given.
    ``clock``: monotonic seconds.
    """

    def __init__(
        self, index: WorkspaceIndex, recent: Recent | None = None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._index, self._recent, self._clock = index, recent, clock

    def snippets(
        self, snapshot: Snapshot, kinds: Sequence[str], shown: str, cancel: Cancel, deadline_ms: float = DEADLINE_MS
    ) -> Snippets:
        """See `Retriever`."""
        until = self._clock() + deadline_ms / 1000
        found: list[Snippet] = []
        late = []
        try:
            work = _Work(self._index, snapshot, shown, self._recent, lambda: until - self._clock())
            for kind in kinds:
                if cancel.is_set() or self._clock() >= until or not work.meaning.is_known:
                    late.append(kind)
                else:
                    found += getattr(work, kind)()
        except Exception:
            _log.exception("looking for context failed; the completion goes on without it")
        return Snippets(tuple(found), tuple(late))


class _Work:
    """One retrieval. Each kind is a method of its name."""

    def __init__(
        self, index: WorkspaceIndex, snapshot: Snapshot, shown: str, recent: Recent | None, left_s: Callable[[], float]
    ) -> None:
        self.index, self.snapshot, self.shown, self.recent, self.left_s = index, snapshot, shown, recent, left_s
        self.meaning = Meaning(index, snapshot)
        self.aim = aim(snapshot)

    def callee(self) -> Iterator[Snippet]:
        """The function whose arguments are being written; of a class, what makes it."""
        symbol = self.meaning.resolve(self.aim.callee) if self.aim.callee else None
        if symbol is None:
            return
        made = self.constructor(symbol) if symbol.kind in TYPES else symbol
        if made is None:
            fields = [m for m in self.meaning.inside(symbol) if m.kind == "field" and m.returns]
            if fields and not self.is_shown(symbol):
                yield self.snippet("callee", symbol, f"{symbol.name}({', '.join(map(_field, fields))}){_sentence(symbol)}")
        elif made.signature and not self.is_shown(made):
            text = made.signature if made is symbol else made.signature.replace("__init__", symbol.name, 1)
            yield self.snippet("callee", made, f"{text}{_sentence(made)}")

    def members(self) -> Iterator[Snippet]:
        """What the receiver's class has, or the module that it stands for."""
        receiver = self.aim.receiver
        if not receiver:
            return
        for path in self.meaning.modules(receiver):
            symbols = [s for s in self.meaning.lookup.outline(path) if s.qualified == s.name and not s.name.startswith("_")]
            yield from self.listed("members", path, receiver, symbols)
        owner = self.meaning.type_of(receiver)
        yield from self.of_class("members", owner) if owner is not None else ()

    def own(self) -> Iterator[Snippet]:
        """Members of the class around the cursor and of its bases."""
        owner = self.meaning.enclosing_class() if self.aim.receiver not in SELVES else None
        yield from self.of_class("own", owner) if owner is not None else ()

    def imports(self) -> Iterator[Snippet]:
        """What the imported names near the cursor mean, the nearest name first."""
        text, at = self.snapshot.text, self.snapshot.offset
        used = _WORD.findall(text[max(0, at - _USED_BEFORE) : at])[::-1] + _WORD.findall(text[at : at + _USED_AFTER])
        names = [name for name in dict.fromkeys(used) if name in self.meaning.bound]
        found = (self.meaning.top_level(name) for name in names[:_MOST_IMPORTS])
        for symbol in dict.fromkeys(s for s in found if s is not None):
            if symbol.kind in TYPES:
                yield from self.of_class("imports", symbol)
            elif symbol.signature and not self.is_shown(symbol):
                yield self.snippet("imports", symbol, f"{symbol.signature}{_sentence(symbol)}")

    def similar(self) -> Iterator[Snippet]:
        """Blocks of other files that have several telling names in common with what is being written."""
        place = Place(self.meaning.path, self.snapshot.text, self.snapshot.offset, self.shown)
        hits = Searcher(self.index).near(place, 2 * _MOST_SIMILAR, max(0.0, self.left_s())).hits
        here = self.telling()
        alike = [hit for hit in hits if hit.path != self.meaning.path and len(here & _telling(hit.text)) >= _LEAST_SHARED]
        for hit in alike[:_MOST_SIMILAR]:
            yield Snippet("similar", hit.path, hit.name, _cut(hit.text))

    def edits(self) -> Iterator[Snippet]:
        """What the user has typed elsewhere lately, where it has to do with what is being written."""
        recent = self.recent(self.snapshot) if self.recent is not None else self.typed()
        here = self.telling()
        useful = [(path, text) for path, text in recent if here & _telling(text) and text not in self.shown]
        for path, text in useful[:_MOST_EDITS]:
            yield Snippet("edits", path, "", _cut(text))

    def telling(self) -> frozenset[str]:
        """The telling names before the cursor."""
        return _telling(self.snapshot.text[max(0, self.snapshot.offset - _USED_BEFORE) : self.snapshot.offset])

    def typed(self) -> list[tuple[str, str]]:
        """Pieces of other open buffers that were typed in, the latest first."""
        records, found = self.index.buffers.records(), dict[tuple[str, str], None]()
        for edit in self.index.buffers.edits():
            made = records.get(edit.path)
            for piece in made.pieces if made is not None and edit.path != self.meaning.path else ():
                if piece.chunk.start <= edit.offset <= piece.chunk.end:
                    found[edit.path, made.text[piece.chunk.start : piece.chunk.end]] = None  # type: ignore[union-attr]
        return list(found)

    def of_class(self, kind: str, owner: Symbol) -> Iterator[Snippet]:
        for symbol in self.meaning.family(owner):
            yield from self.listed(kind, symbol.path, symbol.name, self.meaning.inside(symbol))

    def listed(self, kind: str, path: str, name: str, members: Iterable[Symbol]) -> Iterator[Snippet]:
        """Members whose definitions are not shown, a line each."""
        lines = [line for member in members if not self.is_shown(member) and (line := _member(member))]
        if lines:
            yield Snippet(kind, path, name, "\n".join(dict.fromkeys(lines[:_MOST_MEMBERS])))

    def constructor(self, symbol: Symbol) -> Symbol | None:
        members = (m for base in self.meaning.family(symbol) for m in self.meaning.inside(base))
        return next((m for m in members if m.name in ("__init__", "constructor")), None)

    def is_shown(self, symbol: Symbol) -> bool:
        """Whether the prompt holds the definition; what follows its name there may be unfinished."""
        if symbol.kind in ("field", "variable"):
            return (f"{symbol.name}: {symbol.returns}" if symbol.returns else symbol.name) in self.shown
        head = symbol.signature.partition("(")[0] or symbol.name
        return f"{head}(" in self.shown or f"{head}:" in self.shown

    @staticmethod
    def snippet(kind: str, symbol: Symbol, text: str) -> Snippet:
        return Snippet(kind, symbol.path, symbol.qualified, text)


def _member(symbol: Symbol) -> str:
    if symbol.name.startswith("__"):
        return ""
    if symbol.kind in ("field", "variable"):
        return _field(symbol)
    return symbol.signature or symbol.name


def _telling(text: str) -> frozenset[str]:
    """Names that say what code is about: no short ones, and none that every file of a language has."""
    return frozenset(name for name in identifiers(text) if len(name) > 3) - _EVERYWHERE


def _field(symbol: Symbol) -> str:
    return f"{symbol.name}: {symbol.returns}" if symbol.returns else symbol.name


def _sentence(symbol: Symbol) -> str:
    """The first sentence of what is said of a definition, as a comment behind it."""
    doc = " ".join(symbol.doc.split()).partition(". ")[0]
    return f"  # {doc[:_DOC].rstrip('.')}" if doc else ""


def _cut(text: str) -> str:
    """Whole lines, at most `_LONGEST` characters of them."""
    text = text.replace("\r\n", "\n").strip("\n")
    return text if len(text) <= _LONGEST else text[: max(1, text.rfind("\n", 0, _LONGEST))]
