"""The code around a change, as it is after it: from the workspace index, or from the files that git knows.

`IndexProject` asks a live index; `TreeProject` has the source files of one tree in memory and finds names by plain search. Both
are `types.Project`; neither raises.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from assistant.review.changes import Scope
from assistant.review.git import Git
from assistant.review.sources import Sources
from assistant.review.types import ChangeSet
from assistant.review.words import has_word

if TYPE_CHECKING:
    from assistant.workspace.index import WorkspaceIndex
    from assistant.workspace.record import Record

_WORD = re.compile(r"[^\W\d]\w*")


def changed_texts(changes: ChangeSet) -> dict[str, str]:
    """The new text of each changed file."""
    return {one.path: one.new for one in changes.files if one.new is not None}


class TextsProject:
    """Nothing but the texts that are given: absence of a name proves nothing."""

    complete = False

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def read(self, path: str) -> str | None:
        return self._texts.get(path)

    def naming(self, identifier: str, limit: int = 64) -> Iterable[str]:
        return [path for path, text in self._texts.items() if has_word(text, identifier)][:limit]


class TreeProject:
    """All source files of one side of a repository. Safe from any thread.

    ``excluded`` is asked about a file before anybody gets to see it, not when it is loaded: 0.2 ms for each of thousands.
    """

    def __init__(
        self,
        git: Git,
        where: Scope,
        changes: ChangeSet,
        excluded: Callable[[str], str | None] = lambda path: None,
        sources: Sources | None = None,
    ) -> None:
        self._sources = sources or Sources(git, where)
        self._excluded = excluded
        self._changed = changed_texts(changes)
        self._gone = {one.path for one in changes.files if one.new is None}
        self._gone |= {one.old_path for one in changes.files if one.old_path and one.old_path != one.path}
        self._lock = threading.Lock()
        self._known: dict[str, tuple[list[str], Iterator[str]]] = {}  # files that have a name so far, and the search for more
        self._in_sight: dict[str, bool] = {}

    @property
    def complete(self) -> bool:
        """Whether every source file is known."""
        self.load()
        return self._sources.is_whole

    def read(self, path: str) -> str | None:
        text = self._changed.get(path)
        if text is not None or path in self._gone:
            return text
        data = self._sources.read(path)
        return data.decode("utf-8", "replace") if data is not None and self._is_in_sight(path) else None

    def naming(self, identifier: str, limit: int = 64) -> Iterable[str]:
        """Changed files first."""
        if limit < 1 or not _WORD.fullmatch(identifier):
            return []
        found = [path for path, text in self._changed.items() if has_word(text, identifier)][:limit]
        with self._lock:
            known, more = self._known.setdefault(identifier, ([], self._search(identifier)))
            known += islice(more, max(0, limit - len(found) - len(known)))
            return [*found, *known][:limit]

    def _search(self, identifier: str) -> Iterator[str]:
        for path in self._sources.naming(identifier):
            if path not in self._changed and path not in self._gone and self._is_in_sight(path):
                yield path

    def _is_in_sight(self, path: str) -> bool:
        known = self._in_sight.get(path)
        if known is None:
            known = self._in_sight[path] = self._excluded(path) is None
        return known

    def load(self) -> None:
        """Read everything, once. Call it in a thread of its own to have it by the first question."""
        self._sources.load()


class IndexProject:
    """A live workspace index over ``root``; the change's own texts come first. Safe from any thread.

    The index does not know the words of docstrings: a name that only a docstring has is not found.
    """

    def __init__(self, index: WorkspaceIndex, root: str, changes: ChangeSet) -> None:
        from assistant.workspace.lookup import Lookup  # a review on the command line has no index and need not load it

        self._lookup, self._store, self._buffers = Lookup(index), index.store, index.buffers
        self.complete = index.store.has_text
        self._root = os.path.realpath(root)
        self._changed = changed_texts(changes)
        self._gone = {one.path for one in changes.files if one.new is None}
        self._gone |= {one.old_path for one in changes.files if one.old_path and one.old_path != one.path}

    def read(self, path: str) -> str | None:
        if path in self._changed or path in self._gone:
            return self._changed.get(path)
        return self._lookup.text(os.path.join(self._root, *path.split("/"))) or None

    def naming(self, identifier: str, limit: int = 64) -> Iterable[str]:
        """Changed files first, then open ones, then what the index finds, each checked against its text."""
        if limit < 1 or not _WORD.fullmatch(identifier):
            return
        texts = {**{path: made.text for path, made in self._open()}, **self._changed}
        for path in [*self._changed, *(path for path in texts if path not in self._changed)]:
            if limit > 0 and path not in self._gone and has_word(texts[path], identifier):
                yield path
                limit -= 1
        for path in self._stored(identifier, limit + len(texts) + len(self._gone)):
            if limit > 0 and path not in texts and path not in self._gone:
                yield path
                limit -= 1

    def _open(self) -> Iterator[tuple[str, Record]]:
        for path, made in self._buffers.records().items():
            if (inside := self._inside(path)) is not None:
                yield inside, made

    def _stored(self, identifier: str, most: int) -> Iterator[str]:
        """The column holds every identifier of a piece, without regard to case; the text decides."""
        sql = (
            "SELECT DISTINCT path, file.id FROM words JOIN chunk ON chunk.id = words.rowid JOIN file ON file.id = chunk.file"
            " WHERE words MATCH ? LIMIT ?"
        )
        for path, id in self._store.query(sql, (f'names:"{identifier}"', 4 * most)):
            inside = self._inside(path)
            if inside is not None and has_word(self._store.text(id), identifier):
                yield inside

    def _inside(self, path: str) -> str | None:
        folder = self._root.rstrip(os.sep) + os.sep
        return path[len(folder) :].replace(os.sep, "/") if path.startswith(folder) else None
