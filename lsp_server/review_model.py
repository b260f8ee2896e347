"""The chat model that the user chose for reviews: its engine starts when it is first asked for, and rests when idle.

Why it cannot serve is told once. Knows settings; nothing of LSP or of what the model is asked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from assistant.config import Config
from assistant.types import EngineError, TextModel
from lsp_server.engine import EngineClient

log = logging.getLogger("sotto.review")

LOAD_S = 180.0
"""Longest wait for its weights: 15 GB from a slow disk."""
NO_CHAT = "it has no chat template; choose an instruct model"


class ReviewModel:
    """`configure` it with each change of the settings, `close` it inside the event loop."""

    def __init__(self, config: Config, warn: Callable[[str], None]) -> None:
        self._config, self._warn = config, warn
        self._engine: EngineClient | None = None
        self._refused = False
        self._ending: set[asyncio.Task[None]] = set()

    def configure(self, config: Config) -> None:
        """An engine that other settings were made for ends."""
        before, self._config = self._config, config
        if _needs(before) != _needs(config):
            self._refused = False
            if self._engine is not None:
                task = asyncio.get_running_loop().create_task(self._engine.close())
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)
                self._engine = None

    async def ready(self) -> TextModel | None:
        """The model once it can chat; ``None`` where none was chosen or it cannot."""
        if not self._config.review_model or self._refused:
            return None
        try:
            engine = self._engine
            if engine is None:
                engine = self._engine = _engine(self._config)
                await engine.start()
            info = await engine.wait_ready(LOAD_S)
            if not info.chat:
                raise EngineError(NO_CHAT)
        except EngineError as error:
            self._refused = True
            self._warn(f"Sotto: the review model cannot serve: {error}")
            return None
        return engine

    async def close(self) -> None:
        if self._engine is not None:
            await self._engine.close()
        await asyncio.gather(*self._ending)


def _engine(config: Config) -> EngineClient:
    return EngineClient(
        config.review_model,
        config.threads,
        lambda kind, text: log.info("review model: %s %s", kind, text),
        shared=config.shared_engine,
        idle_s=config.idle_minutes * 60,
        allow_download=config.allow_download,
    )


def _needs(config: Config) -> tuple[object, ...]:
    return config.review_model, config.threads, config.shared_engine, config.idle_minutes, config.allow_download
