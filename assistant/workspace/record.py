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
from dataclasses import dataclass, replace
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
        return frozenset().union(*(piece.name_set for piece in self.pieces))

    @property
    def callees(self) -> frozenset[str]:
        """Last names of everything that is called."""
        return frozenset(name for call in self.symbols.calls if (name := call.name) not in ("", "?"))


def digest(text: str) -> bytes:
    """Sixteen bytes that stand for the text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def record(path: str, text: str, language: str = "", old: Record | None = None) -> Record:
    """Everything the index keeps of a file; answers for any text. ``old``, an earlier record of the file, only saves time:
    pieces whose code has not changed keep their words.
    """
    language = language or language_by_name(path)
    symbols = extract(text, language, path)
    where = _path_words(path)
    known = {_key(old.text, p.chunk, old.symbols): p for p in old.pieces} if old is not None else {}
    pieces = []
    for chunk in chunks(text, symbols):
        same = known.get(_key(text, chunk, symbols)) if known else None
        pieces.append(replace(same, chunk=chunk) if same is not None else _piece(text, chunk, symbols, where))
    return Record(path, language, digest(text), text, tuple(pieces), symbols)


def _key(text: str, chunk: Chunk, symbols: FileSymbols) -> tuple[object, ...]:
    """What a piece's words depend on, apart from the file's path."""
    code = text[chunk.start : chunk.end]
    if chunk.owner == MODULE:
        return code, ""
    owner = symbols.definitions[chunk.owner]
    return code, owner.qualified, owner.docstring, owner.doc_start - chunk.start, owner.parameters, chunk.block == 0


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
    body: dict[str, int] = {}
    for name, count in counts.items():
        for part in stems(name):
            body[part] = body.get(part, 0) + count
    title, near = _names(definition, where)
    return Piece(
        chunk,
        definition.qualified if definition else "",
        " ".join(title),
        " ".join(near),
        " ".join(capped(prose(doc), BODY_REPEATS)) if doc else "",
        " ".join([part for part, n in body.items() for _ in range(min(n, BODY_REPEATS))]),
        " ".join(dict.fromkeys(" ".join(counts).lower().split(" "))) if counts else "",
    )


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
    lines = line_starts(record.text)
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
