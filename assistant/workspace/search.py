"""What of the workspace may help at the cursor: four rankings of its pieces, fused, without what the prompt shows already.

By the rarest identifiers near the cursor (BM25), by the definitions of names near the cursor, by import distance and by
recent edits; joined by reciprocal rank fusion. A deadline cuts what has not come yet. Finds and ranks; whether a piece is
worth its tokens, and how a prompt is packed, is for others to say.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from assistant.workspace.chunks import Chunk
from assistant.workspace.index import WorkspaceIndex, real
from assistant.workspace.module_files import module_files
from assistant.workspace.record import Piece, Record
from assistant.workspace.words import identifiers

DEADLINE_S = 0.020
RAREST = 8
MAX_SHARE = 0.05
"""Identifiers in more than this share of the files say nothing; the eight rarest cost 1.4 ms where 32 cost 50."""

MAX_FILES = 200
"""Identifiers beyond the second are added while so many files have them: a piece costs 3 microseconds to rank."""

NEAR_LINES = 20
_FUSION = 60  # Cormack, Clarke and Büttcher's constant
_CANDIDATES = 40
_TOO_MANY = 12  # definitions of one name
_SAME = 0.7  # of a piece's lines in the prompt, or of two pieces' identifiers in common: the same thing twice


@dataclass(frozen=True)
class Place:
    """Where help is wanted. ``shown``: what the prompt holds of the workspace already, the text around the cursor included."""

    path: str
    text: str
    offset: int
    shown: str = ""


@dataclass(frozen=True)
class Hit:
    """A piece of a file. ``line`` counts from 0. ``ranks``: its place (from 1) in each ranking that has it."""

    path: str
    line: int
    kind: str
    name: str
    text: str
    score: float
    ranks: dict[str, int] = field(compare=False)


@dataclass(frozen=True)
class Hits:
    """Best first. ``late``: rankings that were not there by the deadline."""

    hits: tuple[Hit, ...]
    late: tuple[str, ...] = ()


class _Candidate(NamedTuple):
    """A piece on disk (``file`` set) or of an open buffer (``made`` set). ``names``: its identifiers, in lower case."""

    path: str
    chunk: Chunk
    name: str
    names: frozenset[str]
    file: int = 0
    made: Record | None = None

    @property
    def key(self) -> tuple[str, int, int]:
        return self.path, self.chunk.start, self.chunk.end


class _Late(Exception):  # noqa: N818 - a control signal, not an error
    pass


class Searcher:
    """Searches one index. ``clock`` is monotonic, in seconds. Safe from any thread; never writes."""

    def __init__(self, index: WorkspaceIndex, clock: Callable[[], float] = time.perf_counter) -> None:
        self._index = index
        self._clock = clock

    def near(self, place: Place, limit: int = 8, deadline_s: float = DEADLINE_S) -> Hits:
        """The pieces that may help at a place, at most ``limit``. The last quarter of the time is for choosing among them."""
        return _Search(self._index, self._clock, self._clock() + 0.75 * deadline_s, place).run(limit)


class _Search:
    def __init__(self, index: WorkspaceIndex, clock: Callable[[], float], until: float, place: Place) -> None:
        self.store = index.store
        self.roots = index.roots
        self.edits = index.buffers.edits()
        self.records = index.buffers.records()  # a buffer that has not been read yet is what the disk says
        self.path = real(place.path)
        self.place = place
        self.is_late: Callable[[], bool] = lambda: clock() > until
        self.found: dict[tuple[str, int, int], _Candidate] = {}

    def run(self, limit: int) -> Hits:
        rankings: dict[str, list[tuple[str, int, int]]] = {}
        late = []
        for name, ranking in (("identifiers", self.by_identifiers), ("symbols", self.by_symbols), ("recent", self.by_edits)):
            try:
                rankings[name] = self.kept(ranking())
            except _Late:
                late.append(name)
        try:
            rankings["imports"] = self.by_imports()
        except _Late:
            late.append("imports")
        return Hits(tuple(self.chosen(rankings, limit)), tuple(late))

    def kept(self, candidates: Iterable[_Candidate]) -> list[tuple[str, int, int]]:
        """Remember candidates; their keys in order, each once, without the piece the cursor is in."""
        keys = []
        for candidate in candidates:
            if candidate.path == self.path and candidate.chunk.start <= self.place.offset <= candidate.chunk.end:
                continue
            keys.append(self.found.setdefault(candidate.key, candidate).key)
        return list(dict.fromkeys(keys))

    def query(self, sql: str, parameters: Iterable[object]) -> list[tuple[Any, ...]]:
        if self.is_late():
            raise _Late
        rows = self.store.query(sql, tuple(parameters), self.is_late)
        if not rows and self.is_late():
            raise _Late
        return rows

    # Rankings

    def by_identifiers(self) -> Iterator[_Candidate]:
        """BM25 over whole identifiers, the rarest of those near the cursor."""
        weights = self.rarest()
        if not weights:
            return
        scored = [(score, candidate) for candidate in self.buffered() if (score := _overlap(weights, candidate.names)) > 0]
        if self.store.has_text:
            match = "names : (" + " OR ".join(f'"{name}"' for name in weights) + ")"
            sql = (  # the names of the best alone are read: of all that match, that is half of the time
                f"SELECT {_COLUMNS}, words.names FROM (SELECT rowid AS id FROM words WHERE words MATCH ?"
                " ORDER BY bm25(words, 0, 0, 0, 0, 1) LIMIT ?) AS best CROSS JOIN chunk USING (id)"
                " JOIN words ON words.rowid = best.id JOIN file ON file.id = chunk.file"
            )
            for row in self.query(sql, (match, _CANDIDATES + 10 * len(self.records))):
                candidate = _candidate(row)
                if candidate.path not in self.records:
                    scored.append((_overlap(weights, candidate.names), candidate))
        scored.sort(key=lambda pair: -pair[0])
        yield from (candidate for _, candidate in scored[:_CANDIDATES])

    def rarest(self) -> dict[str, float]:
        """The rarest identifiers near the cursor that other files have too, with their inverse document frequency."""
        names = dict.fromkeys(name.lower() for name in reversed(identifiers(self.before(NEAR_LINES))) if len(name) > 2)
        asked = list(names)[:200]
        sql = f"SELECT name, files FROM identifier WHERE name IN ({', '.join('?' * len(asked))})"
        counts: dict[str, int] = dict(self.query(sql, asked))
        for candidate_names in (made.identifiers for path, made in self.records.items() if path != self.path):
            for name in names.keys() & candidate_names:
                counts.setdefault(name, 1)
        ((last,),) = self.query("SELECT max(id) FROM file", ()) or ((None,),)
        total = last or 1  # about how many files there are; counting 100,000 takes milliseconds
        is_stored = self.store.known(self.path) is not None  # then the file at the cursor counts, too
        useful = {name: n for name, n in counts.items() if n > is_stored}
        order = {name: i for i, name in enumerate(names)}
        rare = sorted(useful, key=lambda name: (useful[name] > MAX_SHARE * total, useful[name], order[name]))
        chosen, files = rare[:2], sum(useful[name] for name in rare[:2])
        for name in rare[2:RAREST]:
            files += useful[name]
            if files > MAX_FILES:
                break
            chosen.append(name)
        return {name: math.log(1 + total / useful[name]) for name in chosen}

    def by_symbols(self) -> Iterator[_Candidate]:
        """Definitions of the names near the cursor, the nearest name first, imported ones before others."""
        names = list(dict.fromkeys(reversed([n for n in identifiers(self.before(8)) if len(n) > 2])))[:40]
        order = {name: i for i, name in enumerate(names)}
        counts = {name: (most, least) for name, most, least in self.query(_COUNTS.format(", ".join("?" * len(names))), names)}
        whole, code, rows = list[str](), list[str](), 0
        for name in names:
            every, called = counts.get(name, (0, 0))
            if rows < _CANDIDATES and 0 < every <= _TOO_MANY:
                whole.append(name)
                rows += every
            elif rows < _CANDIDATES and 0 < called <= _TOO_MANY:  # `run` and `get` are defined everywhere
                code.append(name)
                rows += called
        sql = (
            f"SELECT {_COLUMNS}, words.names, symbol.name FROM symbol JOIN chunk ON chunk.file = symbol.file AND chunk.start ="
            " (SELECT max(start) FROM chunk AS c WHERE c.file = symbol.file AND c.start <= symbol.start)"
            " JOIN words ON words.rowid = chunk.id JOIN file ON file.id = symbol.file"
            f" WHERE symbol.name IN ({', '.join('?' * len(whole + code))})"
            f" AND (symbol.kind NOT IN ('variable', 'field') OR symbol.name IN ({', '.join('?' * len(whole))}))"
        )
        found: dict[str, list[tuple[str, _Candidate | tuple[Any, ...]]]] = {}  # rows become candidates when they are chosen
        for row in self.query(sql, [*whole, *code, *whole]):
            if row[0] not in self.records:
                found.setdefault(row[-1], []).append((row[0], row))
        for candidate in self.buffered():
            name = candidate.name.rpartition(".")[2]
            if name in order and candidate.chunk.block == 0:
                found.setdefault(name, []).append((candidate.path, candidate))
        for name, candidate in self.buffered_fields(order):
            found.setdefault(name, []).append((candidate.path, candidate))
        imported = self.imported()
        ranked = [
            (path not in imported, path != self.path, order[name], len(all_of_it), one)
            for name, all_of_it in found.items()
            if len(all_of_it) <= _TOO_MANY
            for path, one in all_of_it
        ]
        ranked.sort(key=lambda row: row[:4])
        yield from (one if isinstance(one, _Candidate) else _candidate(one) for *_, one in ranked[:_CANDIDATES])

    def by_edits(self) -> Iterator[_Candidate]:
        """Pieces that were typed in lately, the latest first."""
        for edit in self.edits:
            made = self.records.get(edit.path)
            for piece in made.pieces if made is not None else ():
                if piece.chunk.start <= edit.offset <= piece.chunk.end:
                    yield _buffered(edit.path, made, piece)

    def by_imports(self) -> list[tuple[str, int, int]]:
        """What the other rankings found, by how near its file is: imported here, a neighbour, in the same tree."""
        imported = self.imported()
        folder = os.path.dirname(self.path)
        above = os.path.dirname(folder)

        def distance(path: str) -> int:
            if path in imported:
                return 0
            home = os.path.dirname(path)
            if home == folder:
                return 1
            return 2 if home.startswith(folder + os.sep) or os.path.dirname(home) == above else 3

        far = {path: distance(path) for path in {key[0] for key in self.found}}
        return sorted((key for key in self.found if far[key[0]] < 3), key=lambda key: far[key[0]])

    def imported(self) -> frozenset[str]:
        """The files that the file at the cursor may import, whether they exist or not."""
        if not hasattr(self, "_imported"):
            made = self.records.get(self.path)
            if made is not None:
                imports = [(i.module, i.name, i.level) for i in made.symbols.imports]
            else:
                sql = "SELECT module, name, level FROM import JOIN file ON file.id = import.file WHERE path = ?"
                imports = [(module, name, level) for module, name, level in self.query(sql, (self.path,))]
            self._imported = frozenset(p for i in imports[:60] for p in module_files(*i, self.path, self.roots))
        return self._imported

    # Choice

    def chosen(self, rankings: dict[str, list[tuple[str, int, int]]], limit: int) -> Iterator[Hit]:
        """Fused, best first, without what is shown and without the same thing twice."""
        ranks: dict[tuple[str, int, int], dict[str, int]] = {}
        for name, keys in rankings.items():
            for i, key in enumerate(keys):
                ranks.setdefault(key, {})[name] = i + 1
        scores = {key: sum(1 / (_FUSION + rank) for rank in by.values()) for key, by in ranks.items()}
        shown = set(_lines(self.place.shown or self.before(200)))
        taken: list[frozenset[str]] = []
        for key in sorted(scores, key=lambda key: -scores[key]):
            candidate = self.found[key]
            if any(_alike(candidate.names, other) for other in taken):  # before its file is read
                continue
            text = self.text(candidate)
            if _is_shown(text, shown):
                continue
            taken.append(candidate.names)
            yield Hit(candidate.path, candidate.chunk.line, candidate.chunk.kind, candidate.name, text, scores[key], ranks[key])
            if len(taken) == limit:
                return

    def text(self, candidate: _Candidate) -> str:
        start, end = candidate.chunk.start, candidate.chunk.end
        text = candidate.made.text if candidate.made is not None else self.store.text(candidate.file, end)
        return text[start:end]

    def before(self, lines: int) -> str:
        """The text before the cursor, that many lines and the one it is in."""
        head = self.place.text[max(0, self.place.offset - 200 * lines) : self.place.offset]
        return "\n".join(head.split("\n")[-lines - 1 :])

    def buffered_fields(self, names: Container[str]) -> Iterator[tuple[str, _Candidate]]:
        """Data members of classes in open buffers, each with the piece it stands in."""
        for path, made in self.records.items():
            for member in made.symbols.fields:
                if member.name in names:
                    holds = (p for p in made.pieces if p.chunk.start <= member.start < p.chunk.end)
                    yield from ((member.name, _buffered(path, made, piece)) for piece in holds)

    def buffered(self) -> Iterator[_Candidate]:
        for path, made in self.records.items():
            for piece in made.pieces:
                yield _buffered(path, made, piece)


_COUNTS = "SELECT name, count(*), sum(kind NOT IN ('variable', 'field')) FROM symbol WHERE name IN ({}) GROUP BY name"
_COLUMNS = (
    "file.path, file.id, chunk.start, chunk.end, chunk.line, chunk.lines, chunk.kind, chunk.owner, chunk.block, chunk.name"
)


def _candidate(row: tuple[Any, ...]) -> _Candidate:
    path, file, start, end, line, lines, kind, owner, block, name, names, *_ = row
    return _Candidate(path, Chunk(start, end, line, lines, kind, owner, block), name, frozenset(names.split()), file)


def _buffered(path: str, made: Record | None, piece: Piece) -> _Candidate:
    return _Candidate(path, piece.chunk, piece.name, piece.name_set, made=made)


def _overlap(weights: dict[str, float], names: frozenset[str]) -> float:
    """The weights of the identifiers in common, less for a long piece, which has more of everything."""
    return sum(weight for name, weight in weights.items() if name in names) / (1.0 + 0.1 * math.log(1 + len(names)))


def _lines(text: str) -> list[str]:
    """The lines without blanks that have more than two characters."""
    bare = text.replace(" ", "").replace("\t", "").replace("\r", "")
    return [line for line in bare.split("\n") if len(line) > 2]


def _is_shown(text: str, shown: set[str]) -> bool:
    lines = _lines(text)
    return not lines or sum(line in shown for line in lines) >= _SAME * len(lines)


def _alike(a: frozenset[str], b: frozenset[str]) -> bool:
    small, large = sorted((len(a), len(b)))
    if small < _SAME * large:  # what they have in common is no more than the smaller one
        return False
    common = len(a & b)
    return common >= _SAME * max(1, small + large - common)
