"""One file as the index keeps it: its pieces with their search words, its definitions, imports and callees.

Pure: text in, value out; the same in the process that builds the index and for a buffer that is being edited. Knows
nothing of SQL, of other files or of the clock.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from assistant.workspace.chunks import Chunk, chunks, line_starts
from assistant.workspace.extract import extract
from assistant.workspace.symbols import MODULE, Definition, FileSymbols
from assistant.workspace.walk import language_by_name
from assistant.workspace.words import capped, identifiers, prose, stems

MAX_DOC = 300
"""Characters of a docstring's first paragraph that a symbol keeps."""

BODY_REPEATS = 3
"""How often one word of a piece's body counts; measured on docstring-to-function pairs, 1 and 10 are worse."""


@dataclass(frozen=True)
class Piece:
    """A chunk and its words. ``name`` is the qualified name of its definition, "" for module code.

    Words are joined by spaces. ``title``: stems of the definition's own name. ``near``: of the class, the parameters and the
    file's path. ``doc``: of the docstring. ``body``: of everything else. ``names``: the distinct identifiers of the piece,
    whole, in lower case, strings and comments included.
    """

    chunk: Chunk
    name: str
    title: str
    near: str
    doc: str
    body: str
    names: str

    @cached_property
    def name_set(self) -> frozenset[str]:
        return frozenset(self.names.split())

    def at(self, chunk: Chunk) -> Piece:
        """The same words at another place; what has been computed from them is kept."""
        if chunk == self.chunk:
            return self
        moved = object.__new__(Piece)
        moved.__dict__.update(self.__dict__)
        moved.__dict__["chunk"] = chunk
        return moved


@dataclass(frozen=True)
class Record:
    """A file. ``path`` is absolute and real; ``digest`` is of the text, 16 bytes."""

    path: str
    language: str
    digest: bytes
    text: str
    pieces: tuple[Piece, ...]
    symbols: FileSymbols

    @cached_property
    def identifiers(self) -> frozenset[str]:
        """Whole identifiers of the file in lower case."""
        return frozenset(" ".join([piece.names for piece in self.pieces]).split())

    @cached_property
    def lines(self) -> list[int]:
        """Where each line begins."""
        return line_starts(self.text)

    @property
    def callees(self) -> frozenset[str]:
        """Last names of everything that is called."""
        return self.symbols.callees


