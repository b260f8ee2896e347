"""The engine as a `TextModel` and an `EditEngine`: start or find it, ask it, cancel it, replace it when it dies or hangs.

Knows frames and an engine's life. Does not know LSP, prompts or torch, nor how an engine is reached. One request runs at a
time; a caller that cancels leaves at once, and the next request waits for the engine to let go, or for its replacement.
Completions go before next edits and these before review: who is less wanted is interrupted, and begins again with what it had
computed still cached. What the engine learns goes beside them: nobody waits a turn for it. A client that was not asked for long
parts from its engine, which ends when nobody else uses it; the next request brings one back.
"""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

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
    Priority,
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
from lsp_server import shared_engine
from lsp_server.engine_child import Call, Child, Link
from lsp_server.engine_pipe import Pipe
from lsp_server.paths import calibrated_dir, model_place
from lsp_server.turns import Turns, first, happens

log = logging.getLogger("sotto.engine")

ACK_S = 2.0
"""An engine that shows no life for so long after a request was cancelled hangs: a layer takes well under 100 ms."""
SILENCE_S = 5.0
"""An engine that shows no life for so long beyond a request's own budget hangs."""
PART_S = 5.0
"""Parting from an engine takes no longer; one of our own is killed before that."""
DEATHS = 2
"""A shared engine that died so often over a request of ours may do so again: the other windows keep theirs."""
BACK_OFF_S = (0.0, 0.0, 1.0, 5.0, 30.0)
"""Wait before the next start, by crashes in a row without an answer in between; the last one repeats."""


