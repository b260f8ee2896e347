"""The engine process as a `TextModel` and an `EditEngine`: start it, ask it, cancel it, replace it when it dies or hangs.

Knows the pipe's frames and the process's life. Does not know LSP, prompts or torch. One request runs at a time; a caller
that cancels leaves at once, and the next request waits for the engine to let go, or for its replacement. Next-edit requests
give way: a completion interrupts the one that runs, which begins again after it with what it had computed still cached. What
the engine learns goes beside them: the pipe keeps it in order, and nobody waits a turn for it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

from assistant.cancel import Cancel
from assistant.types import (
    Chunk,
    CompareRequest,
    EngineError,
    Finish,
    GenerateRequest,
    JsonObject,
    Likelihood,
    MarkRequest,
    Marks,
    ModelInfo,
    Score,
    ScoreRequest,
)
from assistant.wire import (
    CancelWord,
    chunk_from_json,
    compare_to_json,
    generate_to_json,
    info_from_json,
    learn_to_json,
    likelihoods_from_json,
    mark_to_json,
    marks_from_json,
    score_result_from_json,
    score_to_json,
    unlearn_to_json,
    waiting_to_json,
)
from lsp_server.engine_child import Call, Child
from lsp_server.spawn import python_command

log = logging.getLogger("sotto.engine")

ACK_S = 2.0
"""An engine that has not let go of a cancelled request by then hangs: a layer takes well under 100 ms."""
SILENCE_S = 5.0
"""An engine silent for this long beyond the request's own budget hangs."""
SCORE_S = 120.0
LEARN_S = 180.0
"""The longest score may be before it."""
BACK_OFF_S = (0.0, 0.0, 1.0, 5.0, 30.0)
"""Wait before the next start, by crashes in a row without an answer in between; the last one repeats."""