def digest(text: str) -> bytes:
    """Sixteen bytes that stand for the text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def record(path: str, text: str, language: str = "") -> Record:
    """Everything the index keeps of a file; answers for any text."""
    language = language or language_by_name(path)
    return compose(path, text, language, extract(text, language, path))


def compose(path: str, text: str, language: str, symbols: FileSymbols, old: Record | None = None) -> Record:
    """The record of a text whose symbols are known. ``old``, an earlier record of the file, only saves time: pieces whose code
    has not changed keep their words.
    """
    where = _path_words(path)
    known = {_key(old.text, p.chunk, old.symbols): p for p in old.pieces} if old is not None else {}
    lines = line_starts(text)
    pieces = []
    for chunk in chunks(text, symbols, lines):
        same = known.get(_key(text, chunk, symbols)) if known else None
        pieces.append(same.at(chunk) if same is not None else _piece(text, chunk, symbols, where))
    made = Record(path, language, digest(text), text, tuple(pieces), symbols)
    made.__dict__["lines"] = lines  # the cached property's value, which is known already
    return made


def _key(text: str, chunk: Chunk, symbols: FileSymbols) -> tuple[object, ...]:
    """What a piece's words depend on, apart from the file's path."""
    code = text[chunk.start : chunk.end]
    if chunk.owner == MODULE:
        return code, ""
    owner = symbols.definitions[chunk.owner]
    doc = owner.doc_start - chunk.start if owner.docstring and chunk.block == 0 else None  # where it stands, if it counts here
    return code, owner.qualified, owner.docstring if doc is not None else "", doc, owner.parameters


def _path_words(path: str) -> list[str]:
    """Stems of the file's name and of its folder's."""
    folder, name = os.path.split(path)
    return [s for part in (os.path.basename(folder), os.path.splitext(name)[0]) for s in stems(part)]


def _piece(text: str, chunk: Chunk, symbols: FileSymbols, where: list[str]) -> Piece:
    definition = symbols.definitions[chunk.owner] if chunk.owner != MODULE else None
    code = text[chunk.start : chunk.end]
    doc = ""
    if definition is not None and definition.docstring and chunk.block == 0:
        doc = definition.docstring
        low, high = definition.doc_start - chunk.start, definition.doc_end - chunk.start
        if 0 <= low < high <= len(code):
            code = code[:low] + code[high:]
    counts = Counter(identifiers(code))
    title, near = _names(definition, where)
    return Piece(
        chunk,
        definition.qualified if definition else "",
        " ".join(title),
        " ".join(near),
        " ".join(capped(prose(doc), BODY_REPEATS)) if doc else "",
        " ".join(_body(counts)),
        " ".join(dict.fromkeys(" ".join(counts).lower().split(" "))) if counts else "",
    )


def _body(counts: dict[str, int]) -> list[str]:
    """Stems of counted names, each at most ``BODY_REPEATS`` times."""
    seen: dict[str, int] = {}
    found: list[str] = []
    for name, count in counts.items():
        for part in stems(name):
            before = seen.get(part, 0)
            if before < BODY_REPEATS:
                seen[part] = before + count
                if count == 1:
                    found.append(part)
                else:
                    found.extend([part] * min(count, BODY_REPEATS - before))
    return found


def _names(definition: Definition | None, where: list[str]) -> tuple[list[str], list[str]]:
    if definition is None:
        return [], where
    outer = [s for part in definition.qualified.split(".")[:-1] for s in stems(part)]
    parameters = [s for p in definition.parameters for s in stems(p.name)]
    return list(stems(definition.name)), [*outer, *where, *capped(parameters, 1)]


@dataclass(frozen=True)
class Rows:
    """A record as the store writes it: plain tuples in the order of the columns of `store`, the text compressed."""

    path: str
    language: str
    digest: bytes
    text: bytes
    pieces: tuple[tuple[int, int, int, int, str, int, int, str], ...]
    words: tuple[tuple[str, str, str, str, str], ...]
    symbols: tuple[SymbolRow, ...]
    imports: tuple[tuple[str, str, str, int], ...]
    callees: tuple[str, ...]
    identifiers: tuple[str, ...]


SymbolRow = tuple[int, int, str, str, str, int, int, int, str, str, str, str, str]
"""ordinal, parent, name, qualified, kind, start, end, line, signature, doc, parameters, bases, returns."""


def rows(record: Record) -> Rows:
    """The record in the store's shape. Lists within a column are JSON."""
    return Rows(
        record.path,
        record.language,
        record.digest,
        zlib.compress(record.text.encode("utf-8", "surrogatepass"), 1),
        tuple((c.start, c.end, c.line, c.lines, c.kind, c.owner, c.block, p.name) for p in record.pieces for c in (p.chunk,)),
        tuple((p.title, p.near, p.doc, p.body, p.names) for p in record.pieces),
        tuple(symbol_rows(record)),
        tuple(sorted({(i.module, i.name, i.alias, i.level) for i in record.symbols.imports})),
        tuple(sorted(record.callees)),
        tuple(sorted(record.identifiers)),
    )


def symbol_rows(record: Record) -> Iterator[SymbolRow]:
    """Definitions in order, then data members that no definition stands for; these have ordinal ``MODULE``."""
    definitions = record.symbols.definitions
    lines = record.lines
    for ordinal, d in enumerate(definitions):
        parameters = json.dumps(d.parameters, separators=(",", ":")) if d.parameters else ""
        bases = json.dumps(d.bases, separators=(",", ":")) if d.bases else ""
        line = bisect_right(lines, d.start) - 1
        doc = d.docstring.split("\n\n", 1)[0][:MAX_DOC]
        yield (
            ordinal, d.parent, d.name, d.qualified, d.kind, d.start, d.end, line, d.signature, doc, parameters, bases, d.returns
        )  # fmt: skip
    known = {d.qualified for d in definitions}
    for f in record.symbols.fields:
        qualified = f"{definitions[f.owner].qualified}.{f.name}"
        if qualified not in known:
            known.add(qualified)
            line = bisect_right(lines, f.start) - 1
            end = f.start + len(f.name)
            yield (MODULE, f.owner, f.name, qualified, "field", f.start, end, line, "", "", "", "", f.annotation)
