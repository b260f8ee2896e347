"""The filter over a workspace index: its open buffers win over the disk, its symbol table knows what is only not imported."""

from __future__ import annotations

from functools import cache

from assistant.workspace.existence.checker import Existence
from assistant.workspace.existence.javascript.unwritten import MIN_WORDS
from assistant.workspace.index import WorkspaceIndex
from assistant.workspace.lookup import Lookup


def checker_of(index: WorkspaceIndex | None) -> Existence:
    """A filter for the documents of an index's folders; without one it goes by the disk alone. Close it with the index."""
    if index is None:
        return Existence()
    lookup, buffers = Lookup(index), index.buffers

    def buffer(path: str) -> str | None:
        made = buffers.records().get(path)
        return made.text if made is not None else None

    def is_defined(name: str) -> bool:
        return any("." not in symbol.qualified for symbol in lookup.definitions(name, 20))

    def is_written(name: str) -> bool:
        if not index.is_complete:
            return True
        word = name.lower()  # as the index keeps identifiers
        if not index.store.query("SELECT 1 FROM identifier LIMIT 1 OFFSET ?", (MIN_WORDS,)):
            return True
        if index.store.query("SELECT 1 FROM identifier WHERE name = ?", (word,)):
            return True
        return any(word in made.identifiers for made in buffers.records().values())

    @cache
    def imported() -> frozenset[str]:
        """Asked once: what a file imports itself is read from its text, and the rest of the workspace seldom changes."""
        rows = index.store.query(
            "SELECT DISTINCT module FROM import JOIN file ON file.id = import.file WHERE level = 0 AND language = 'python'"
        )
        return frozenset(str(module).partition(".")[0] for (module,) in rows)

    return Existence(buffer=buffer, is_defined=is_defined, is_written=is_written, imported=imported)