class EngineClient:
    """``on_event(kind, text)`` hears "loading", "ready", "failed" (for good), "restarting", "resting", and a "note"
    of what it does not do as it was told.

    ``shared``: use the engine of the user's other windows, too. ``idle_s``: rest after so many seconds without a request; 0
    never does. ``model`` may be an id of the Hugging Face hub; ``allow_download``: fetch it where its cache lacks it.
    ``attention`` is the setting of that name. ``device`` is ``cpu``, ``cuda``, or ``auto``: a GPU for large models.
    """

    def __init__(
        self,
        model: str = "",
        threads: int = 0,
        on_event: Callable[[str, str], None] | None = None,
        *,
        shared: bool = False,
        idle_s: float = 0.0,
        allow_download: bool = False,
        attention: str = "",
        device: str = "auto",
    ) -> None:
        self._model = model_place(model)
        looks = (*(("--attention", attention) if attention else ()), "--calibrated", str(calibrated_dir()))
        where = () if device == "auto" else ("--device", device)
        self._options = (*(("--allow-download",) if allow_download else ()), *looks, *where)
        self._threads = threads
        self._shared = shared and shared_engine.is_possible()
        self._idle_s = idle_s
        self._rests = False
        self._wanted = asyncio.Event()
        self._sleeper: asyncio.TimerHandle | None = None
        self._used = 0.0
        self._deaths = 0
        self._on_event = on_event
        self._info: ModelInfo | None = None
        self.failure = ""
        self._trouble = ""
        self._child: Child | None = None
        self._settled = asyncio.Event()  # the child is ready, or there will be none for now
        self._turns = Turns()
        self._number = self._steps = 0
        self._word: CancelWord | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._holding: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    @property
    def info(self) -> ModelInfo | None:
        return self._info

    @property
    def pid(self) -> int | None:
        return self._child.link.pid if self._child is not None else None

    @property
    def steps(self) -> int:
        """Forward passes of all engines this client has had."""
        return self._steps + (self._word.steps if self._word is not None else 0)

    async def start(self) -> None:
        """Start the process; returns before its weights are loaded."""
        self._keeper = asyncio.create_task(self._keep(), name="sotto engine keeper")

    async def wait_ready(self, timeout: float) -> ModelInfo:
        """Raises `EngineError` when the engine cannot start, or has not after ``timeout`` seconds."""
        self._wanted.set()
        if not await happens(self._settled, timeout):
            raise EngineError(f"the model did not load within {timeout:g} s; `sotto doctor` tells more")
        return self._usable().info_or_raise()

    async def generate(self, request: GenerateRequest, cancel: Cancel) -> AsyncIterator[Chunk]:
        """See `assistant.types.TextModel`. Waits while the engine loads; a cancel ends the wait, and the answer, at once."""
        call = Call(cancel, request.priority)
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
        return score_result_from_json((await self._give_way(score_to_json(request), Cancel(), Priority.REVIEW))[-1])

    async def mark(self, request: MarkRequest, cancel: Cancel) -> Marks:
        """See `assistant.types.EditEngine`."""
        frames = await self._give_way(mark_to_json(request), cancel, Priority.NEXT_EDIT)
        return marks_from_json(frames[-1])

    async def compare(self, request: CompareRequest, cancel: Cancel) -> tuple[Likelihood, ...]:
        """See `assistant.types.EditEngine`."""
        frames = await self._give_way(compare_to_json(request), cancel, Priority.NEXT_EDIT)
        return likelihoods_from_json(frames[-1])

    async def write(self, request: GenerateRequest, cancel: Cancel) -> Chunk:
        """See `assistant.types.EditEngine`."""
        request = replace(request, priority=max(request.priority, Priority.NEXT_EDIT))
        frames = await self._give_way(generate_to_json(request), cancel, request.priority)
        chunks = [chunk_from_json(frame) for frame in frames]
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
        call = Call(Cancel(), Priority.REVIEW)
        await self._turns.take(call)
        self._turns.give_back(call)

    async def close(self) -> None:
        """Part from the engine. Pending requests end with `EngineError`."""
        self._closing.set()
        self._settled.set()
        self._wanted.set()
        if self._keeper is not None:
            if self._child is not None:
                self._child.part()
            done, _ = await asyncio.wait({self._keeper}, timeout=PART_S)
            if not done:
                self._keeper.cancel()
        if self._holding:
            await asyncio.wait(self._holding, timeout=ACK_S)

    async def _keep(self) -> None:
        """Start, watch and replace the engine until the client closes or the model turns out to be unusable."""
        crashes = 0
        while not self._closing.is_set() and not self.failure:
            self._settled.clear()
            self._say("loading", "loading the model")
            ended = await self._one_life()
            child, self._child = self._child, None
            if self._closing.is_set() or self.failure:
                break
            if self._rests:
                await self._rest()
                continue
            crashes = 1 if child is not None and child.answered else crashes + 1
            if child is not None and child.died_of_us:
                self._deaths += 1
            delay = BACK_OFF_S[min(crashes, len(BACK_OFF_S)) - 1]
            self._trouble = f"the engine process ended ({ended}), {crashes} in a row; it is started again in {delay:g} s"
            log.warning("%s", self._trouble)
            self._say("restarting", self._trouble)
            if delay:
                self._settled.set()
                await happens(self._closing, delay)
        self._settled.set()

    async def _rest(self) -> None:
        """Without an engine until a request wants one."""
        minutes = self._idle_s / 60
        self._say("resting", f"no request for {minutes:.3g} minutes: the engine is let go, the next key brings it back")
        await self._wanted.wait()
        self._rests = False

    async def _one_life(self) -> str:
        """Use one engine to its end; returns how it ended. Each has a cancel word of its own: an old engine may still look at
        the one before.
        """
        handle, path = tempfile.mkstemp(prefix="sotto-", suffix=".cancel")
        os.close(handle)
        self._word = word = CancelWord(path, create=True)
        try:
            self._child = Child(await self._reach(word), word, self._news)
            if self._closing.is_set():
                self._child.part()
            return await self._child.run()
        except OSError as error:
            return str(error)
        finally:
            self._steps, self._word = self.steps, None
            word.close(remove=True)

    async def _reach(self, word: CancelWord) -> Link:
        """A shared engine where that is wanted and possible, else one of our own. Raises `OSError`."""
        arguments = ("--model", self._model, "--threads", str(self._threads), *self._options)
        if self._shared and self._deaths < DEATHS:
            try:
                return await shared_engine.connect(arguments, self._model, word.path)
            except (EngineError, OSError) as error:
                log.warning("this window has an engine of its own: %s", error)
        return await Pipe.to_new(*arguments, "--cancel-word", word.path)

    def _fall_asleep(self) -> None:
        """Rest once nothing was asked for `idle_s`; called when that may be so."""
        loop, child, self._sleeper = asyncio.get_running_loop(), self._child, None
        awake = self._used + self._idle_s - loop.time()
        if child is None or child.info is None:
            return
        if awake > 0 or child.is_asked or not self._turns.is_free:
            self._sleeper = loop.call_later(max(awake, self._idle_s / 10), self._fall_asleep)
            return
        self._rests = True
        self._wanted.clear()
        self._settled.clear()
        child.part()

    def _news(self, frame: JsonObject) -> None:
        """A frame without an id: what the engine says of itself."""
        if frame.get("event") == "ready" and self._child is not None:
            self._info = self._child.info = info_from_json(frame)
            self._trouble = ""
            self._settled.set()
            self._stay_awake()
            if self._info.note:
                self._say("note", self._info.note)
            self._say("ready", f"{self._info.name} ready in {self._info.load_ms:.0f} ms")
        elif frame.get("event") == "loading" and frame.get("text"):
            self._say("loading", str(frame["text"]))
        elif frame.get("event") == "failed":
            self.failure = str(frame.get("error", "the engine could not load its model"))
            log.error("%s", self.failure)
            self._settled.set()
            self._say("failed", self.failure)

    def _stay_awake(self) -> None:
        """An engine is there, or was asked: it may rest `idle_s` from now."""
        loop = asyncio.get_running_loop()
        self._used = loop.time()
        if self._idle_s and self._sleeper is None:
            self._sleeper = loop.call_later(self._idle_s, self._fall_asleep)

    def _say(self, kind: str, text: str) -> None:
        if self._on_event is not None:
            try:
                self._on_event(kind, text)
            except Exception:
                log.exception("the listener to engine events failed")

    def _usable(self) -> Child:
        """The ready child. Raises `EngineError` when there is none, with the reason."""
        if self._keeper is None or self._closing.is_set():
            raise EngineError("the engine is not running")
        if self.failure:
            raise EngineError(self.failure)
        if self._rests:
            raise EngineError("the engine rests; the next key starts it")
        if self._child is None or self._child.info is None:
            raise EngineError(self._trouble or "the engine is starting")
        return self._child

    async def _tell(self, message: JsonObject) -> JsonObject:
        """Send what takes no turn and wait for its answer. Raises `EngineError`."""
        call = Call(Cancel())
        self._number += 1
        self._usable().send(call, self._number, message)
        return await call.next(SILENCE_S) or {}

    async def _give_way(self, message: JsonObject, cancel: Cancel, priority: Priority) -> list[JsonObject]:
        """All frames of an answer, asked for again whenever something went first. Raises `EngineError`, `Cancelled`."""
        while True:
            cancel.check()
            call = Call(cancel, priority)
            try:
                if await self._begin(call, message) and (frames := await _all_frames(call)):
                    return frames
            finally:
                self._end(call)

    async def _begin(self, call: Call, message: JsonObject) -> bool:
        """Wait for the turn and for the engine, then send. False when the call was cancelled while it waited."""
        self._wanted.set()
        call.has_turn = await self._turns.take(call)
        if not call.has_turn or call.cancelled.done():
            return False
        while not self._settled.is_set():
            await first(asyncio.ensure_future(self._settled.wait()), call.cancelled)
            if call.cancelled.done():
                return False
        child = self._usable()
        self._number += 1
        child.send(call, self._number, message)
        task = asyncio.create_task(self._hold_turn(call, child))
        self._holding.add(task)
        task.add_done_callback(self._holding.discard)
        return True

    def _end(self, call: Call) -> None:
        """The caller is gone. The turn stays the call's until the engine is through with it."""
        call.unsubscribe()
        if call.child is not None:
            call.leave()
        else:
            self._turns.give_back(call)

    async def _hold_turn(self, call: Call, child: Child) -> None:
        """Give the turn back when the engine is through with the call, whatever its caller does meanwhile."""
        try:
            await first(asyncio.ensure_future(call.done.wait()), call.cancelled)
            alive = child.alive
            while not await happens(call.done, ACK_S):
                if alive == child.alive:
                    log.warning("the engine did not stop a cancelled request within %g s: it is replaced", ACK_S)
                    child.kill()
                    await call.done.wait()
                alive = child.alive
        finally:
            self._stay_awake()
            self._turns.give_back(call)


async def _all_frames(call: Call) -> list[JsonObject]:
    """The frames of an answer; none once the call was cancelled or went back."""
    frames: list[JsonObject] = []
    while not frames or not frames[-1].get("last"):
        frame = await call.next(SILENCE_S)
        if frame is None:
            return []
        frames.append(frame)
    return frames
