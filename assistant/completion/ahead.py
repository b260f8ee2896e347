"""What will probably be asked next, computed while nobody asks: it ends with the next request.

Knows times and coroutines; nothing of what they compute.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from assistant.cancel import Cancel
from assistant.types import EngineError

_log = logging.getLogger(__name__)

PAUSE_S = 0.15
"""Who types on does so within this; who reads a suggestion, to take it or not, needs longer."""


class Ahead:
    """One piece of work at a time: the newest."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._cancel = Cancel()

    def begin(self, work: Callable[[Cancel], Awaitable[None]], pause: float = PAUSE_S) -> None:
        """Do ``work`` after a pause, in place of what was begun before."""
        self.stop()
        self._cancel = Cancel()
        self._task = asyncio.get_running_loop().create_task(self._run(work, self._cancel, pause))

    def stop(self) -> None:
        """It is not wanted any more; the engine is free within a layer."""
        if self._task is not None:
            self._cancel.set()
            self._task.cancel()
            self._task = None

    async def _run(self, work: Callable[[Cancel], Awaitable[None]], cancel: Cancel, pause: float) -> None:
        await asyncio.sleep(pause)
        try:
            await work(cancel)
        except EngineError:
            return
        except Exception:
            _log.exception("what was computed ahead has failed")
