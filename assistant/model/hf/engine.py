"""The engine for any checkpoint. Its greedy tokens are those of transformers' own ``generate``.

`assistant.model.engine.Engine` for a plain language model: a prompt begins as the checkpoint's texts do, several tokens may
end an answer, a conversation is asked in the checkpoint's chat format, drafts come from the context itself, and no n-gram
caches are mixed in. Knows a runner and a tokenizer; loads neither torch nor transformers.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from assistant.model.caches import Caches, Hole
from assistant.model.engine import Engine
from assistant.model.hf.lookup import Lookup
from assistant.model.hf.tokenizer import HubTokenizer
from assistant.model.kv_cache import Context, SlotPool
from assistant.model.mixture import Floats
from assistant.model.output import Output
from assistant.model.running import Running
from assistant.model.sampling import Sampler, entropy, log_total
from assistant.model.tokenizer import MOST_TAKEN_BACK, Tokenizing
from assistant.model.window import Prompt, fit
from assistant.types import Chunk, EngineError, Finish, GenerateRequest, OpenFile, Part, ScoreRequest

SLOTS = 2
"""Contexts kept: the file that is written, and the one before it. Each may take a hundred megabytes."""
RETRIEVING = 0.5
"""The part of a request's budget in which a text that exceeds the window may be searched. Where the rest of it was not enough
for the answer, the next request does not search: it reads its prompt, and those after it find that in the cache."""


class NoCaches(Caches):
    """A larger model knows more than counts of the workspace would tell it: nothing is kept, nothing is to be done."""

    def __init__(self) -> None:
        """Without a tokenizer, for nothing is read."""

    @property
    def waiting(self) -> int:
        return 0

    def fresh(self) -> NoCaches:
        return self

    def release(self) -> None:
        """There is nothing to give back."""

    def put(self, key: str, text: str) -> None:
        """Nothing is kept."""

    def drop(self, key: str) -> None:
        """Nothing was kept."""

    def next_slice(self) -> None:
        """There is no work."""


class HubRunning(Running, Protocol):
    """What computes a forward pass: `runner.HubRunner`."""

    def context(self, attention: str = "") -> Context:
        """An empty one in which attention looks at what ``attention`` names; as the engine was started where it is empty."""

    def retrieves(self, attention: str) -> bool:
        """Whether ``attention`` looks for the lines of a text that exceeds the window."""

    @property
    def crops(self) -> bool:
        """Whether the end of a context can be taken back: drafts need it."""

    @property
    def chunk(self) -> int:
        """Tokens of one prefill pass."""


class Shortening(Protocol):
    """What cuts a text by what the model looks at: `retrieve.Retriever`."""

    def begin(self, last: str, seconds: float, cancelled: Callable[[], bool]) -> None:
        """Another request, whose prompt ends with ``last``."""

    def cut(self, part: Part, tokenizer: Tokenizing, share: int) -> str:
        """What survives of ``part``, as `assistant.model.window.cut` does."""


class HubEngine(Engine):
    """``count_step`` is called once for every forward pass that starts; ``clock`` gives seconds.

    ``heat`` is the temperature at which the checkpoint's probabilities mean what they say (`stop`). What an answer reports of
    itself, log-probabilities and entropy, is of that distribution. Which tokens it has, greedy or drawn, and scores and
    comparisons, which measure the model itself, are as without.
    """

    def __init__(
        self,
        runner: HubRunning,
        tokenizer: HubTokenizer,
        context: int,
        layers: int,
        *,
        clock: Callable[[], float] = time.perf_counter,
        count_step: Callable[[], None] = lambda: None,
    ) -> None:
        self._begin(tokenizer, tokenizer.closing, context, len(tokenizer.token_bytes), layers, clock, count_step)
        self._hub = tokenizer
        self.begin, self.chunk = tokenizer.begin, runner.chunk
        self.caches = NoCaches()
        self._slots = SLOTS
        self.hub_runner = runner
        self._pools: dict[str, SlotPool[Context]] = {}
        self.use(runner)
        self._lookup = Lookup(context + 1)
        self.retriever: Shortening | None = None
        self.heat = 1.0
        self._wanted: Callable[[], bool] = bool
        self._hurried = False

    def use(self, runner: Running) -> None:
        """See `Engine`."""
        super().use(runner)
        self._pools.clear()

    def open(self, ids: Sequence[int]) -> Context:
        """See `Engine`; with what attention looks at by default."""
        self._choose_pool("")
        return super().open(ids)

    def forget(self) -> None:
        """See `Engine`."""
        for pool in (self._pool, *self._pools.values()):
            pool.clear()

    def _choose_pool(self, attention: str) -> None:
        """Contexts of their own for each thing that attention may look at: what it reads is in the layers above."""
        if attention not in self._pools:
            self.hub_runner.context(attention)  # raises where the name is wrong
            self._pools[attention] = SlotPool(lambda: self.hub_runner.context(attention), self._slots)
        self._pool = self._pools[attention]

    def generate(
        self, request: GenerateRequest, cancelled: Callable[[], bool] = bool, received: float | None = None
    ) -> Iterator[Chunk]:
        """See `Engine`."""
        self._wanted = cancelled
        asked = request if self.hub_runner.crops else replace(request, draft="")
        for chunk in super().generate(asked, cancelled, received):
            if chunk.finish is not None:
                self._hurried = chunk.finish is Finish.BUDGET
            yield chunk

    def _prompt(self, request: GenerateRequest | ScoreRequest, reserve: int) -> Prompt:
        """As in `Engine`, behind the token that begins a text; a conversation is never cut."""
        begin = self.begin
        self._choose_pool(request.attention if isinstance(request, GenerateRequest) else "")
        if isinstance(request, GenerateRequest) and request.chat:
            prompt, room = Prompt(self._hub.chat(request.chat), ""), self.context - min(max(1, reserve), self.context // 2)
            if len(prompt.ids) > room:
                raise EngineError(f"the conversation takes {len(prompt.ids)} tokens, but only {room} fit: shorten it")
        else:
            room = self.context - self._reserve(reserve) - len(begin)
            prompt = fit(request.parts, self.tokenizer, room, request.heal, self._end, self._shorten(request))
            prompt = Prompt([*begin, *prompt.ids], prompt.tail)
        self._lookup.begin()
        return prompt

    def _shorten(self, request: GenerateRequest | ScoreRequest) -> Callable[[Part, Tokenizing, int], str] | None:
        """How a text that exceeds the window is cut, where `attention` says that it is not to be cut as usual."""
        attention, seconds = "", math.inf
        cancelled: Callable[[], bool] = bool
        if isinstance(request, GenerateRequest):
            attention, cancelled = request.attention, self._wanted
            seconds = 0.0 if self._hurried else request.budget_ms / 1000 * RETRIEVING
        if self.retriever is None or not request.parts or not self.hub_runner.retrieves(attention):
            return None
        self.retriever.begin(request.parts[-1].text, seconds, cancelled)
        return self.retriever.cut

    @property
    def closing(self) -> tuple[int, ...]:
        """The tokens that end an answer."""
        return self._hub.closing

    def teach(self, request: ScoreRequest) -> Iterator[tuple[Floats, int]]:
        """Force the target: for each of its tokens that shows text the logits [V] among which an answer would choose, and
        the token; last those behind the target, and -1. Raises `EngineError` where it does not fit.
        """
        prompt = self._prompt(request, len(self.tokenizer.encode(request.target)) + MOST_TAKEN_BACK)
        target = self.tokenizer.encode(prompt.tail + request.target)
        ids = prompt.ids + target
        if len(ids) > self.context:
            raise EngineError(f"prompt and target take {len(ids)} tokens; the context holds {self.context}")
        slot = self._pool.take(prompt.ids)
        self._prefill(slot, prompt.ids[:-1], math.inf, bool)
        rows = np.concatenate(list(self.rows(slot, ids[slot.length :], len(target) + 1, bool)))
        output = Output(self.tokenizer.token_bytes, prompt.tail)
        for row, token in zip(rows, target, strict=False):
            row, shown = self._constrain(row, output.tail), output.tokens
            output.push(token, 0.0)
            if output.tokens > shown:
                yield row, token
        yield self._constrain(rows[-1], output.tail), -1

    def _choose(
        self, sampler: Sampler, logits: Floats, hole: Hole | None, ids: Sequence[int], tail: bytes, ends: Sequence[int]
    ) -> tuple[int, float]:
        """See `Engine`. The token is chosen before anything is divided: not even rounding may change it."""
        if self.heat == 1.0:
            return super()._choose(sampler, logits, hole, ids, tail, ends)
        allowed = self._constrain(logits, tail, ends)
        token, scaled = sampler.token(allowed), self._scaled(allowed)
        return token, float(scaled[token] - log_total(scaled))

    def _entropy(self, logits: Floats) -> float:
        return entropy(self._scaled(logits))

    def _scaled(self, logits: Floats) -> Floats:
        return logits if self.heat == 1.0 else logits / np.float32(self.heat)

    def _hole(self, file: OpenFile | None) -> None:
        """No cache is mixed in."""

    def _draft(self, hole: Hole | None, ids: Sequence[int], request: GenerateRequest, output: Output) -> list[int]:
        """What followed the last tokens where they stood before; nothing where the request brings a draft of its own."""
        if request.temperature > 0 or request.draft or not self.hub_runner.crops:
            return []
        return self._lookup.draft(ids, min(self.context - len(ids), request.max_tokens - output.tokens - 1))

    def _ends(self, names: Sequence[str]) -> tuple[int, ...]:
        """Whatever closes a text of this checkpoint, and what the request names."""
        return tuple(dict.fromkeys((*self._hub.closing, *super()._ends(names))))
