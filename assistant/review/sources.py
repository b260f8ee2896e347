"""The texts of all source files of one side of a repository, read once, and plain search in them: 10 ms for 30 MB.

From the disk where that has what the side has, else from git's objects. Knows nothing of what changed.
"""

from __future__ import annotations

import os
import threading
from bisect import bisect_right
from collections.abc import Iterator

from assistant.review.changes import MAX_BYTES, Scope
from assistant.review.git import Git, GitError, on_disk
from assistant.workspace import languages

MOST_BYTES = 200_000_000
"""Of source text that is held for one review; more, and the rest is not known."""

_ALSO = frozenset((".toml", ".cfg", ".ini", ".pyx", ".jinja", ".html", ".vue", ".svelte"))
"""Files in which a name of the code may be used, though they are no source that has rules."""

_INSIDE = frozenset(byte for byte in range(256) if byte >= 0x80 or bytes([byte]).isalnum() or byte == ord("_"))
"""Bytes that a word goes on with."""


class Sources:
    """Safe from any thread. `load` it in one of its own to have it by the first question."""

    def __init__(self, git: Git, where: Scope) -> None:
        self._git, self._where = git, where
        self._lock = threading.Lock()
        self._is_loaded = False
        self._is_whole = True
        self._data = b""
        self._paths: list[str] = []
        self._places: dict[str, int] = {}
        self._starts: list[int] = []
        self._ends: list[int] = []

    @property
    def is_whole(self) -> bool:
        """Whether every source file is known."""
        self.load()
        return self._is_whole

    def read(self, path: str) -> bytes | None:
        """One file; of the disk without a wait for all the others."""
        if self._where.side == "disk" and not self._is_loaded:
            data = on_disk(self._git.root, path, MAX_BYTES) if is_source(path) and self._is_inside(path) else None
            return data if data is None or len(data) <= MAX_BYTES else None
        self.load()
        at = self._places.get(path)
        return self._data[self._starts[at] : self._ends[at]] if at is not None else None

    def _is_inside(self, path: str) -> bool:
        """Whether a path leads nowhere else, by links of folders either: git lists none of what is there."""
        if path.startswith("/") or ".." in path.split("/"):
            return False
        root = os.path.realpath(self._git.root)
        folder = os.path.join(root, os.path.dirname(path)).rstrip(os.sep)
        return os.path.realpath(folder) == os.path.normpath(folder)

    def naming(self, identifier: str) -> Iterator[str]:
        """Files that hold the word. One search over everything; after a hit it goes on at the next file."""
        self.load()
        data, wanted = self._data, identifier.encode("utf-8", "replace")
        at = data.find(wanted)
        while at >= 0:
            end = at + len(wanted)
            if (at > 0 and data[at - 1] in _INSIDE) or (end < len(data) and data[end] in _INSIDE):
                at = data.find(wanted, at + 1)
                continue
            file = bisect_right(self._starts, at) - 1
            yield self._paths[file]
            at = data.find(wanted, self._ends[file])

    def load(self) -> None:
        """Read everything, once. Never raises."""
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
            self._places[path] = len(self._paths)
            self._paths.append(path)
            self._starts.append(size)
            self._ends.append(size + len(data))
            parts += (data, b"\n")
            size += len(data) + 1
        self._data = b"".join(parts)

    def _files(self) -> Iterator[tuple[str, bytes]]:
        git, where = self._git, self._where
        index = git.files()
        listed = git.files(where.after) if where.side == "tree" else index
        wanted = {path: id for path, id in listed.items() if is_source(path)}
        dirty = git.dirty() if where.side != "disk" else set()
        here = {path for path, id in wanted.items() if where.side == "disk" or (index.get(path) == id and path not in dirty)}
        if where.side == "disk":
            here |= {path for path in git.untracked() if is_source(path)}
        for path in sorted(here):
            data = on_disk(git.root, path, MAX_BYTES)
            if data is not None and len(data) <= MAX_BYTES:
                yield path, data
        rest: dict[str, list[str]] = {}
        for path, id in wanted.items():
            if path not in here:
                rest.setdefault(id, []).append(path)
        for id, blob in git.blobs(sorted(rest)):
            if blob is not None and len(blob) <= MAX_BYTES:
                yield from ((path, blob) for path in rest[id])


def is_source(path: str) -> bool:
    """Whether a name in the file counts."""
    return bool(languages.language_of(path)) or os.path.splitext(path)[1].lower() in _ALSO
