"""The engine: prefill, decode, stop. Its greedy output equals rerunning `Transformer.forward` token by token, each time mixed
with what the n-gram caches say where the request brings its open file.

Knows a checkpoint, requests and a clock that is handed in. Does not know pipes, processes, threads or editors.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np

from assistant.cancel import Cancelled
from assistant.model.caches import Caches, Hole
from assistant.model.checkpoint import Checkpoint
from assistant.model.config import ModelConfig
from assistant.model.copying import MOST as COPIED
from assistant.model.copying import Copier
from assistant.model.exit_drafts import ExitDrafts
from assistant.model.exits import StopHead
from assistant.model.kv_cache import Context, SlotPool
from assistant.model.mixture import LEAST, Floats, Gate, Mixture, softmax
from assistant.model.ngram_blocks import DEEPEST
from assistant.model.output import Output
from assistant.model.pace import Pace
from assistant.model.quick import Quick
from assistant.model.running import Early, Running, Shallow
from assistant.model.sampling import Sampler, entropy, log_total
from assistant.model.tokenizer import MOST_TAKEN_BACK, Tokenizing
from assistant.model.window import Prompt, fit
from assistant.types import Chunk, EngineError, Finish, GenerateRequest, OpenFile, Score, ScoreRequest

PREFILL_CHUNK = 64
"""Tokens of one prefill pass: the budget is read between passes, and the cancel word is read before every layer of one."""
TAILS_REMEMBERED = 64
"""Masks of healed tails, 32 kB each with 8k tokens: the same few (a space, indentation, a bracket) come again and again, and
a space begins thousands of tokens (0.6 ms to look up)."""
DRAFTED = 6
"""Most tokens from the caches that one pass verifies; `pace` says how many, by how drafts fare."""


_GREEDY = Sampler()


def _never() -> bool:
    return False


def _plain(checkpoint: Checkpoint) -> Running:
    """The runner of torch operators. Torch is imported here and nowhere else in the engine: the fused step needs none of it."""
    from assistant.model.runner import Runner

    return Runner(checkpoint.config, checkpoint.tensors())


@dataclass
class _Costs:
    """What the chunks of an answer report."""

    prompt_tokens: int = 0
    reused_tokens: int = 0
    prefill_ms: float = 0.0
    decode_ms: float = 0.0
    entropy: float | None = None
    stop: float | None = None
    exits: tuple[int, ...] = ()


class Engine:
    """``count_step`` is called once for every forward pass that starts; ``clock`` gives seconds.

    ``runner`` computes the passes: the fused step, or the plain one of torch operators. ``caches`` hold the workspace; what
    they are given counts once somebody has done their slices of work. ``begin`` are the tokens that every text begins with.
    """

    begin: tuple[int, ...] = ()
    chunk = PREFILL_CHUNK
    _stop_head: StopHead | None = None
    _leaving: Floats | None = None
    _quick: Quick | None = None
    _shape: ModelConfig | None = None
    _entropy = staticmethod(entropy)

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        runner: Running | None = None,
        slots: int = 4,
        clock: Callable[[], float] = time.perf_counter,
        count_step: Callable[[], None] = lambda: None,
    ) -> None:
        shape, end = checkpoint.config, checkpoint.tokenizer.specials[checkpoint.family.end]
        self._begin(checkpoint.tokenizer, (end,), shape.context, shape.vocab_size, shape.n_layers, clock, count_step)
        self._slots, self._shape = slots, shape
        self.use(runner or _plain(checkpoint))
        self._stop_head, self._leaving = checkpoint.stop_head, checkpoint.leaving
        self.caches = Caches(checkpoint.tokenizer, shape.vocab_size, Mixture(Gate.load(), self._end))

    def _begin(
        self,
        tokenizer: Tokenizing,
        ends: Sequence[int],
        context: int,
        vocab_size: int,
        layers: int,
        clock: Callable[[], float],
        count_step: Callable[[], None],
    ) -> None:
        """What an engine has whatever computes it. The first of ``ends`` closes a document."""
        self.context = context
        self.tokenizer = tokenizer
        self._clock = clock
        self._count_step = count_step
        self._spelling = lru_cache(maxsize=TAILS_REMEMBERED)(self._spelling_uncached)
        self._end = ends[0]
        self._paces = {"caches": Pace(DRAFTED), "copy": Pace(COPIED)}
        self._layers = layers
        # Added to the logits: neither a special token nor a row the tokenizer has no text for can be chosen.
        self._allowed = np.full(vocab_size, -np.inf, np.float32)
        self._allowed[[i for i, spelled in enumerate(tokenizer.token_bytes) if spelled] + list(ends)] = 0.0

    def generate(
        self, request: GenerateRequest, cancelled: Callable[[], bool] = _never, received: float | None = None
    ) -> Iterator[Chunk]:
        """Stream the continuation; the last chunk has ``finish`` and the costs. ``received`` is when the budget began.

        Raises `EngineError` for a prompt that cannot be run.
        """
        received = self._clock() if received is None else received
        deadline = received + request.budget_ms / 1000
        costs = _Costs()
        finish, held = Finish.CANCELLED, Chunk("")
        try:
            self._check(cancelled)
            prompt = self._prompt(request, max(0, request.max_tokens))
            output = Output(self.tokenizer.token_bytes, prompt.tail, request.stop)
            finish = yield from self._run(request, prompt, output, costs, cancelled, deadline)
            held = Chunk(*output.flush())
        except Cancelled:
            pass
        yield replace(held, finish=finish, **vars(costs))

    def score(self, request: ScoreRequest, cancelled: Callable[[], bool] = _never) -> Score:
        """Bits of a target under the model, in the target's own tokens, the first ones given what healing took back.

        Raises `EngineError` when the target does not fit, `Cancelled` when it is no longer wanted.
        """
        size = len(request.target.encode("utf-8", "replace"))
        reserve = len(self.tokenizer.encode(request.target)) + MOST_TAKEN_BACK  # the tail is respelled with it
        if reserve > self.context // 2:
            raise EngineError(f"the target takes {reserve} tokens; half of the context, {self.context // 2}, is the most")
        prompt = self._prompt(request, reserve)
        target = self.tokenizer.encode(prompt.tail + request.target) if request.target else []
        if not target:
            return Score(bits=0.0, bytes=size, tokens=0)
        ids = prompt.ids + target
        if len(ids) > self.context:
            raise EngineError(f"prompt and target take {len(ids)} tokens; the context holds {self.context}")
        slot = self._pool.take(prompt.ids)
        self._prefill(slot, prompt.ids[:-1], math.inf, cancelled)
        logits = np.concatenate(list(self.rows(slot, ids[slot.length : -1], len(target), cancelled)))
        output = Output(self.tokenizer.token_bytes, prompt.tail)
        hole = self._hole(request.file)
        nats = worst = 0.0
        for at, (row, token) in enumerate(zip(logits, target, strict=True), start=len(prompt.ids)):
            row = self._constrain(self._mix(row, hole, ids[:at]), output.tail)
            cost = float(log_total(row) - row[token])
            nats, worst = nats + cost, max(worst, cost)
            output.push(token, 0.0)
        return Score(bits=nats / math.log(2), bytes=size, tokens=len(target), worst=worst / math.log(2))

    def open(self, ids: Sequence[int]) -> Context:
        """A slot to run ``ids`` in, truncated to what it shares with them."""
        return self._pool.take(ids)

    def rows(self, slot: Context, ids: Sequence[int], wanted: int, cancelled: Callable[[], bool]) -> Iterator[Floats]:
        """Run ``ids`` behind the slot pass by pass; logits [n, V] of those of the last ``wanted`` of them that a pass ran.

        Raises `Cancelled`; whole passes count all the same.
        """
        for start in range(0, len(ids), self.chunk):
            piece = ids[start : start + self.chunk]
            rows = min(len(piece), start + len(piece) - (len(ids) - wanted))
            logits = self._step(slot, piece, cancelled, max(1, rows))
            if rows > 0:
                yield logits

    def use(self, runner: Running) -> None:
        """Compute with another runner from now on; the KV cache begins anew, for its layout is the runner's."""
        self._runner, self._quick = runner, getattr(runner, "quick", None)
        shape = self._shape
        self.exit_drafts = (
            ExitDrafts(runner, shape) if isinstance(runner, Shallow) and shape is not None and shape.exits else None
        )
        self._paces = {"caches": Pace(DRAFTED), "copy": Pace(COPIED)}
        self._pool = SlotPool(runner.context, self._slots)

    def forget(self) -> None:
        """Empty the KV cache."""
        self._pool.clear()

    def release(self) -> None:
        """Give back the memory of what the next request can compute again."""
        self.use(self._runner)
        self._spelling.cache_clear()

    def _prompt(self, request: GenerateRequest | ScoreRequest, reserve: int) -> Prompt:
        return fit(request.parts, self.tokenizer, self.context - self._reserve(reserve), request.heal, self._end)

    def _reserve(self, wanted: int) -> int:
        """The room left for new tokens is an eighth of the context or a multiple: the cut does not move with ``max_tokens``."""
        step = max(1, self.context // 8)
        return min(max(1, -(-wanted // step)) * step, self.context // 2)

    def _run(
        self,
        request: GenerateRequest,
        prompt: Prompt,
        output: Output,
        costs: _Costs,
        cancelled: Callable[[], bool],
        deadline: float,
    ) -> Generator[Chunk, None, Finish]:
        """Prefill, then decode until something ends it. Yields chunks, returns the `Finish`."""
        slot = self._pool.take(prompt.ids)
        leaving = self._leaving if request.turbo and isinstance(self._runner, Early) else None
        try:
            return (yield from self._decode(request, prompt, output, costs, cancelled, deadline, slot, leaving))
        finally:
            if leaving is not None:  # keys and values of layers that were left out are good for this answer only
                slot.truncate(min(slot.length, len(prompt.ids)))

    def _decode(
        self,
        request: GenerateRequest,
        prompt: Prompt,
        output: Output,
        costs: _Costs,
        cancelled: Callable[[], bool],
        deadline: float,
        slot: Context,
        leaving: Floats | None,
    ) -> Generator[Chunk, None, Finish]:
        started = self._clock()
        hole = self._hole(request.file)
        costs.prompt_tokens, costs.reused_tokens = len(prompt.ids), slot.length
        logits = self._prefill(slot, prompt.ids, deadline, cancelled)
        decoding = self._clock()
        costs.prefill_ms = (decoding - started) * 1000
        sampler = Sampler(request.temperature, request.top_p, request.seed)
        ends = self._ends(request.ends)
        copier = Copier(self.tokenizer.encode(request.draft)) if request.draft else None
        if logits is not None:
            costs.entropy = self._entropy(self._constrain(logits[-1], output.tail, ends))
            costs.stop = self._stop_head.probability(self._runner.stream()) if self._stop_head is not None else None
        ids, drafted, pace = list(prompt.ids), list[int](), self._paces["caches"]
        exits, depth = [0] * self._layers, self._layers
        while logits is not None:
            begun = len(ids)
            for row, guess in zip(logits, [*drafted, None], strict=True):
                if output.tokens >= request.max_tokens:
                    return Finish.LENGTH
                token, logprob = self._choose(sampler, row, hole, ids, output.tail, ends)
                if token in ends:
                    return Finish.END
                before = output.tokens
                text, logprobs = output.push(token, logprob)
                costs.decode_ms = (self._clock() - decoding) * 1000
                exits[depth - 1] += output.tokens - before
                costs.exits = tuple(exits)
                if text:
                    yield Chunk(text, logprobs, **vars(costs))  # whoever stops reading here knows what it cost so far
                if output.stopped:
                    return Finish.STOP
                if output.tokens >= request.max_tokens or len(ids) >= self.context:
                    return Finish.LENGTH
                ids.append(token)
                if token != guess:
                    break
            slot.truncate(len(ids) - 1)
            pace.drafted(len(drafted), len(ids) - begun - 1)
            now = self._clock()
            drafted, pace = self._draft(hole, ids, request, output), self._paces["caches"]
            if copier is not None and not drafted:
                pace = self._paces["copy"]
                room = min(self.context - len(ids), request.max_tokens - output.tokens - 1, pace.length())
                drafted = copier.draft(ids[len(prompt.ids) :], room)
            if now >= deadline:
                return Finish.BUDGET
            asked: Pace | None = None
            if not drafted and self.exit_drafts is not None and leaving is None and not output.tail:
                room = min(self.context - len(ids), request.max_tokens - output.tokens - 1)
                drafted, asked = self.exit_drafts.draft(slot, ids, room, partial(self._greedy, hole), cancelled)
                pace = asked or pace
            if leaving is not None and not drafted:
                logits, depth = self._early(slot, ids[-1], cancelled, leaving)
            else:
                logits, depth = self._step(slot, ids[-1:] + drafted, cancelled, 1 + len(drafted)), self._layers
            seconds = self._clock() - now
            if self.exit_drafts is not None:
                self.exit_drafts.took(len(logits), seconds, asked)
            for each in self._paces.values() if asked is None or not drafted else ():
                each.took(len(logits), seconds)
        return Finish.BUDGET

    def _draft(self, hole: Hole | None, ids: Sequence[int], request: GenerateRequest, output: Output) -> list[int]:
        """What the caches expect after ``ids``, to be verified in the pass that runs the last of them.

        Sampling too: a drafted token is taken when the very draw that would have been made says so, which is rejection
        sampling for a draft that is certain of itself, and keeps the distribution (arXiv 2211.17192).
        """
        if hole is None:
            return []
        room = min(self.context - len(ids), request.max_tokens - output.tokens - 1, self._paces["caches"].length())
        drafted = hole.draft(ids, room)
        lines = (at for at, token in enumerate(drafted, 1) if self.tokenizer.token_bytes[token] == b"\n")
        return drafted[: next(lines, room)] if "\n" in request.stop else drafted

    def _prefill(self, slot: Context, ids: Sequence[int], deadline: float, cancelled: Callable[[], bool]) -> Floats | None:
        """Run what the slot lacks of ``ids``; logits of the last, or ``None`` when the time is up (what was run is kept)."""
        logits = None
        while slot.length < len(ids):
            if self._clock() >= deadline:
                return None
            logits = self._step(slot, ids[slot.length : slot.length + self.chunk], cancelled)
        return logits

    def _step(self, slot: Context, ids: Sequence[int], cancelled: Callable[[], bool], rows: int = 1) -> Floats:
        """One forward pass; only a whole one advances the slot."""
        self._check(cancelled)
        self._count_step()
        logits = self._runner.logits(ids, slot, cancelled, rows)
        slot.advance(ids)
        return logits

    def _early(self, slot: Context, token: int, cancelled: Callable[[], bool], leaving: Floats) -> tuple[Floats, int]:
        """`_step` of one token that may leave the model early, and how many layers it took."""
        self._check(cancelled)
        self._count_step()
        assert isinstance(self._runner, Early)
        logits, depth = self._runner.early(token, slot, cancelled, leaving)
        slot.advance([token])
        return logits, depth

    def _hole(self, file: OpenFile | None) -> Hole | None:
        return self.caches.enter(file, self._quick) if file is not None else None

    def _choose(
        self, sampler: Sampler, logits: Floats, hole: Hole | None, ids: Sequence[int], tail: bytes, ends: Sequence[int]
    ) -> tuple[int, float]:
        """The token that follows ``ids``, and its logarithm."""
        if sampler.temperature <= 0 and not tail and len(ends) == 1:
            return self._greedy(hole, logits, ids)
        return sampler.choose(self._constrain(self._mix(logits, hole, ids), tail, ends))

    def _greedy(self, hole: Hole | None, logits: Floats, ids: Sequence[int]) -> tuple[int, float]:
        """`_choose` where the likeliest is taken: it needs no 8k probabilities, let alone their logarithms."""
        if hole is not None:
            return hole.choose(logits, self._allowed, ids)
        if self._quick is not None:
            return self._quick.likeliest(logits, self._allowed, self.caches.mixture)
        return _GREEDY.choose(self._constrain(logits, b""))

    def _mix(self, logits: Floats, hole: Hole | None, ids: Sequence[int]) -> Floats:
        """logits [V] that follow ``ids`` -> natural logarithms of the mixed probabilities; as they are where no cache helps."""
        if hole is None:
            return logits
        probs = softmax(logits + self._allowed)
        mixed = hole.mix(probs, ids[-DEEPEST:])
        return logits if mixed is probs else np.log(np.maximum(mixed, np.float32(LEAST)))

    def _constrain(self, logits: Floats, tail: bytes, ends: Sequence[int] = ()) -> Floats:
        """logits [V] -> the same with minus infinity at whatever must not come next; ``ends`` may, beside the model's own."""
        allowed = logits + (self._spelling(tail) if tail else self._allowed)
        if len(ends) > 1 and not tail:
            allowed[list(ends)] = logits[list(ends)]
        return allowed

    def _ends(self, names: Sequence[str]) -> tuple[int, ...]:
        """The tokens that end an answer. Raises `EngineError` for a name that the model lacks."""
        if missing := [name for name in names if name not in self.tokenizer.specials]:
            raise EngineError(f"this model has no special token called {missing[0]}")
        return (self._end, *(self.tokenizer.specials[name] for name in names))

    def _spelling_uncached(self, tail: bytes) -> Floats:
        """[V] zero for the tokens that can spell ``tail``, minus infinity for the others."""
        mask = np.full_like(self._allowed, -np.inf)
        mask[self.tokenizer.compatible(tail)] = 0.0
        return mask

    @staticmethod
    def _check(cancelled: Callable[[], bool]) -> None:
        if cancelled():
            raise Cancelled
