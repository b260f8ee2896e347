"""What the default model thinks of findings, asked in a thread of its own while the rules still look for more.

Nothing of it, nor of asyncio, is loaded before there is a finding that an opinion can decide. Knows a reviewer and the engine.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assistant.review.service import Reviewer
    from lsp_server.engine import EngineClient

log = logging.getLogger("sotto.review")

POLL_S = 0.03
LEAVE_S = 0.5
READY_S, WAIT_S = 4.0, 0.25
"""So long the end of a review waits for a model that still loads: longer than its weights need, and in such steps."""


class Opinions:
    """Use it around a reviewer's stream, and ask for `all` behind it. ``wanted`` false: there are none."""

    def __init__(self, reviewer: Reviewer, wanted: bool = True) -> None:
        self._reviewer = reviewer
        self._found: dict[int, Mapping[str, float]] = {}
        self._complete = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True) if wanted else None

    def __enter__(self) -> Opinions:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self._end()
        elif self._thread is not None:  # nobody waits for a model that still loads; the engine ends with this process
            self._reviewer.cancel.set()
            self._complete.set()
            self._thread.join(LEAVE_S)

    def all(self) -> Mapping[int, Mapping[str, float]]:
        """By a finding's place in ``waiting``; call it when no more findings can come."""
        self._end()
        return self._found

    def _end(self) -> None:
        self._complete.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not any(self._reviewer.doubts):
            if self._complete.wait(POLL_S):
                if not any(self._reviewer.doubts):
                    return
                break
        import asyncio

        try:
            asyncio.run(self._asked())
        except Exception:  # a review without opinions is one all the same
            log.exception("the model could not be asked")

    async def _asked(self) -> None:
        import asyncio

        from assistant.review.natural import opinions
        from assistant.types import EngineError
        from lsp_server.engine import EngineClient

        reviewer, engine = self._reviewer, EngineClient()
        try:
            await engine.start()
            if not await self._is_ready(engine):
                return
            is_last = False
            while not is_last and not reviewer.cancel.is_set():
                is_last = self._complete.is_set()
                waiting, doubts = reviewer.waiting, reviewer.doubts
                self._found.update(
                    await opinions(waiting, reviewer.text, engine, reviewer.cancel, doubts=doubts, known=self._found)
                )
                if not is_last:
                    await asyncio.sleep(POLL_S)
        except (EngineError, OSError) as error:
            log.info("no opinions: %s", error)
        finally:
            await engine.close()

    async def _is_ready(self, engine: EngineClient) -> bool:
        """Wait for the weights; while the rules are at work that costs nobody anything."""
        import asyncio

        from assistant.types import EngineError

        loop, until = asyncio.get_running_loop(), 0.0
        while not engine.failure and not self._reviewer.cancel.is_set():
            try:
                await engine.wait_ready(WAIT_S)
                return True
            except EngineError as error:
                log.info("not ready yet: %s", error)
            if self._complete.is_set():
                until = until or loop.time() + READY_S
                if loop.time() > until:
                    return False
            await asyncio.sleep(POLL_S)
        return False