class EngineClient:
    """``on_event(kind, text)`` hears "loading", "ready", "failed" (for good) and "restarting"."""

    def __init__(self, model: str = "", threads: int = 0, on_event: Callable[[str, str], None] | None = None) -> None:
        self._model = os.path.abspath(os.path.expanduser(model)) if model else ""
        self._threads = threads
        self._on_event = on_event
        self._info: ModelInfo | None = None
        self.failure = ""
        self._trouble = ""
        self._child: Child | None = None
        self._settled = asyncio.Event()  # the child is ready, or there will be none for now
        self._turn = asyncio.Lock()
        self._patience = asyncio.Lock()  # one next-edit request at a time waits for its turn
        self._yielding: Call | None = None  # the one that gives way to completions
        self._number = 0
        self._word: CancelWord | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._holding: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    @property
    def info(self) -> ModelInfo | None:
        return self._info

    @property
    def pid(self) -> int | None:
        return self._child.process.pid if self._child is not None else None

    @property
    def steps(self) -> int:
        """Forward passes of all engines this client has had."""
        return self._word.steps if self._word is not None else 0

    async def start(self) -> None:
        """Start the process; returns before its weights are loaded."""
        handle, path = tempfile.mkstemp(prefix="sotto-", suffix=".cancel")
        os.close(handle)
        self._word = CancelWord(path, create=True)
        self._keeper = asyncio.create_task(self._keep(self._word), name="sotto engine keeper")

    async def wait_ready(self, timeout: float) -> ModelInfo:
        """Raises `EngineError` when the engine cannot start, or has not after ``timeout`` seconds."""
        if not await _happens(self._settled, timeout):
            raise EngineError(f"the model did not load within {timeout:g} s; `sotto doctor` tells more")
        return self._usable().info_or_raise()

    async def generate(self, request: GenerateRequest, cancel: Cancel) -> AsyncIterator[Chunk]:
        """See `assistant.types.TextModel`. Waits while the engine loads; a cancel ends the wait, and the answer, at once."""
        call = Call(cancel)
        if self._yielding is not None:
            self._yielding.leave()  # it stops within a layer, or before it begins, and queues up behind this one
        try:
            if await self._begin(call, generate_to_json(request)):
                while (frame := await call.next(request.budget_ms / 1000 + SILENCE_S)) is not None:
                    chunk = chunk_from_json(frame)
                    yield chunk
                    if chunk.finish is not None:
                        return
            yield Chunk("", finish=Finish.CANCELLED)
        finally:
            self._end(call)

    async def score(self, request: ScoreRequest) -> Score:
        """See `assistant.types.TextModel`."""
        call = Call(Cancel())
        try:
            await self._begin(call, score_to_json(request))
            frame = await call.next(SCORE_S)
            if frame is None:
                raise EngineError("the score was cancelled")
            return score_result_from_json(frame)
        finally:
            self._end(call)

    async def mark(self, request: MarkRequest, cancel: Cancel) -> Marks:
        """See `assistant.types.EditEngine`."""
        return marks_from_json((await self._give_way(mark_to_json(request), cancel))[-1])

    async def compare(self, request: CompareRequest, cancel: Cancel) -> tuple[Likelihood, ...]:
        """See `assistant.types.EditEngine`."""
        return likelihoods_from_json((await self._give_way(compare_to_json(request), cancel))[-1])

    async def write(self, request: GenerateRequest, cancel: Cancel) -> Chunk:
        """See `assistant.types.EditEngine`."""
        chunks = [chunk_from_json(frame) for frame in await self._give_way(generate_to_json(request), cancel)]
        logprobs = tuple(logprob for chunk in chunks for logprob in chunk.logprobs)
        return replace(chunks[-1], text="".join(chunk.text for chunk in chunks), logprobs=logprobs)

    async def learn(self, key: str, text: str) -> None:
        """See `assistant.types.TextModel`. Does not wait for an engine that loads: its caller starts at "ready"."""
        await self._tell(learn_to_json(key, text))

    async def unlearn(self, key: str) -> None:
        """See `assistant.types.TextModel`."""
        await self._tell(unlearn_to_json(key))

    async def waiting(self) -> int:
        """Documents that were sent to be learnt and do not count yet. Raises `EngineError`."""
        return int((await self._tell(waiting_to_json())).get("waiting", 0))

    async def idle(self) -> None:
        """Wait until the engine has let go of every request before this call."""
        async with self._turn:
            pass

    async def close(self) -> None:
        """Ask the process to stop, kill it if it does not, remove the cancel word. Pending requests end with `EngineError`."""
        self._closing.set()
        self._settled.set()
        if self._keeper is not None:
            if self._child is not None:
                self._child.ask_to_stop()
            done, _ = await asyncio.wait({self._keeper}, timeout=0.5)
            if not done:
                if self._child is not None:
                    self._child.kill()
                await asyncio.wait({self._keeper}, timeout=5.0)
        if self._holding:
            await asyncio.wait(self._holding, timeout=ACK_S)
        if self._word is not None:
            self._word.close(remove=True)
            self._word = None

    async def _keep(self, word: CancelWord) -> None:
        """Start, watch and replace the process until the client closes or the model turns out to be unusable."""
        crashes = 0
        while not self._closing.is_set() and not self.failure:
            self._settled.clear()
            self._say("loading", "loading the model")
            ended = await self._one_life(word)
            answered = self._child is not None and self._child.answered
            self._child = None
            if self._closing.is_set() or self.failure:
                break
            crashes = 1 if answered else crashes + 1
            delay = BACK_OFF_S[min(crashes, len(BACK_OFF_S)) - 1]
            self._trouble = f"the engine process ended ({ended}), {crashes} in a row; it is started again in {delay:g} s"
            log.warning("%s", self._trouble)
            self._say("restarting", self._trouble)
            if delay:
                self._settled.set()
                await _happens(self._closing, delay)
        self._settled.set()

    async def _one_life(self, word: CancelWord) -> str:
        """Run one process to its end; returns how it ended."""
        arguments = ("--model", self._model, "--threads", str(self._threads), "--cancel-word", word.path)
        try:
            process = await asyncio.create_subprocess_exec(
                *python_command("assistant.model.process", *arguments),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # Windows opens a console for it otherwise
            )
        except OSError as error:
            return str(error)
        self._child = Child(process, word, self._news)
        if self._closing.is_set():
            self._child.kill()
        return await self._child.run()

    def _news(self, frame: JsonObject) -> None:
        """A frame without an id: what the engine says of itself."""
        if frame.get("event") == "ready" and self._child is not None:
            self._info = self._child.info = info_from_json(frame)
            self._trouble = ""
            self._settled.set()
            self._say("ready", f"{self._info.name} ready in {self._info.load_ms:.0f} ms")
        elif frame.get("event") == "failed":
            self.failure = str(frame.get("error", "the engine could not load its model"))
            log.error("%s", self.failure)
            self._settled.set()
            self._say("failed", self.failure)

    def _say(self, kind: str, text: str) -> None:
        if self._on_event is not None:
            try:
                self._on_event(kind, text)
            except Exception:
                log.exception("the listener to engine events failed")

    def _usable(self) -> Child:
        """The ready child. Raises `EngineError` when there is none, with the reason."""
        if self._word is None or self._closing.is_set():
            raise EngineError("the engine is not running")
        if self.failure:
            raise EngineError(self.failure)
        if self._child is None or self._child.info is None:
            raise EngineError(self._trouble or "the engine is starting")
        return self._child

    async def _tell(self, message: JsonObject) -> JsonObject:
        """Send what takes no turn and wait for its answer. Raises `EngineError`."""
        call = Call(Cancel())
        self._number += 1
        self._usable().send(call, self._number, message)
        return await call.next(LEARN_S) or {}

    async def _give_way(self, message: JsonObject, cancel: Cancel) -> list[JsonObject]:
        """All frames of an answer, asked for again whenever a completion went first. Raises `EngineError`, `Cancelled`."""
        async with self._patience:
            while True:
                cancel.check()
                self._yielding = call = Call(cancel)
                try:
                    if await self._begin(call, message) and (frames := await _all_frames(call)):
                        return frames
                finally:
                    self._yielding = None
                    self._end(call)

    async def _begin(self, call: Call, message: JsonObject) -> bool:
        """Wait for the turn and for the engine, then send. False when the call was cancelled while it waited."""
        if not await self._take_turn(call):
            return False
        while not self._settled.is_set():
            await _first(asyncio.ensure_future(self._settled.wait()), call.cancelled)
            if call.cancelled.done():
                return False
        child = self._usable()
        self._number += 1
        child.send(call, self._number, message)
        task = asyncio.create_task(self._hold_turn(call, child))
        self._holding.add(task)
        task.add_done_callback(self._holding.discard)
        return True

    async def _take_turn(self, call: Call) -> bool:
        waiting = asyncio.ensure_future(self._turn.acquire())
        try:
            await _first(waiting, call.cancelled)
        finally:
            call.has_turn = waiting.done() and not waiting.cancelled()
        return call.has_turn and not call.cancelled.done()

    def _end(self, call: Call) -> None:
        """The caller is gone. The turn stays the call's until the engine is through with it."""
        call.unsubscribe()
        if call.child is not None:
            call.leave()
        elif call.has_turn:
            self._turn.release()

    async def _hold_turn(self, call: Call, child: Child) -> None:
        """Give the turn back when the engine is through with the call, whatever its caller does meanwhile."""
        try:
            await _first(asyncio.ensure_future(call.done.wait()), call.cancelled)
            if not await _happens(call.done, ACK_S):
                log.warning("the engine did not stop a cancelled request within %g s: it is replaced", ACK_S)
                child.kill()
                await call.done.wait()
        finally:
            self._turn.release()


async def _all_frames(call: Call) -> list[JsonObject]:
    """The frames of an answer; none once the call was cancelled or went back."""
    frames: list[JsonObject] = []
    while not frames or not frames[-1].get("last"):
        frame = await call.next(SILENCE_S)
        if frame is None:
            return []
        frames.append(frame)
    return frames


async def _first(waiting: asyncio.Future[Any], cancelled: asyncio.Future[None]) -> None:
    """Wait for one of the two; ``waiting`` is cancelled unless it is done."""
    futures: set[asyncio.Future[Any]] = {waiting, cancelled}
    try:
        await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


async def _happens(event: asyncio.Event, within: float) -> bool:
    """Wait for an event, at most ``within`` seconds; whether it has happened."""
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({waiting}, timeout=within)
    finally:
        waiting.cancel()
    return event.is_set()
