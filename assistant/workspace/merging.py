"""What stays known of a file while it has a syntax error: a half-typed line must not empty the index.

The rule. While a document has more errors than when it was last read whole, everything known of it stays as long as its
name stands where it stood (moved by the edits since), unless the new reading has something at that place. A definition
that is found again keeps its qualified name and its kind, and its extent does not shrink: an error cuts classes short, and
their methods fall out. Its parameters are the old ones if the error is in its header. The first reading without the new
errors replaces everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from assistant.workspace.symbols import (
    MODULE,
    Call,
    ClassField,
    Definition,
    FileSymbols,
    Import,
    Later,
    Mentions,
    Reference,
)


class Edit(NamedTuple):
    """``[start, end)`` of the text before became ``[start, new_end)`` (code points)."""

    start: int
    end: int
    new_end: int


def moved(offset: int, edits: Iterable[Edit]) -> int:
    """Where an offset is after the edits; one inside replaced text goes to that text's end."""
    for start, end, new_end in edits:
        if offset >= end:
            offset += new_end - end
        elif offset > start:
            offset = new_end
    return offset


def add_edit(edits: list[Edit], edit: Edit) -> None:
    """Append an edit; one within the text that the last one put there, as typing is, is one with it."""
    if edits and edits[-1].start <= edit.start and edit.end <= edits[-1].new_end:
        last = edits[-1]
        edits[-1] = Edit(last.start, last.end, last.new_end + edit.new_end - edit.end)
    else:
        edits.append(edit)


def keep_known(
    known: FileSymbols, fresh: FileSymbols, edits: Sequence[Edit], whole: FileSymbols, since: Sequence[Edit], text: str
) -> FileSymbols:
    """``fresh``, with what of ``known``, a reading ``edits`` ago, still stands in ``text``; mentions, when they are asked for,
    with those of ``whole``, the last reading without the new errors, ``since`` ago.
    """
    definitions, place = _definitions(known, fresh, edits, text)
    scopes = _Scopes(definitions)
    return replace(
        fresh,
        definitions=tuple(definitions),
        imports=_imports(known, fresh, edits, text, scopes),
        fields=_fields(known, fresh, edits, text, place),
        callees=fresh.callees | {name for name in known.callees - fresh.callees if name in text},
        mentions=Later(
            lambda: Mentions(
                _references(whole, fresh, since, text, scopes), _calls(whole, fresh, since, text, scopes), fresh.words
            )
        ),
    )


def _definitions(
    known: FileSymbols, fresh: FileSymbols, edits: Sequence[Edit], text: str
) -> tuple[list[Definition], dict[tuple[bool, int], int]]:
    """The merged definitions, and where each came from: (is it a fresh one's index, index) -> new index."""
    at = {d.name_start: i for i, d in enumerate(fresh.definitions)}
    merged: dict[int, tuple[Definition, list[tuple[bool, int]]]] = {
        d.name_start: (d, [(True, i)]) for i, d in enumerate(fresh.definitions)
    }
    for i, old in enumerate(known.definitions):
        here = _follow(old, edits)
        if not text.startswith(old.name, here.name_start):
            continue
        found = at.get(here.name_start)
        now = here if found is None else _rejoined(here, fresh.definitions[found], fresh.errors)
        if found is None or fresh.definitions[found].name == old.name:
            merged[here.name_start] = (now, [(False, i), *merged.get(here.name_start, (now, []))[1]])
    rows = sorted(merged.values(), key=lambda row: (row[0].start, -row[0].end, row[0].name_start))
    place = {key: new for new, (_, keys) in enumerate(rows) for key in keys}
    return _with_parents([row[0] for row in rows]), place


def _follow(old: Definition, edits: Sequence[Edit]) -> Definition:
    return old._replace(
        start=moved(old.start, edits),
        end=moved(old.end, edits),
        name_start=moved(old.name_start, edits),
        doc_start=moved(old.doc_start, edits) if old.doc_end else 0,
        doc_end=moved(old.doc_end, edits) if old.doc_end else 0,
        body_start=moved(old.body_start, edits),
    )


def _rejoined(old: Definition, new: Definition, errors: tuple[tuple[int, int], ...]) -> Definition:
    end = max(old.end, new.end)
    joined = new._replace(qualified=old.qualified, kind=old.kind, start=min(old.start, new.start), end=end)
    if any(start <= max(new.body_start, old.body_start) and new.start <= stop for start, stop in errors):
        joined = joined._replace(parameters=old.parameters, signature=old.signature, returns=old.returns, bases=old.bases)
    if not new.docstring:
        joined = joined._replace(docstring=old.docstring, doc_start=old.doc_start, doc_end=old.doc_end)
    return joined


