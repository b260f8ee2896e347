"""Exact questions to the index: who defines a name, what a class holds, who calls a name, what a file says.

Open buffers answer for their files. Names are compared as written; nothing is ranked or guessed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from assistant.workspace.extract import extract
from assistant.workspace.index import WorkspaceIndex, real
from assistant.workspace.record import symbol_rows
from assistant.workspace.symbols import FileSymbols, Parameter


@dataclass(frozen=True)
class Symbol:
    """A definition or a data member (``kind`` "field"). Offsets are into the file's text, ``line`` counts from 0. ``doc``: the
    first paragraph of its docstring. Other fields as in `symbols.Definition`.
    """

    path: str
    name: str
    qualified: str
    kind: str
    start: int
    end: int
    line: int
    signature: str
    doc: str
    parameters: tuple[Parameter, ...]
    bases: tuple[str, ...]
    returns: str


_COLUMNS = "ordinal, parent, name, qualified, kind, start, end, line, signature, doc, parameters, bases, returns"


class Lookup:
    """Asks one index; safe from any thread."""

    def __init__(self, index: WorkspaceIndex) -> None:
        self._index = index

    def definitions(self, name: str, limit: int = 50) -> list[Symbol]:
        """Everything called ``name``, open buffers first, at most ``limit``."""
        sql = f"SELECT path, {_COLUMNS} FROM symbol JOIN file ON file.id = symbol.file WHERE name = ? LIMIT ?"
        records = self._index.buffers.records()
        found = [s for path in records for s in self._buffered(path) if s.name == name]
        rows = self._index.store.query(sql, (name, limit + 8 * len(records)))
        return (found + [_symbol(*row) for row in rows if row[0] not in records])[:limit]

    def members(self, path: str, qualified: str) -> list[Symbol]:
        """What stands directly in a class: methods, class variables, and fields that methods assign; in the file's order."""
        inner = [s for s in self.outline(path) if s.qualified.rpartition(".")[0] == qualified]
        return sorted(inner, key=lambda s: (s.start, s.name))

    def outline(self, path: str) -> list[Symbol]:
        """All definitions and fields of a file."""
        path = real(path)
        if path in self._index.buffers.records():
            return list(self._buffered(path))
        sql = f"SELECT path, {_COLUMNS} FROM symbol JOIN file ON file.id = symbol.file WHERE path = ?"
        return [_symbol(*row) for row in self._index.store.query(sql, (path,))]

    def described(self, path: str, qualified: str, line: int) -> Symbol | None:
        """The definition of that qualified name that begins nearest to ``line``. ``path`` as an answer of the index has it."""
        if path in self._index.buffers.records():
            found = [s for s in self._buffered(path) if s.qualified == qualified]
        else:
            sql = f"SELECT path, {_COLUMNS} FROM symbol JOIN file ON file.id = symbol.file WHERE path = ? AND qualified = ?"
            found = [_symbol(*row) for row in self._index.store.query(sql, (path, qualified))]
        return min(found, key=lambda s: abs(s.line - line), default=None)

    def text(self, path: str) -> str:
        """What a file says: its open buffer, else as it was last read; "" for a file that is not indexed. ``path`` likewise."""
        made = self._index.buffers.records().get(path)
        if made is not None:
            return made.text
        known = self._index.store.known(path)
        return self._index.store.text(known.id) if known is not None else ""

    def callers(self, name: str) -> list[str]:
        """Paths of the files that call something by this last name; `symbols` has each call's place and arguments."""
        sql = "SELECT path FROM call JOIN file ON file.id = call.file WHERE name = ? ORDER BY path"
        records = self._index.buffers.records()
        stored = [str(path) for (path,) in self._index.store.query(sql, (name,)) if path not in records]
        return sorted(stored + [path for path, made in records.items() if name in made.callees])

    def symbols(self, path: str) -> FileSymbols | None:
        """All that a file says, read anew from the stored text; ``None`` for a file that is not indexed."""
        path = real(path)
        made = self._index.record(path)
        if made is not None:
            return made.symbols
        known = self._index.store.known(path)
        return extract(self._index.store.text(known.id), "", path) if known is not None else None

    def _buffered(self, path: str) -> Iterator[Symbol]:
        made = self._index.buffers.records().get(path)
        return (_symbol(path, *row) for row in symbol_rows(made)) if made is not None else iter(())


def _symbol(path: str, _ordinal: int, _parent: int, *rest: object) -> Symbol:
    name, qualified, kind, start, end, line, signature, doc, parameters, bases, returns = (str(cell) for cell in rest)
    place = int(start), int(end), int(line)
    return Symbol(path, name, qualified, kind, *place, signature, doc, _parameters(parameters), _texts(bases), returns)


def _parameters(text: str) -> tuple[Parameter, ...]:
    return tuple(Parameter(*row) for row in json.loads(text)) if text else ()


def _texts(text: str) -> tuple[str, ...]:
    found: Sequence[str] = json.loads(text) if text else ()
    return tuple(found)
