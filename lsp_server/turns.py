"""Whose turn it is among one server's own requests: the most wanted first, the oldest of equals.

Knows calls and priorities; not what is asked. Who runs while somebody more wanted comes gives way: it stops within a layer, and
begins again when it is its turn, with what it had computed still in the engine's cache.
"""

from __future__ import annotations

import asyncio
from typing import Any

from lsp_server.engine_child import Call


class Turns:
    """One at a time. Use it inside the event loop."""

    def __init__(self) -> None:
        self._running: Call | None = None
        self._waiting: list[tuple[int, int, asyncio.Future[None], Call]] = []
        self._order = 0

    @property
    def is_free(self) -> bool:
        """Nothing runs or waits."""
        return self._running is None

    async def take(self, call: Call) -> bool:
        """Wait for the turn. False when the call was cancelled while it waited."""
        if self._running is None:
            self._running = call
            return True
        if call.priority < self._running.priority:
            self._running.leave()
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._order += 1
        self._waiting.append((call.priority, self._order, granted, call))
        try:
            await first(granted, call.cancelled)
        finally:
            if self._running is not call:
                self._waiting = [one for one in self._waiting if one[3] is not call]
        return self._running is call

    def give_back(self, call: Call) -> None:
        """The engine is through with the call; nothing happens when it had no turn."""
        if self._running is not call:
            return
        self._waiting.sort(key=lambda one: one[:2])
        self._running = None
        if self._waiting:
            _, _, granted, self._running = self._waiting.pop(0)
            if not granted.done():
                granted.set_result(None)


async def first(waiting: asyncio.Future[Any], cancelled: asyncio.Future[None]) -> None:
    """Wait for one of the two; ``waiting`` is cancelled unless it is done."""
    futures: set[asyncio.Future[Any]] = {waiting, cancelled}
    try:
        await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


async def happens(event: asyncio.Event, within: float) -> bool:
    """Wait for an event, at most ``within`` seconds; whether it has happened."""
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({waiting}, timeout=within)
    finally:
        waiting.cancel()
    return event.is_set()
