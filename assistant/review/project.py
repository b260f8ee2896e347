"""The code around a change, as it is after it: from the workspace index, or from the files that git knows.

`IndexProject` asks a live index. `TreeProject` reads all source files of one tree once, at its first question, and finds names
by plain search in them: 10 ms for 30 MB. Both are `types.Project`; neither raises.
"""

from __future__ import annotations

import os
import re
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from assistant.review.changes import MAX_BYTES, Scope
from assistant.review.git import Git, GitError, on_disk
from assistant.review.types import ChangeSet
from assistant.workspace import languages

if TYPE_CHECKING:
    from assistant.workspace.index import WorkspaceIndex
    from assistant.workspace.record import Record

MOST_BYTES = 200_000_000
"""Of source text that is held for one review; more, and the rest is not known."""

ASKED = 64
"""Files that are looked for at the first question for a name; the answer is kept."""

_ALSO = frozenset((".toml", ".cfg", ".ini", ".pyx", ".jinja", ".html", ".vue", ".svelte"))
"""Files in which a name of the code may be used, though they are no source that has rules."""

_WORD = re.compile(r"[^\W\d]\w*")

_INSIDE = frozenset(byte for byte in range(256) if byte >= 0x80 or bytes([byte]).isalnum() or byte == ord("_"))
"""Bytes that a word goes on with."""


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
        wanted = re.compile(rf"\b{re.escape(identifier)}\b")
        return [path for path, text in self._texts.items() if wanted.search(text)][:limit]


class TreeProject:
    """All source files of one side of a repository. Safe from any thread.

    ``excluded`` is asked about a file before anybody gets to see it, not when it is loaded: 0.2 ms for each of thousands.
    """

    def __init__(
        self, git: Git, where: Scope, changes: ChangeSet, excluded: Callable[[str], str | None] = lambda path: None
    ) -> None:
        self._git, self._where, self._excluded = git, where, excluded
        self._changed = changed_texts(changes)
        self._gone = {one.path for one in changes.files if one.new is None}
        self._gone |= {one.old_path for one in changes.files if one.old_path and one.old_path != one.path}
        self._lock = threading.Lock()
        self._known: dict[str, list[str]] = {}
        self._in_sight: dict[str, bool] = {}
        self._is_loaded = False
        self._is_whole = True
        self._data = b""
        self._paths: list[str] = []
        self._starts: list[int] = []
        self._ends: list[int] = []

    @property
    def complete(self) -> bool:
        """Whether every source file is known."""
        self.load()
        return self._is_whole

    def read(self, path: str) -> str | None:
        text = self._changed.get(path)
        if text is not None or path in self._gone:
            return text
        self.load()
        try:
            at = self._paths.index(path)
        except ValueError:
            return None
        return self._data[self._starts[at] : self._ends[at]].decode("utf-8", "replace") if self._is_in_sight(path) else None

    def naming(self, identifier: str, limit: int = 64) -> Iterable[str]:
        """Changed files first."""
        if limit < 1 or not _WORD.fullmatch(identifier):
            return []
        word = re.compile(rf"(?<!\w){re.escape(identifier)}(?!\w)")
        found = [path for path, text in self._changed.items() if identifier in text and word.search(text)][:limit]
        self.load()
        if identifier not in self._known:
            self._known[identifier] = list(self._search(identifier, ASKED))
        known = self._known[identifier]
        more = known if len(known) < ASKED or limit <= ASKED else self._search(identifier, limit)
        return [*found, *more][:limit]

    def _search(self, identifier: str, limit: int) -> Iterator[str]:
        """One search over everything; after a hit it goes on at the next file."""
        data, wanted = self._data, identifier.encode("utf-8", "replace")
        at = data.find(wanted) if limit > 0 else -1
        while at >= 0 and limit > 0:
            end = at + len(wanted)
            if (at > 0 and data[at - 1] in _INSIDE) or (end < len(data) and data[end] in _INSIDE):
                at = data.find(wanted, at + 1)
                continue
            file = bisect_right(self._starts, at) - 1
            if self._is_in_sight(self._paths[file]):
                yield self._paths[file]
                limit -= 1
            at = data.find(wanted, self._ends[file])

    def _is_in_sight(self, path: str) -> bool:
        known = self._in_sight.get(path)
        if known is None:
            known = self._in_sight[path] = self._excluded(path) is None
        return known

    def load(self) -> None:
        """Read everything, once. Call it in a thread of its own to have it by the first question."""
        with self._lock:
            if not self._is_loaded:
                try:
                    self._read_all()
                except (GitError, MemoryError):
                    self._is_whole = False
                self._is_loaded = True

    def _read_all(self) -> None:
        size = 0
        parts: list[bytes] = []
        for path, data in self._files():
            if size + len(data) > MOST_BYTES:
                self._is_whole = False
                break
            self._paths.append(path)
            self._starts.append(size)
            self._ends.append(size + len(data))
            parts += (data, b"\n")
            size += len(data) + 1
        self._data = b"".join(parts)

    def _files(self) -> Iterator[tuple[str, bytes]]:
        """Every unchanged file with its bytes: from the disk where that has what the tree has, from git's objects otherwise."""
        git, where = self._git, self._where
        index = git.files()
        listed = git.files(where.after) if where.side == "tree" else index
        wanted = {path: id for path, id in listed.items() if self._is_wanted(path)}
        dirty = git.dirty() if where.side != "disk" else set()
        here = {path for path, id in wanted.items() if where.side == "disk" or (index.get(path) == id and path not in dirty)}
        if where.side == "disk":
            here |= {path for path in git.untracked() if self._is_wanted(path)}
        for path in sorted(here):
            data = on_disk(git.root, path, MAX_BYTES)
            if data is not None and len(data) <= MAX_BYTES:
                yield path, data
        rest = {id: path for path, id in wanted.items() if path not in here}
        for id, blob in git.blobs(sorted(rest)):
            if blob is not None and len(blob) <= MAX_BYTES:
                yield rest[id], blob

    def _is_wanted(self, path: str) -> bool:
        known = languages.language_of(path) or os.path.splitext(path)[1].lower() in _ALSO
        return bool(known) and path not in self._changed and path not in self._gone


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
        word = re.compile(rf"(?<!\w){re.escape(identifier)}(?!\w)")
        texts = {**{path: made.text for path, made in self._open()}, **self._changed}
        for path in [*self._changed, *(path for path in texts if path not in self._changed)]:
            if limit > 0 and path not in self._gone and identifier in texts[path] and word.search(texts[path]):
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
        word = re.compile(rf"(?<!\w){re.escape(identifier)}(?!\w)")
        for path, id in self._store.query(sql, (f'names:"{identifier}"', 4 * most)):
            inside = self._inside(path)
            if inside is not None and word.search(self._store.text(id)):
                yield inside

    def _inside(self, path: str) -> str | None:
        folder = self._root.rstrip(os.sep) + os.sep
        return path[len(folder) :].replace(os.sep, "/") if path.startswith(folder) else None
