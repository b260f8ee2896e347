"""A daemon thread that does one job after another, for whoever must not wait: the event loop.

An executor will not do: the interpreter waits for its threads at the end, and a job that hangs in a file system would keep the
server alive. Knows nothing of what the jobs are.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

log = logging.getLogger("sotto.server")


class Background:
    """Make it inside the event loop."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def do(self, job: Callable[[], object]) -> None:
        """Queue a job; returns at once. What it raises goes to the log."""
        self._jobs.put(job)

    async def run(self, job: Callable[[], T]) -> T:
        """Queue a job and wait for its result. Cancelled before its turn, it is not done."""
        done: asyncio.Future[T] = self._loop.create_future()

        def work() -> None:
            if done.cancelled():
                return
            try:
                result = job()
            except Exception as error:
                self.tell(_settle, done, None, error)
            else:
                self.tell(_settle, done, result, None)

        self.do(work)
        return await done

    def tell(self, callback: Callable[..., object], *arguments: object) -> None:
        """Call something in the event loop, from any thread; nothing happens once the loop has ended."""
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:
            log.debug("the event loop has ended")

    def end(self) -> None:
        """No more jobs; those that are queued are still done, if the process lives that long."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:
                log.exception("a background job failed")


def _settle(done: asyncio.Future[T], result: T, error: Exception | None) -> None:
    if done.done():
        return
    if error is not None:
        done.set_exception(error)
    else:
        done.set_result(result)
