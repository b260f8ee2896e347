"""The workspace's index in the server: opened, watched, told of open buffers, searched, and closed, all beside the event loop.

Whatever goes wrong with it is one line in the log and an answer without it. Knows paths and texts; nothing of LSP messages, of
what is done with the answers, or of the engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from assistant.cancel import Cancel
from assistant.config import Config
from assistant.types import JsonObject
from lsp_server.background import Background
from lsp_server.positions import Lines

if TYPE_CHECKING:
    from assistant.workspace.find import Finder
    from assistant.workspace.index import WorkspaceIndex
    from assistant.workspace.lookup import Symbol
    from assistant.workspace.watch import Watcher

T = TypeVar("T")

log = logging.getLogger("sotto.workspace")

STATUS_S = 1.0
"""The status comes without counts then: something holds the disk up."""
CLOSE_S = 1.5
"""The server ends without waiting longer; threads that hang in a file system end with the process."""
SEARCH_S = 1.0
"""A search stops looking then and answers with what it has."""
FRESH_S = 0.5
"""A search waits so long for the index to be opened, and for the newest text of open buffers to be read: 10 ms, for a huge file
more.
"""
PROGRESS_FILES = 200
"""Fewer files are read before anybody has seen a progress item."""
MANY_CHANGES = 50
"""So many changed files, and the search's word counts are made anew."""


class Host(Protocol):
    """The editor, as seen from here."""

    def log(self, text: str) -> None:
        """A line for the log."""

    async def progress(self, title: str, done: asyncio.Event, look: Callable[[], tuple[str, int]] | None = None) -> None:
        """Show that something lasts until ``done``; ``look`` says how far it is: a text and a percentage."""


class Located(NamedTuple):
    """A definition, and where its name stands: an offset into a text of ``lines``, if that has been looked up.
    ``document``: the editor's uri of an open document, else a path.
    """

    symbol: Symbol
    document: str
    offset: int
    lines: Lines | None


