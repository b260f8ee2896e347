"""One answer of the model: stream it, stop it when it is complete, weigh it.

Knows the `TextModel` protocol; does not know why it was asked or what becomes of the text.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace

from assistant.cancel import Cancel
from assistant.completion.stop import Stopper
from assistant.types import Chunk, Confidence, Finish, GenerateRequest, TextModel


@dataclass(frozen=True)
class Answered:
    """The text to keep, for each token of it the offset where it begins and its log-probability; and what it cost.

    ``new_tokens`` counts those that were cut off, too. ``hurried``: the wall-clock budget ended it. ``doubted``: a token
    that was too unlikely did. ``cut_off``: the engine was taken away for somebody who waits.
    """

    text: str
    tokens: tuple[tuple[int, float], ...]
    new_tokens: int
    costs: Chunk
    hurried: bool
    doubted: bool = False
    cut_off: bool = False


async def generate(
    model: TextModel,
    request: GenerateRequest,
    stopper: Stopper,
    cancel: Cancel,
    clock: Callable[[], float],
    least: float = 0.0,
) -> Answered:
    """Ask and read until ``stopper`` has enough, or a token behind the first words has a probability below ``least``.

    Raises `EngineError`. The engine stops when this returns, raises or is cancelled.
    """
    least = math.log(least) if least > 0 else -math.inf
    doubted = False
    inner, tokens, costs = Cancel(), list[tuple[int, float]](), _Costs(clock)
    unsubscribe = cancel.subscribe(inner.set)
    stream = model.generate(request, inner)
    finish = None
    try:
        async for chunk in stream:
            costs.add(chunk)
            tokens += [(len(stopper.text), logprob) for logprob in chunk.logprobs]
            finish = chunk.finish
            if min(chunk.logprobs, default=0.0) < least and stopper.text.strip():
                doubted = True
                stopper.break_off(chunk.text)
                break
            if stopper.feed(chunk.text) or finish is not None:
                break
    finally:
        inner.set()
        unsubscribe()
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()
    text = stopper.finish(finish)
    kept = tuple(token for token in tokens if token[0] < len(text))
    hurried, cut_off = (finish is why and not stopper.done for why in (Finish.BUDGET, Finish.CANCELLED))
    return Answered(text, kept, len(tokens), costs.total(), hurried, doubted, cut_off)


class _Costs:
    """What an answer cost: as the engine says with its last chunk, or by our own clock where the answer was stopped before."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._began = clock, clock()
        self._first: float | None = None
        self._said = Chunk("")

    def add(self, chunk: Chunk) -> None:
        if self._first is None:
            self._first = self._clock()
        if chunk.prompt_tokens:
            self._said = chunk

    def total(self) -> Chunk:
        if self._said.prefill_ms or self._first is None:
            return self._said
        prefill, decode = (self._first - self._began) * 1000, (self._clock() - self._first) * 1000
        return replace(self._said, prefill_ms=prefill, decode_ms=decode)


def confidence(raw: str, tokens: tuple[tuple[int, float], ...], skip: str, shown: str) -> Confidence | None:
    """What the model thought of ``shown``, which follows ``skip`` in its text ``raw``.

    Cleaning changes white space, so the places are found by counting the other characters.
    """
    ends = [at for at, char in enumerate(raw) if not char.isspace()]
    first, count = len("".join(skip.split())), len("".join(shown.split()))
    start = ends[first] if 0 < first < len(ends) else 0
    stop = ends[first + count - 1] + 1 if count > 0 and first + count <= len(ends) else len(raw)
    starts = [at for at, _ in tokens]
    spells = bisect_right(starts, start) - 1  # the token that spells the first shown character
    low = bisect_left(starts, starts[spells]) if spells > 0 else 0
    chosen = [logprob for _, logprob in tokens[low : bisect_left(starts, stop)]] or [logprob for _, logprob in tokens[-1:]]
    if not chosen:
        return None
    return Confidence(sum(chosen) / len(chosen), min(chosen), len(chosen))
