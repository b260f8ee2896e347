"""What an engine's n-gram caches know at a moment of a replay: every file but the one in front, as it stands then.

An editor's server teaches its engine the project's files while nobody waits; a replay waits until they count. Knows scenes
and the engine's `learn`; nothing of how a commit ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Protocol

from assistant.next_edit.replay import Stored
from assistant.next_edit.types import Scene

POLL_S = 0.005


class Learner(Protocol):
    """The side of `lsp_server.engine.EngineClient` that is used here."""

    async def learn(self, key: str, text: str) -> None:
        """Hold this text for the document from now on. Raises `EngineError`."""

    async def unlearn(self, key: str) -> None:
        """Forget the document. Raises `EngineError`."""

    async def waiting(self) -> int:
        """Documents that do not count yet. Raises `EngineError`."""


class Known:
    """Remembers what an engine has been taught, so that from one moment to the next only what differs is."""

    def __init__(self, engine: Learner) -> None:
        self._engine = engine
        self._held: dict[str, str] = {}

    async def fit(self, scene: Scene) -> None:
        """Teach what this scene holds besides the document in front, whose text a request brings. Raises `EngineError`."""
        wanted = dict(_texts(scene))
        for path in self._held.keys() - wanted.keys() - {scene.document.path}:
            await self._engine.unlearn(path)
            del self._held[path]
        for path, text in wanted.items():
            if self._held.get(path) != text:
                await self._engine.learn(path, text.replace("\r\n", "\n"))
                self._held[path] = text
        while await self._engine.waiting():  # noqa: ASYNC110 - the engine tells nobody when it is done
            await asyncio.sleep(POLL_S)


def _texts(scene: Scene) -> Iterator[tuple[str, str]]:
    """(path, text): files that are not open first, for what is taught last is nearest."""
    stored: Iterable[tuple[str, str]] = scene.files.files if isinstance(scene.files, Stored) else ()
    yield from stored
    yield from ((one.path, one.text) for one in scene.others)
