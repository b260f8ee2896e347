"""One engine from the server's side, and the requests to it.

Knows frames, the cancel word, and a `Link` that carries them. Does not know when to start another engine, or whether others use
this one: that is `lsp_server.engine`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Protocol

from assistant.cancel import Cancel
from assistant.types import EngineError, JsonObject, ModelInfo, Priority
from assistant.wire import CancelWord, WireError, encode, read_frame_async
from lsp_server.engine_pipe import ENGINES_WORDS

log = logging.getLogger("sotto.engine")

LOAD_S = 120.0


class Link(Protocol):
    """What carries frames to an engine process and back: `engine_pipe.Pipe`, `shared_engine.Wire`."""

    @property
    def pid(self) -> int | None:
        """Of the engine's process."""

    @property
    def reader(self) -> asyncio.StreamReader:
        """Frames from the engine."""

    def write(self, data: bytes) -> None:
        """Frames to the engine; returns at once."""

    def part(self) -> None:
        """We want no more of this engine: it ends, unless others want it."""

    def kill(self) -> None:
        """The process hangs: end it, whoever uses it. Does nothing to another process that has its number by now."""

    async def ended(self) -> str:
        """Wait for the end, once nothing more can be read. Returns how it ended."""


class Call:
    """One request from the caller's side: what has come, whether it is cancelled, whether the engine is through with it."""

    def __init__(self, cancel: Cancel, priority: Priority = Priority.INLINE) -> None:
        self.number = 0
        self.priority = priority
        self.child: Child | None = None
        self.has_turn = False
        self.done = asyncio.Event()
        self.frames: asyncio.Queue[JsonObject | EngineError | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self.cancelled: asyncio.Future[None] = self._loop.create_future()
        self.unsubscribe = cancel.subscribe(self._cancelled_from_any_thread)

    async def next(self, patience: float) -> JsonObject | None:
        """The next frame, ``None`` once cancelled. Raises `EngineError`: the engine's own, its death, or its silence."""
        # Not asyncio.wait_for: before Python 3.12 it loses a cancellation that comes together with a frame.
        self._listen(patience)
        try:
            item = await self.frames.get()
        finally:
            self._timer.cancel()
        if self.cancelled.done() or item is None:
            return None
        if isinstance(item, EngineError):
            raise item
        if "error" in item:
            raise EngineError(str(item["error"]))
        return item

    def leave(self) -> None:
        """The caller wants no more: the iterator ends, and the engine is told unless it is through."""
        if not self.cancelled.done():
            self.cancelled.set_result(None)
            self.frames.put_nowait(None)
        if not self.done.is_set():
            self._tell_engine()
            if self.child is not None:
                self.child.drop(self)

    def _listen(self, patience: float) -> None:
        """Be told when nothing was heard for so long, of this request or of any: an engine that works for others lives."""
        alive = self.child.alive if self.child is not None else -1
        self._timer = self._loop.call_later(patience, self._silent, patience, alive)

    def _silent(self, patience: float, alive: int) -> None:
        if self.child is not None:
            if self.child.alive != alive:
                self._listen(patience)
                return
            self.child.kill()
        self.frames.put_nowait(EngineError(f"the engine was silent for {patience:g} s and is being replaced"))

    def _tell_engine(self) -> None:
        """Through the cancel word, which it reads between layers."""
        if self.child is not None:
            with contextlib.suppress(ValueError):  # the word is closed: so is the engine
                self.child.word.cancel(self.number)

    def _cancelled_from_any_thread(self) -> None:
        self._tell_engine()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(self.leave)  # which tells again: it may have been sent since


class Child:
    """One engine, from our first word to its end, or to our last."""

    def __init__(self, link: Link, word: CancelWord, news: Callable[[JsonObject], None]) -> None:
        self.link = link
        self.word = word
        self.info: ModelInfo | None = None
        self.answered = False
        self.died_of_us = False
        """It ended while it had a request of ours, and perhaps because of it."""
        self._news = news
        self._overdue: asyncio.TimerHandle | None = None
        self._calls: dict[int, Call] = {}

    async def run(self) -> str:
        """Read until the engine ends; returns how. Whoever waits for an answer then gets an `EngineError`."""
        self._expect_ready()
        try:
            while (frame := await read_frame_async(self.link.reader)) is not None:
                self._take(frame)
        except WireError as error:
            log.error("the engine sent no frame: %s", error)
        except OSError as error:
            log.info("the engine's connection broke: %s", error)
        except Exception:
            log.exception("the engine sent a frame that cannot be understood")
        finally:
            if self._overdue is not None:
                self._overdue.cancel()
            how = await self.link.ended()
            self._fail_calls()
        return how

    def info_or_raise(self) -> ModelInfo:
        if self.info is None:
            raise EngineError("the engine is starting")
        return self.info

    @property
    def alive(self) -> int:
        """Changes while the engine is at work."""
        try:
            return self.word.alive
        except ValueError:  # it is closed: so is the engine
            return -1

    @property
    def is_asked(self) -> bool:
        """Whether some answer has not come yet."""
        return bool(self._calls)

    def send(self, call: Call, number: int, message: JsonObject) -> None:
        call.child, call.number, self._calls[number] = self, number, call
        self.link.write(encode({**message, "id": number}))

    def drop(self, call: Call) -> None:
        """A request that waits in the engine behind those of others ends now; one that runs sees the cancel word."""
        if call.number in self._calls:
            self.link.write(encode({"op": "cancel", "id": call.number}))

    def part(self) -> None:
        self.link.part()

    def kill(self) -> None:
        self.link.kill()

    def _take(self, frame: JsonObject) -> None:
        if frame.get("event") == "log":
            logging.getLogger(ENGINES_WORDS).info("%s", frame.get("text"))
        elif "id" not in frame:
            if frame.get("event") == "loading":  # it says how far it is: a download may take long
                self._expect_ready()
            self._news(frame)
        elif (call := self._calls.get(frame["id"])) is not None:
            call.frames.put_nowait(frame)
            if frame.get("last"):
                self.answered |= call.has_turn  # a learnt document is acknowledged before it is looked at: it proves nothing
                del self._calls[call.number]
                call.done.set()

    def _fail_calls(self) -> None:
        calls, self._calls = self._calls, {}
        self.died_of_us = any(call.has_turn for call in calls.values())
        for call in calls.values():
            call.frames.put_nowait(EngineError("the engine process ended in the middle of this request"))
            call.done.set()

    def _expect_ready(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
        self._overdue = asyncio.get_running_loop().call_later(LOAD_S, self._kill_if_loading)

    def _kill_if_loading(self) -> None:
        if self.info is None:
            log.error("the engine did not load its model within %g s", LOAD_S)
            self.kill()
