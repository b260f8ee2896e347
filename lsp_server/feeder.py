"""Lets the engine learn the workspace: its documents, nearest first, into the n-gram caches, when nobody waits for anything.

Never while a completion is under way, at most half of the time, and only what is on disk and in the index: no excluded file,
nothing unsaved.
Knows the order of documents and the engine's `learn`; nothing of what the engine does with them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from assistant.types import EngineError, JsonObject
from lsp_server.workspace import Workspace

log = logging.getLogger("sotto.workspace")

MAX_BYTES = 30_000_000
"""Of source text that the engine holds; beyond, the documents farthest from the user's are left out."""
GATHER_S = 0.5
"""News is gathered for so long: a checkout is one change."""
QUIET_S = 0.3
"""After a completion the next key is likely to come; so long nothing is fed."""
LONGEST_S = 3.0
"""But in a long burst of typing the gaps between completions are used after so long."""
PAUSE_S = 0.005


class Learner(Protocol):
    """The side of `assistant.types.TextModel` that is used here."""

    async def learn(self, key: str, text: str) -> None:
        """Hold this text for the document from now on. Raises `EngineError`."""

    async def unlearn(self, key: str) -> None:
        """Forget the document. Raises `EngineError`."""


class Feeder:
    """Make it inside the event loop; `run` is its life, as a task."""

    def __init__(self, workspace: Workspace, most_bytes: int = MAX_BYTES) -> None:
        self._workspace = workspace
        self._most_bytes = most_bytes
        self._model: Learner | None = None
        self._held: dict[str, tuple[bytes, int]] = {}
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._asked = 0
        self._quiet_at = 0.0

    def begin(self, model: Learner) -> None:
        """An engine is ready and knows nothing yet."""
        self._model = model
        self._held = {}
        self._news.set()

    def pause(self) -> None:
        """The engine is gone."""
        self._model = None
        self._held = {}

    def wake(self) -> None:
        """Files have changed, or the user looks at another."""
        self._news.set()

    @contextmanager
    def completing(self) -> Iterator[None]:
        """A completion is under way: feeding waits."""
        self._asked += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._asked -= 1
            self._quiet_at = asyncio.get_running_loop().time() + QUIET_S
            if not self._asked:
                self._idle.set()

    def status(self) -> JsonObject:
        """How much the engine has learned."""
        return {"learnedFiles": len(self._held), "learnedBytes": sum(size for _, size in self._held.values())}

    async def run(self) -> None:
        """Feed for ever; ends when it is cancelled."""
        while True:
            await self._news.wait()
            await asyncio.sleep(GATHER_S)
            self._news.clear()
            model = self._model
            if model is None:
                continue
            try:
                await self._feed(model)
            except EngineError as error:  # it is being replaced, and says when it is ready
                log.debug("the engine does not learn: %s", error)
            except Exception:
                log.exception("the workspace could not be fed to the engine")

    async def _feed(self, model: Learner) -> None:
        """Bring what the engine holds to what it should; stops when there is news, for `run` to begin again."""
        from assistant.workspace.nearest import documents, text_of

        focus, held = self._workspace.focus, self._held
        wanted = await self._workspace.ask(partial(documents, focus=focus, most_bytes=self._most_bytes)) or []
        for path in held.keys() - {document.path for document in wanted}:
            await self._quiet()
            if self._model is not model:
                return
            await model.unlearn(self._workspace.given(path))
            del held[path]
        for document in wanted:
            if document.path in held and held[document.path][0] == document.digest:
                continue
            text = await self._workspace.ask(partial(text_of, document=document))
            await self._quiet()
            if self._news.is_set() or self._model is not model:
                return
            if text is not None:
                await self._learn(model, document.path, text)
                held[document.path] = document.digest, document.size

    async def _learn(self, model: Learner, path: str, text: str) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            await model.learn(self._workspace.given(path), text.replace("\r\n", "\n"))
        except EngineError:
            raise
        except Exception as error:  # of this one text: the others are still wanted
            log.warning("the engine could not learn %s: %r", path, error)
        await asyncio.sleep(max(PAUSE_S, clock() - began))

    async def _quiet(self) -> None:
        """Wait until no completion is under way, nor likely to be asked for in a moment."""
        clock = asyncio.get_running_loop().time
        patience = clock() + LONGEST_S
        while self._asked or clock() < min(self._quiet_at, patience):
            if self._asked:
                await self._idle.wait()
            else:
                await asyncio.sleep(max(0.0, min(self._quiet_at, patience) - clock()))