def _with_parents(definitions: list[Definition]) -> list[Definition]:
    found: list[Definition] = []
    around: list[int] = []
    for definition in definitions:
        while around and not _holds(found[around[-1]], definition):
            around.pop()
        parent = around[-1] if around else MODULE
        around.append(len(found))
        found.append(definition if definition.parent == parent else definition._replace(parent=parent))
    return found


def _holds(outer: Definition, inner: Definition) -> bool:
    same = (outer.start, outer.end) == (inner.start, inner.end)
    return outer.start <= inner.start < outer.end and not same and not (outer.kind == inner.kind == "variable")


class _Scopes:
    """The innermost definition around an offset, for offsets asked in rising order."""

    def __init__(self, definitions: Sequence[Definition]) -> None:
        self._definitions = definitions

    def __call__(self, offsets: Sequence[int]) -> list[int]:
        found: list[int] = []
        around: list[int] = []
        upcoming = 0
        for offset in offsets:
            while upcoming < len(self._definitions) and self._definitions[upcoming].start <= offset:
                around.append(upcoming)
                upcoming += 1
            while around and self._definitions[around[-1]].end <= offset:
                around.pop()
            alive = [i for i in around[-20:] if self._definitions[i].end > offset]
            found.append(alive[-1] if alive else MODULE)
        return found


def _references(
    known: FileSymbols, fresh: FileSymbols, edits: Sequence[Edit], text: str, scopes: _Scopes
) -> tuple[Reference, ...]:
    rows = {r.start: r for r in fresh.references}
    for old in known.references:
        start = moved(old.start, edits)
        if start not in rows and text.startswith(old.name, start):
            rows[start] = old._replace(start=start)
    places = sorted(rows)
    return tuple(rows[p]._replace(scope=scope) for p, scope in zip(places, scopes(places), strict=True))


def _calls(known: FileSymbols, fresh: FileSymbols, edits: Sequence[Edit], text: str, scopes: _Scopes) -> tuple[Call, ...]:
    rows = {c.name_start: c for c in fresh.calls}
    for old in known.calls:
        place = moved(old.name_start, edits)
        if place not in rows and text.startswith(old.callee.rpartition(".")[2], place):
            rows[place] = old._replace(start=moved(old.start, edits), end=moved(old.end, edits), name_start=place)
    ordered = sorted(rows.values(), key=lambda c: (c.start, c.name_start))
    found = scopes([c.start for c in ordered])
    return tuple(c._replace(scope=scope) for c, scope in zip(ordered, found, strict=True))


def _imports(known: FileSymbols, fresh: FileSymbols, edits: Sequence[Edit], text: str, scopes: _Scopes) -> tuple[Import, ...]:
    rows = {(i.start, i.module, i.name, i.alias): i for i in fresh.imports}
    read = {i.start for i in fresh.imports}
    for old in known.imports:
        start = moved(old.start, edits)
        line = text[start : text.find("\n", start) if "\n" in text[start:] else len(text)]
        if start not in read and (old.bound or old.module) and _last_word(old.module) in line:
            rows[(start, old.module, old.name, old.alias)] = old._replace(start=start)
    ordered = sorted(rows.values(), key=lambda i: i.start)
    found = scopes([i.start for i in ordered])
    return tuple(i._replace(scope=scope) for i, scope in zip(ordered, found, strict=True))


def _last_word(module: str) -> str:
    return module.replace("::", ".").rpartition(".")[2]


def _fields(
    known: FileSymbols, fresh: FileSymbols, edits: Sequence[Edit], text: str, place: dict[tuple[bool, int], int]
) -> tuple[ClassField, ...]:
    rows: dict[tuple[int, str], ClassField] = {}
    for of_fresh, fields in ((False, known.fields), (True, fresh.fields)):
        for member in fields:
            owner = place.get((of_fresh, member.owner))
            start = member.start if of_fresh else moved(member.start, edits)
            if owner is not None and text.startswith(member.name, start):
                rows[(owner, member.name)] = member._replace(owner=owner, start=start)
    return tuple(sorted(rows.values(), key=lambda f: f.start))
