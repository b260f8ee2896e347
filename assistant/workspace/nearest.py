"""The workspace's files in the order of their nearness to one of them, and their texts: for what learns from all of them.

Nearest first: what the file imports and what imports it, its folder, the folders next to it, the rest by how much of their path
they share. Knows nothing of who reads the texts.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from assistant.workspace.index import WorkspaceIndex, real
from assistant.workspace.module_files import module_files

MAX_DOCUMENT = 300_000
"""Bytes; a longer file is most often made by a program, and reading it would hold up the reader for a second."""


class Document(NamedTuple):
    """A file as it is on disk. ``digest`` stands for its text; ``size`` in bytes."""

    path: str
    digest: bytes
    size: int


def documents(index: WorkspaceIndex, focus: str | None, most_bytes: int) -> list[Document]:
    """The nearest documents to ``focus``, nearest first, as many as hold ``most_bytes`` together. Without a focus, those that
    were changed last.

    Excluded files are not in the index, so not here either. What is typed and not saved is left out: half a line teaches that
    the line ends there.
    """
    sql = "SELECT path, digest, size, mtime FROM file WHERE size <= ?"
    rows = index.store.query(sql, (MAX_DOCUMENT,))
    found = [(Document(str(path), bytes(key), int(size)), int(mtime)) for path, key, size, mtime in rows]
    near = _distances(index, real(focus), [document.path for document, _ in found]) if focus else {}
    ordered = sorted(found, key=lambda pair: (near.get(pair[0].path, 0), -pair[1], pair[0].path))
    chosen, room = [], most_bytes
    for document, _ in ordered:
        if document.size <= room:
            room -= document.size
            chosen.append(document)
    return chosen


def text_of(index: WorkspaceIndex, document: Document) -> str | None:
    """What the document says, if it still says what ``document`` stands for; else ``None``: news of it is on its way."""
    known = index.store.known(document.path)
    if known is None or known.digest != document.digest:
        return None
    return index.store.text(known.id) or None


def _distances(index: WorkspaceIndex, focus: str, paths: Iterable[str]) -> dict[str, int]:
    """0 the file itself, 1 joined by an import, 2 its folder, 3 next to or below it, then by the folders between."""
    folder = os.path.dirname(focus)
    above = os.path.dirname(folder)
    joined = _imported(index, focus) | _importers(index, focus)
    result = {}
    for path in paths:
        where = os.path.dirname(path)
        if path == focus:
            result[path] = 0
        elif path in joined:
            result[path] = 1
        elif where == folder:
            result[path] = 2
        elif where.startswith(folder + os.sep) or os.path.dirname(where) == above:
            result[path] = 3
        else:
            result[path] = 4 + _apart(where, folder)
    return result


def _apart(a: str, b: str) -> int:
    """Steps from one folder to the other through the tree."""
    one, other = a.split(os.sep), b.split(os.sep)
    same = next((i for i, (x, y) in enumerate(zip(one, other, strict=False)) if x != y), min(len(one), len(other)))
    return len(one) + len(other) - 2 * same


def _imported(index: WorkspaceIndex, focus: str) -> set[str]:
    """Paths that the file's imports may mean."""
    made = index.record(focus)
    if made is not None:
        imports = [(i.module, i.name, i.level) for i in made.symbols.imports]
    else:
        sql = "SELECT module, import.name, level FROM import JOIN file ON file.id = import.file WHERE path = ?"
        imports = [(str(m), str(n), int(level)) for m, n, level in index.store.query(sql, (focus,))]
    return {path for module, name, level in imports[:100] for path in module_files(module, name, level, focus, index.roots)}


def _importers(index: WorkspaceIndex, focus: str) -> set[str]:
    """Files that import something by the focus's own name from something that may be it."""
    stem = os.path.splitext(os.path.basename(focus))[0]
    name = os.path.basename(os.path.dirname(focus)) if stem in ("__init__", "index", "mod") else stem
    sql = "SELECT DISTINCT path, module, import.name, level FROM import JOIN file ON file.id = import.file"
    sql += " WHERE module LIKE ? OR import.name = ?"
    rows = index.store.query(sql, (f"%{name}%", name))
    return {
        str(path) for path, m, n, level in rows if focus in module_files(str(m), str(n), int(level), str(path), index.roots)
    }