class Workspace:
    """One client's workspace. Make it and call it inside the event loop; no method holds the loop up.

    ``on_news`` is called in the loop when what the index says, or what the user looks at, has changed.
    """

    def __init__(self, host: Host, cache: Path, on_news: Callable[[], None] = lambda: None) -> None:
        self.index: WorkspaceIndex | None = None
        self.focus: str | None = None
        self._host = host
        self._cache = cache
        self._on_news = on_news
        self._life = Background("sotto-workspace")  # opens, watches, closes: may take seconds in a large tree
        self._work = Background("sotto-search")  # buffers and questions, in their order
        self._wanted: tuple[bool, tuple[str, ...], tuple[str, ...], bool] | None = None
        self._watcher: Watcher | None = None
        self._finder: Finder | None = None
        self._changes = 0
        self._state, self._error = "off", ""
        self._read = (0, 0)
        self._scanned: asyncio.Event | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._given: tuple[tuple[str, str], ...] = ()
        self._buffers: dict[str, tuple[str, str, str]] = {}
        self._uris: dict[str, str] = {}
        self._waiting: dict[str, None] = {}
        self._lock = threading.Lock()
        self._is_open = threading.Event()
        self._is_closing = False

    # Life

    def fit(self, config: Config, roots: Iterable[str]) -> None:
        """Put settings and folders in force. What they do not concern stays as it is."""
        wanted = (config.workspace_index, tuple(roots), config.exclude, config.respect_gitignore)
        if wanted != self._wanted and not self._is_closing:
            self._wanted = wanted
            self._is_open.clear()
            self._life.do(partial(self._renew, config, wanted[1]))

    async def close(self) -> None:
        """Stop everything; returns within `CLOSE_S` whatever it is doing."""
        self._is_closing = True
        self._end_progress()
        index = self.index
        if index is not None:
            index.stop()
        ended = asyncio.ensure_future(self._life.run(self._drop))
        await asyncio.wait({ended}, timeout=CLOSE_S)
        self._life.end()
        self._work.end()

    def _renew(self, config: Config, roots: tuple[str, ...]) -> None:
        self._drop()
        if self._is_closing:
            return
        if config.workspace_index:
            try:
                self._open(config, self._usable(roots))
            except Exception as error:
                log.warning("no workspace index", exc_info=True)
                self._trouble("index", f"There is no workspace index: {error}.")
        self._is_open.set()
        self._work.tell(self._on_news)

    def _usable(self, roots: tuple[str, ...]) -> list[str]:
        """The real names of the folders to index. The home folder is none: it holds everything; a project in it is meant."""
        home = os.path.realpath(Path.home())
        pairs = []
        for root in roots:
            real = os.path.realpath(root)
            if home == real or home.startswith(real.rstrip(os.sep) + os.sep):
                self._say(f"Sotto does not index {root}, for it holds your home folder: open a project's folder.")
            else:
                pairs.append((real, root))
        self._given = tuple(sorted(pairs, key=lambda pair: -len(pair[0])))
        return [real for real, _ in pairs]

    def _open(self, config: Config, roots: list[str]) -> None:
        from assistant.workspace.index import WorkspaceIndex
        from assistant.workspace.prune import prune
        from assistant.workspace.watch import Watcher

        self._state, self._error, self._read = "indexing", "", (0, 0)
        index = WorkspaceIndex(
            roots, self._cache, config, report=self._trouble, on_progress=self._progressed, on_change=self._changed
        )
        self.index = index
        with self._lock:
            self._waiting.update(dict.fromkeys(list(self._buffers)))
        self._is_open.set()
        self._work.do(self._take_news)
        if roots:  # before the scan: what changes while it runs must not be missed
            self._watcher = Watcher(index, report=self._trouble)
            self._watcher.start()
        index.start()
        prune(self._cache, keep=index.store.path)

    def _drop(self) -> None:
        index, self.index = self.index, None
        watcher, self._watcher = self._watcher, None
        self._finder, self._state = None, "off"
        if index is not None:
            index.stop()
        if watcher is not None:
            watcher.stop()
        if index is not None:
            index.close()

    # News, from the index's threads

    def _changed(self, paths: list[str] | None) -> None:
        if paths is None:
            self._state = "ready" if self._state == "indexing" else self._state
            self._changes = MANY_CHANGES
            self._work.tell(self._end_progress)
        else:
            self._changes += len(paths)
        self._work.tell(self._on_news)

    def _progressed(self, done: int, found: int) -> None:
        self._read = done, found
        if found - done >= PROGRESS_FILES:
            self._work.tell(self._begin_progress)

    def _trouble(self, kind: str, text: str) -> None:
        """Something about the index went wrong; an index tells each kind once."""
        if kind in ("disk", "index"):
            self._state, self._error = "failed", text
            self._work.tell(self._end_progress)
        elif not self._error:
            self._error = text
        self._say(text)

    def _say(self, text: str) -> None:
        self._work.tell(self._host.log, text)

    def _begin_progress(self) -> None:
        if self._scanned is None and not self._is_closing:
            self._scanned = asyncio.Event()
            showing = self._host.progress("Sotto: indexing the workspace", self._scanned, self._how_far)
            task = asyncio.get_running_loop().create_task(showing)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _end_progress(self) -> None:
        if self._scanned is not None:
            self._scanned.set()
            self._scanned = None

    def _how_far(self) -> tuple[str, int]:
        done, found = self._read
        return f"{done:,} of {found:,} files", 100 * done // max(1, found)

    # Buffers

    def open_buffer(self, uri: str, path: str | None, text: str, language: str) -> None:
        """A document as the editor has it now, opened or changed. Of a burst of changes the last one is read."""
        key = path or uri
        self._buffers[key] = text, language, uri
        self._tell(key)
        if self.focus != key:
            self.focus = key
            self._on_news()

    def close_buffer(self, uri: str, path: str | None) -> None:
        key = path or uri
        if self._buffers.pop(key, None) is not None:
            self._tell(key)

    def saved(self, path: str) -> None:
        """The editor has written the file; where there are no notifications nobody else says so."""
        index = self.index
        if index is not None:
            index.notify([path])

    def _tell(self, key: str) -> None:
        with self._lock:
            is_first = not self._waiting
            self._waiting[key] = None
        if is_first:
            self._work.do(self._take_news)

    def _take_news(self) -> None:
        index = self.index
        while True:
            with self._lock:
                if not self._waiting or index is None:
                    self._waiting.clear()  # the next index is told of every buffer
                    return
                key = next(iter(self._waiting))
                del self._waiting[key]
            given, real = self._buffers.get(key), os.path.realpath(key) if os.path.isabs(key) else key
            if given is None:
                self._uris.pop(real, None)
                index.close_buffer(key)
            else:
                text, language, self._uris[real] = given
                index.open_buffer(key, text, language)

    # Questions

    @property
    def whole(self) -> WorkspaceIndex | None:
        """The index, once it has seen every file."""
        return self.index if self._state == "ready" else None

    async def ask(self, question: Callable[[WorkspaceIndex], T]) -> T | None:
        """What ``question`` finds out, on the thread for it; ``None`` without an index."""

        def work() -> T | None:
            index = self.index
            return question(index) if index is not None else None

        return await self._work.run(work)

    async def symbols(self, query: str, limit: int, cancel: Cancel, with_places: bool) -> list[Located]:
        """The best definitions for what was typed; see `assistant.workspace.named.search`. Places cost a read of each file."""
        end = time.perf_counter() + SEARCH_S

        def is_late() -> bool:
            return cancel.is_set() or time.perf_counter() > end

        return await self._work.run(lambda: self._search(query, limit, is_late, with_places))

    def _search(self, query: str, limit: int, until: Callable[[], bool], with_places: bool) -> list[Located]:
        from assistant.workspace.find import Finder
        from assistant.workspace.named import search

        self._is_open.wait(FRESH_S)
        self._take_news()
        index = self.index
        if index is None:
            return []
        index.buffers.settle(FRESH_S)
        finder = self._finder
        if finder is None or self._changes >= MANY_CHANGES:
            self._changes = 0
            finder = self._finder = Finder(index)
        answers = search(index, finder, query, limit, until)
        if not with_places:
            return [Located(a.symbol, self.document(a.symbol.path), a.symbol.start, None) for a in answers]
        texts: dict[str, tuple[str, Lines]] = {}
        return [self._locate(index, a.symbol, texts) for a in answers]

    async def place(self, path: str, qualified: str, line: int) -> Located | None:
        """Where a definition that a search has named stands now."""

        def work(index: WorkspaceIndex) -> Located | None:
            from assistant.workspace.lookup import Lookup

            symbol = Lookup(index).described(path, qualified, line)
            return self._locate(index, symbol, {}) if symbol is not None else None

        return await self.ask(work)

    def _locate(self, index: WorkspaceIndex, symbol: Symbol, texts: dict[str, tuple[str, Lines]]) -> Located:
        from assistant.workspace.lookup import Lookup
        from assistant.workspace.named import name_place

        if symbol.path not in texts:
            read = Lookup(index).text(symbol.path)
            texts[symbol.path] = read, Lines(read)
        text, lines = texts[symbol.path]
        return Located(symbol, self.document(symbol.path), name_place(symbol, text), lines)

    def document(self, path: str) -> str:
        """What the editor calls the file: the uri of an open document, or the path by way of the folder it has opened."""
        return self._uris.get(path) or self.given(path)

    def given(self, path: str) -> str:
        """A real path as the editor would spell it: a workspace folder may be a link."""
        for real, given in self._given:
            folder = real.rstrip(os.sep) + os.sep
            if path.startswith(folder):
                return os.path.join(given, path[len(folder) :])
        return path

    async def status(self) -> JsonObject:
        """The ``index`` of ``sotto/status``."""
        counts: JsonObject | None = None
        with contextlib.suppress(asyncio.TimeoutError):
            counts = await asyncio.wait_for(self.ask(_counts), STATUS_S)
        done, found = self._read
        watcher = self._watcher
        return {
            "state": self._state,
            **(counts or {"files": 0, "symbols": 0, "bytes": 0, "path": None}),
            "read": done,
            "toRead": found,
            "watching": None if watcher is None else "polling" if watcher.is_polling else "notifications",
            "lastError": self._error or None,
        }


def _counts(index: WorkspaceIndex) -> JsonObject:
    path = index.store.path
    rows = index.store.query("SELECT count(*) FROM symbol")
    size = path.stat().st_size if path.exists() else 0
    return {"files": index.store.count(), "symbols": int(rows[0][0]) if rows else 0, "bytes": size, "path": str(path)}
