"""Which request may run: per document only the newest position, at most one at a time, and not on every key of a burst.

Works on keys and coroutines; knows nothing of completions. Time comes from the clock it is given (seconds), waiting
from asyncio.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from enum import Enum
from statistics import median
from typing import Generic, TypeVar

from assistant.cancel import Cancel

PAUSE = 0.3  # seconds without a request after which the next one runs at once
PACE_FACTOR = 1.5  # a key that comes later than this many median gaps is likely the last of the burst
LONGEST_WAIT = 0.25
_GAPS = 8

T = TypeVar("T")


class Ended(str, Enum):
    """Why a request got no result: a newer one of its document came, or it was no longer wanted."""

    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"


@dataclass
class Pace:
    """How fast requests for one document come. Clients that ask twice for one key (Neovim does) type no faster for it."""

    key: Hashable = None
    last: float | None = None
    current: float = 0.0
    gaps: deque[float] = field(default_factory=lambda: deque(maxlen=_GAPS))

    def wait(self, key: Hashable, now: float, least: float) -> float:
        """Seconds to wait before the request for ``key`` that came ``now``; notes the gap since the one before."""
        if key == self.key:
            return self.current
        gap = None if self.last is None else now - self.last
        self.key, self.last, self.current = key, now, 0.0
        if gap is not None and gap <= PAUSE:
            self.gaps.append(gap)
            self.current = max(least, min(LONGEST_WAIT, PACE_FACTOR * median(self.gaps)))
        return self.current


@dataclass
class _Job(Generic[T]):
    key: Hashable
    cancel: Cancel
    hurry: asyncio.Event
    waiters: list[asyncio.Future[T | Ended]] = field(default_factory=list)
    task: asyncio.Task[None] | None = None

    def settle(self, result: T | Ended) -> None:
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(result)
        self.waiters.clear()

    def fail(self, error: Exception) -> None:
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_exception(error)
        self.waiters.clear()

    def abort(self, why: Ended) -> None:
        """Stop the work and answer its waiters now; the work may take until its next await to notice."""
        self.settle(why)
        self.cancel.set()
        if self.task is not None:
            self.task.cancel()


class Schedule(Generic[T]):
    """At most one running or waiting job for each document."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._paces: dict[str, Pace] = {}
        self._jobs: dict[str, _Job[T]] = {}

    def pace(self, uri: str, key: Hashable, least: float) -> float:
        """Note a request for ``uri`` and say how many seconds it should wait if it needs the model."""
        return self._paces.setdefault(uri, Pace()).wait(key, self._clock(), least)

    def supersede(self, uri: str) -> None:
        """A newer request of this document needs no model: what ran for an older one is not wanted any more."""
        job = self._jobs.pop(uri, None)
        if job is not None:
            job.abort(Ended.SUPERSEDED)

    def forget(self, uri: str) -> None:
        self.supersede(uri)
        self._paces.pop(uri, None)

    async def run(
        self, uri: str, key: Hashable, wait: float, work: Callable[[Cancel], Awaitable[T]], cancel: Cancel
    ) -> T | Ended:
        """Run ``work`` after ``wait`` seconds unless a request with another key comes first. The same key shares one run.

        Setting ``cancel``, or cancelling the caller, ends this caller's part; the work is stopped when nobody waits for it.
        Raises what ``work`` raises.
        """
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[T | Ended] = loop.create_future()
        job = self._join(uri, key, wait, work)
        job.waiters.append(mine)

        def leave() -> None:
            loop.call_soon_threadsafe(self._leave, uri, job, mine)

        unsubscribe = cancel.subscribe(leave)
        try:
            return await mine
        finally:
            unsubscribe()
            self._leave(uri, job, mine)

    def _join(self, uri: str, key: Hashable, wait: float, work: Callable[[Cancel], Awaitable[T]]) -> _Job[T]:
        job = self._jobs.get(uri)
        if job is None or job.key != key:
            self.supersede(uri)
            job = self._jobs[uri] = _Job(key, Cancel(), asyncio.Event())
            job.task = asyncio.get_running_loop().create_task(self._work(uri, job, wait, work))
        elif wait <= 0:
            job.hurry.set()
        return job

    async def _work(self, uri: str, job: _Job[T], wait: float, work: Callable[[Cancel], Awaitable[T]]) -> None:
        try:
            if wait > 0:
                await _sleep_or(job.hurry, wait)
            job.settle(await work(job.cancel))
        except Exception as error:
            job.fail(error)
        finally:
            if self._jobs.get(uri) is job:
                del self._jobs[uri]

    def _leave(self, uri: str, job: _Job[T], mine: asyncio.Future[T | Ended]) -> None:
        if not mine.done():
            mine.set_result(Ended.CANCELLED)
        if mine not in job.waiters:
            return
        job.waiters.remove(mine)
        if not job.waiters:
            if self._jobs.get(uri) is job:
                del self._jobs[uri]
            job.abort(Ended.CANCELLED)


async def _sleep_or(event: asyncio.Event, seconds: float) -> None:
    """Sleep, but no longer than until ``event``."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except asyncio.TimeoutError:
        return
