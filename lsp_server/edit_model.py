"""The user's own model for next edits: an engine that is started when the first edit is asked for, and rests when idle.

Until it is ready, and if it cannot be, it says nothing, so the rules serve alone; why it cannot is told once. Knows the
settings it was made for; nothing of LSP or of how edits are weighed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from assistant.cancel import Cancel
from assistant.config import Config
from assistant.next_edit.locate import EditModel, Judgement
from assistant.next_edit.prompted import PromptedEdits
from assistant.next_edit.prompts import choose
from assistant.next_edit.types import Candidate, Scene
from assistant.types import ModelInfo
from lsp_server.engine import EngineClient

log = logging.getLogger("sotto.next_edit")


class OwnEditModel:
    """An `EditModel`. Make it inside the event loop; `close` it."""

    def __init__(self, config: Config, warn: Callable[[str], None]) -> None:
        self.settings = settings_of(config)
        self._place, self._format = config.next_edit_model, config.next_edit_format
        self._warn = warn
        self._engine = EngineClient(
            config.next_edit_model,
            config.threads,
            self._heard,
            shared=config.shared_engine,
            idle_s=config.idle_minutes * 60,
            allow_download=config.allow_download,
        )
        self._starting: asyncio.Task[None] | None = None
        self._edits: EditModel | None = None

    async def locate(self, scene: Scene, cancel: Cancel) -> list[Candidate]:
        """See `EditModel`; nothing while the model loads."""
        if self._starting is None:
            self._starting = asyncio.get_running_loop().create_task(self._engine.start())
        return await self._edits.locate(scene, cancel) if self._edits is not None else []

    async def score(self, scene: Scene, candidates: Sequence[Candidate], cancel: Cancel) -> list[Judgement | None]:
        """See `EditModel`; no judgement while the model loads."""
        if self._edits is None:
            return [None] * len(candidates)
        return await self._edits.score(scene, candidates, cancel)

    async def wait_ready(self, timeout: float) -> ModelInfo:
        """Start and wait, for those who measure. Raises `assistant.types.EngineError`."""
        if self._starting is None:
            self._starting = asyncio.get_running_loop().create_task(self._engine.start())
        await self._starting
        return await self._engine.wait_ready(timeout)

    @property
    def pid(self) -> int | None:
        """Of its engine's process, while there is one."""
        return self._engine.pid

    async def close(self) -> None:
        if self._starting is not None:
            await self._starting
        await self._engine.close()

    def _heard(self, kind: str, text: str) -> None:
        """News of the engine."""
        log.info("next-edit model: %s", text)
        info = self._engine.info
        if kind == "ready" and info is not None:
            self._edits = PromptedEdits(self._engine, choose(self._place or info.name, self._format, info.chat))
        elif kind == "failed":
            self._edits = None
            self._warn(f"Sotto: the next-edit model cannot serve: {text}")


def settings_of(config: Config) -> tuple[object, ...]:
    """The settings that another engine is needed for when they change."""
    engine = config.threads, config.shared_engine, config.idle_minutes, config.allow_download
    return config.next_edit_model, config.next_edit_format, *engine
