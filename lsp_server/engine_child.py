"""One engine process, and the requests to it, from the server's side.

Knows frames, pipes and the cancel word. Does not know when to start another process: that is `lsp_server.engine`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from assistant.cancel import Cancel
from assistant.types import EngineError, JsonObject, ModelInfo
from assistant.wire import CancelWord, WireError, encode, read_frame_async

log = logging.getLogger("sotto.engine")

LOAD_S = 120.0
LINGER_S = 0.5


class Call:
    """One request from the caller's side: what has come, whether it is cancelled, whether the engine is through with it."""

    def __init__(self, cancel: Cancel) -> None:
        self.number = 0
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
        timer = self._loop.call_later(patience, self._silent, patience)
        try:
            item = await self.frames.get()
        finally:
            timer.cancel()
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

    def _silent(self, patience: float) -> None:
        if self.child is not None:
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
    """One engine process, from its start to its end."""

    def __init__(self, process: asyncio.subprocess.Process, word: CancelWord, news: Callable[[JsonObject], None]) -> None:
        self.process = process
        self.word = word
        self.info: ModelInfo | None = None
        self.answered = False
        self._news = news
        self._calls: dict[int, Call] = {}

    async def run(self) -> str:
        """Read until the process ends; returns how. Whoever waits for an answer then gets an `EngineError`."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        errors = asyncio.ensure_future(_log_lines(self.process.stderr))
        overdue = asyncio.get_running_loop().call_later(LOAD_S, self._kill_if_loading)
        try:
            while (frame := await read_frame_async(self.process.stdout)) is not None:
                self._take(frame)
        except WireError as error:
            log.error("the engine sent no frame: %s", error)
        except Exception:
            log.exception("the engine sent a frame that cannot be understood")
        finally:
            overdue.cancel()
            code = await self._ended()
            await errors
            self._fail_calls()
        return f"exit code {code}" if code >= 0 else f"signal {-code}"

    def info_or_raise(self) -> ModelInfo:
        if self.info is None:
            raise EngineError("the engine is starting")
        return self.info

    def send(self, call: Call, number: int, message: JsonObject) -> None:
        assert self.process.stdin is not None
        call.child, call.number, self._calls[number] = self, number, call
        self.process.stdin.write(encode({**message, "id": number}))

    async def _ended(self) -> int:
        """The exit code. A process that closed its output is killed only if it stays: a kill at that moment would reap it
        before asyncio does, which then warns of an unknown child and reports 255.
        """
        ending = asyncio.ensure_future(self.process.wait())
        done, _ = await asyncio.wait({ending}, timeout=LINGER_S)
        if not done:
            self.kill()
        return await ending

    def ask_to_stop(self) -> None:
        if self.process.stdin is not None and not self.process.stdin.is_closing():
            self.process.stdin.write(encode({"op": "stop"}))
            self.process.stdin.close()

    def kill(self) -> None:
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()

    def _take(self, frame: JsonObject) -> None:
        if "id" not in frame:
            self._news(frame)
        elif (call := self._calls.get(frame["id"])) is not None:
            call.frames.put_nowait(frame)
            if frame.get("last"):
                self.answered |= call.has_turn  # a learnt document is acknowledged before it is looked at: it proves nothing
                del self._calls[call.number]
                call.done.set()

    def _fail_calls(self) -> None:
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call.frames.put_nowait(EngineError("the engine process ended in the middle of this request"))
            call.done.set()

    def _kill_if_loading(self) -> None:
        if self.info is None:
            log.error("the engine did not load its model within %g s", LOAD_S)
            self.kill()


async def _log_lines(stream: asyncio.StreamReader) -> None:
    """The process's stderr, line by line, into our log."""
    while True:
        try:
            line = await stream.readline()
        except ValueError:  # a line over asyncio's limit: what has been read of it is gone, the rest follows
            continue
        if not line:
            return
        log.info("%s", line.decode("utf-8", "replace").rstrip())
