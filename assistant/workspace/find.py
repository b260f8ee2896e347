"""Code by what it does: a question in plain words, definitions in the order of how well they answer it.

The question is rewritten into words of code, the full-text index proposes pieces, and a linear scorer orders them: a
translation model from code words to question words, BM25 over name, surroundings, docstring and body, and how much of the
question and of the name is covered. A definition is as good as its best piece. Knows nothing of cursors or prompts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from assistant.workspace.index import WorkspaceIndex
from assistant.workspace.record import Record
from assistant.workspace.related import SELF, Table, by_hand, combined, learned, shipped
from assistant.workspace.words import prose

FIELDS = {"title": 5.0, "near": 2.0, "doc": 3.0, "body": 1.0}
"""How often a word counts in each column."""

MAX_WORDS = 25
_PIECES = 120
_BY_TITLE = 60
_MATCHES, _TITLE_MATCHES = 2_000, 1_000  # pieces that BM25 looks at: 3 microseconds each
_RELATED_IN_TITLE = 0.1
_TYPICAL_PIECE = 80.0  # weighted words; what BM25 holds a piece's length against
_SMOOTH = 20.0
_BACKGROUND = 0.15
_K1, _B = 1.2, 0.75

WEIGHTS = (1.18, -0.2, 2.33, 0.55, 3.37, 2.21, 0.47, -0.78, -1.23, -2.5, 2.37)
"""Of `features`, in their order: fitted (listwise softmax, 1,997 docstrings of 25 packages) apart from the packages that the
table of related words and the published figures come from. The tenth is set by hand: a fit on functions alone says -6.4 and
would never show a class; -2.5 costs 0.003 of mean reciprocal rank.
"""


@dataclass(frozen=True)
class Found:
    """A definition, or a file's module code when ``name`` is "". ``line`` counts from 0. ``why``: words of the code that answer
    words of the question.
    """

    path: str
    line: int
    start: int
    end: int
    kind: str
    name: str
    score: float
    why: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """A piece with its words."""

    path: str
    owner: int
    line: int
    start: int
    end: int
    kind: str
    name: str
    fields: Mapping[str, Sequence[str]]


class Finder:
    """Answers questions about one index. Tables and counts are kept: make a new one when much has changed."""

    def __init__(self, index: WorkspaceIndex) -> None:
        self._index = index
        self.table = combined(shipped(), by_hand(), learned(index.store))
        self._counts: dict[str, dict[str, int]] = {}

    def find(self, question: str, limit: int = 20, until: Callable[[], bool] = lambda: False) -> list[Found]:
        """The best definitions, best first; nothing for a question without a word. Once ``until`` is true, the best of those
        that have been looked at.
        """
        words = list(dict.fromkeys(prose(question)))[:MAX_WORDS]
        best: dict[tuple[str, int], tuple[float, Row]] = {}
        for row, vector in self.candidates(words, until):
            if until():
                break
            score = sum(weight * value for weight, value in zip(WEIGHTS, vector, strict=True))
            key = (row.path, row.owner)
            if key not in best or score > best[key][0]:
                best[key] = score, row
        ranked = sorted(best.values(), key=lambda pair: (-pair[0], pair[1].path, pair[1].line))[:limit]
        return [self._answer(row, score, words) for score, row in ranked]

    def candidates(self, words: Sequence[str], until: Callable[[], bool] = lambda: False) -> Iterator[tuple[Row, list[float]]]:
        """Pieces that may answer, each with its features."""
        rows = list(self._rows(words, until)) if words else []
        statistics = self._statistics(words, rows)
        for row in rows:
            yield row, features(words, row, statistics, self.table)

    def _rows(self, words: Sequence[str], until: Callable[[], bool]) -> Iterator[Row]:
        buffers = self._index.buffers.records()
        for path, made in buffers.items():
            yield from _buffered(path, made)
        self._count(list(words))
        related = [o for w in words for o, p in self.table.get(w, {}).items() if p >= _RELATED_IN_TITLE]
        self._count(related)
        seen = set()
        for columns, terms, most in (
            ("{title near doc body}", self._rarest(words, "any", _MATCHES), _PIECES),
            ("title", self._rarest([*words, *related], "title", _TITLE_MATCHES), _BY_TITLE),
        ):
            match = f"{columns} : (" + " OR ".join(f'"{word}"' for word in terms) + ")"
            for row in self._index.store.query(_SQL, (match, most), until) if terms and self._index.store.has_text else ():
                if row[0] not in seen and row[1] not in buffers:
                    seen.add(row[0])
                    yield _row(row[1:])

    def _rarest(self, words: Sequence[str], column: str, most: int) -> list[str]:
        """The rarest words, as many as match at most so many pieces together, and two in any case."""
        counts = [(n, word) for word in dict.fromkeys(words) if (n := self._counts[word].get(column, 0))]
        chosen: list[str] = []
        for n, word in sorted(counts):
            most -= n
            if most < 0 and len(chosen) >= 2:
                break
            chosen.append(word)
        return chosen

    def _count(self, words: Sequence[str]) -> None:
        """Learn in how many pieces words are: ``any`` and ``title``, and how often: ``uses``. Remembered."""
        new = sorted({word for word in words if word not in self._counts})
        for at in range(0, len(new), 500):
            part = new[at : at + 500]
            self._counts.update((word, {}) for word in part)
            sql = f"SELECT term, col, doc, cnt FROM vocabulary WHERE term IN ({', '.join('?' * len(part))})"
            for term, column, pieces, uses in self._index.store.query(sql, part):
                known = self._counts[term]
                if column != "names":
                    known["any"] = max(known.get("any", 0), pieces)
                    known["uses"] = known.get("uses", 0) + uses
                if column == "title":
                    known["title"] = pieces

    def _statistics(self, words: Sequence[str], rows: Sequence[Row]) -> Statistics:
        terms = {*words, *(word for row in rows for word in row.fields["title"])}
        self._count(list(terms))
        counts = {term: (self._counts[term].get("any", 0), self._counts[term].get("uses", 0)) for term in terms}
        total = self._index.store.query("SELECT max(id) FROM chunk")
        return Statistics(counts, max(1, int(total[0][0] or 1) if total else 1))

    def _answer(self, row: Row, score: float, words: Sequence[str]) -> Found:
        code = {word for field in row.fields.values() for word in field}
        why = dict.fromkeys(o for w in words for o in (w, *self.table.get(w, {})) if o in code)
        return Found(row.path, row.line, row.start, row.end, row.kind, row.name, score, tuple(why)[:8])


@dataclass(frozen=True)
class Statistics:
    """For each word: how many pieces have it, how often it occurs. ``pieces``: how many there are."""

    counts: Mapping[str, tuple[int, int]]
    pieces: int

    def idf(self, word: str) -> float:
        n = min(self.pieces, self.counts.get(word, (0, 0))[0])
        return math.log(1 + (self.pieces - n + 0.5) / (n + 0.5))

    def background(self, word: str) -> float:
        return (self.counts.get(word, (0, 0))[1] + 0.5) / (self.pieces * _TYPICAL_PIECE)


def features(words: Sequence[str], row: Row, statistics: Statistics, table: Table) -> list[float]:
    """What speaks for a piece; see the lines below for each."""
    bag: dict[str, float] = {}
    for field, weight in FIELDS.items():
        for word in row.fields[field]:
            bag[word] = bag.get(word, 0.0) + weight
    length = sum(bag.values())
    title, near = row.fields["title"], set(row.fields["near"])
    idf = {word: statistics.idf(word) for word in words}
    whole = sum(idf.values()) or 1.0
    bm25 = _bm25(bag, length, {word: (idf[word], 1.0) for word in words})
    related = {o: p for w in words for o, p in table.get(w, {}).items() if o not in idf and o in bag}
    expanded = bm25 + _bm25(bag, length, {o: (statistics.idf(o) if o in title else 3.0, 0.3 * p) for o, p in related.items()})
    name = row.name.rpartition(".")[2]
    return [
        expanded / 10,
        bm25 / 10,
        _translation(words, bag, length + _SMOOTH, statistics, table) / 10,
        sum(idf[word] for word in words if word in bag) / whole,
        sum(idf[word] for word in words if word in title) / whole,
        _explained(title, words, statistics, table),
        _related(words[0], title[0], table) if words and title else 0.0,  # names begin with a verb, and so do sentences
        float(name.startswith("_")),
        math.log(1 + len(row.fields["body"])) / 5,
        float(row.kind != "function"),
        sum(word in near for word in words) / max(1, len(words)),
    ]


def _bm25(bag: Mapping[str, float], length: float, terms: Mapping[str, tuple[float, float]]) -> float:
    """``terms``: for each word its inverse document frequency and its weight."""
    norm = _K1 * (1 - _B + _B * length / _TYPICAL_PIECE)
    return sum(
        idf * weight * bag[word] * (_K1 + 1) / (bag[word] + norm) for word, (idf, weight) in terms.items() if word in bag
    )


def _translation(words: Sequence[str], bag: Mapping[str, float], length: float, statistics: Statistics, table: Table) -> float:
    """How much likelier the question is, said of this code, than of any: the sum of log ratios over its words."""
    score = 0.0
    for word in words:
        others = table.get(word, {})
        p = 0.0 if word in others else SELF * bag.get(word, 0.0)
        p += sum(probability * bag[other] for other, probability in others.items() if other in bag)
        base = _BACKGROUND * statistics.background(word)
        score += math.log(((1 - _BACKGROUND) * p / length + base) / base)
    return score


def _related(word: str, other: str, table: Table) -> float:
    return 1.0 if word == other else table.get(word, {}).get(other, 0.0)


def _explained(title: Sequence[str], words: Sequence[str], statistics: Statistics, table: Table) -> float:
    """How much of the name the question accounts for."""
    weights = {part: statistics.idf(part) + 0.1 for part in title}
    whole = sum(weights.values())
    return sum(max(_related(word, part, table) for word in words) * w for part, w in weights.items()) / whole if whole else 0.0


_SQL = (
    "SELECT chunk.id, file.path, chunk.owner, chunk.line, chunk.start, chunk.end, chunk.kind, chunk.name,"
    " title, near, doc, body FROM (SELECT rowid AS id, title, near, doc, body FROM words WHERE words MATCH ?"
    " ORDER BY bm25(words, 5, 2, 3, 1, 0) LIMIT ?) JOIN chunk USING (id) JOIN file ON file.id = chunk.file"
)


def _row(found: Sequence[object]) -> Row:
    path, owner, line, start, end, kind, name, *texts = (str(cell) for cell in found)
    fields = {field: text.split() for field, text in zip(FIELDS, texts, strict=True)}
    return Row(path, int(owner), int(line), int(start), int(end), kind, name, fields)


def _buffered(path: str, made: Record) -> Iterable[Row]:
    for p in made.pieces:
        fields = {"title": p.title.split(), "near": p.near.split(), "doc": p.doc.split(), "body": p.body.split()}
        yield Row(path, p.chunk.owner, p.chunk.line, p.chunk.start, p.chunk.end, p.chunk.kind, p.name, fields)
