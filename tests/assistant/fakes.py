"""An honest stand-in for the engine: canned outputs in a queue, a history of what was asked, real streaming and real
cancellation.

Not a mock: whoever consumes it sees chunks of a few characters, one loop turn apart, and the same finish reasons as the
engine's.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass

from assistant.cancel import Cancel
from assistant.types import Chunk, EngineError, Finish, GenerateRequest, ModelInfo, Score, ScoreRequest

INFO = ModelInfo(
    "fake", "sotto", 1, 1024, "0" * 64, "none", 1, "a test", 0.0, ("end", "file", "fim_prefix", "fim_suffix", "fim_middle")
)
_TOKEN = re.compile(r"\s?\w{1,4}|\n[ \t]*|\s+|[^\w\s]")


@dataclass(frozen=True)
class Canned:
    """One output: its text, the natural-log probability of each token, and how it ends if nothing stops it before.

    The tokens at the indices in ``doubts`` have a probability of 0.1 instead.
    """

    text: str
    logprob: float = -0.1
    finish: Finish = Finish.END
    error: str = ""
    doubts: tuple[int, ...] = ()


class FakeModel:
    """Answers requests from ``outputs`` in turn, then with empty texts. ``step_seconds`` is the time of one decode step."""

    def __init__(self, *outputs: str | Canned, info: ModelInfo | None = INFO, step_seconds: float = 0.0) -> None:
        self.queue = deque(Canned(o) if isinstance(o, str) else o for o in outputs)
        self.requests: list[GenerateRequest] = []
        self.finished: list[Finish] = []
        self.steps = 0
        self.learnt: dict[str, str] = {}
        self.info = info
        self.step_seconds = step_seconds

    def add(self, *outputs: str | Canned) -> None:
        self.queue.extend(Canned(o) if isinstance(o, str) else o for o in outputs)

    @property
    def prompts(self) -> list[str]:
        """The prompts of all requests, special tokens in angle brackets."""
        return ["".join(f"<{p.special}>" if p.special else p.text for p in r.parts) for r in self.requests]

    async def generate(self, request: GenerateRequest, cancel: Cancel) -> AsyncIterator[Chunk]:
        self.requests.append(request)
        canned = self.queue.popleft() if self.queue else Canned("")
        if canned.error:
            raise EngineError(canned.error)
        text, finish = _until_stop(canned, request.stop)
        ended = Finish.CANCELLED
        try:
            for count, token in enumerate(_TOKEN.findall(text)):
                await asyncio.sleep(self.step_seconds)
                if cancel.is_set():
                    yield self._last(Finish.CANCELLED)
                    return
                if count == request.max_tokens:
                    finish = Finish.LENGTH
                    break
                self.steps += 1
                yield Chunk(token, (math.log(0.1) if count in canned.doubts else canned.logprob,))
            ended = finish
            yield self._last(finish)
        finally:
            self.finished.append(ended)

    def _last(self, finish: Finish) -> Chunk:
        return Chunk("", (), finish, prompt_tokens=100, reused_tokens=60, prefill_ms=2.0, decode_ms=3.0)

    async def score(self, request: ScoreRequest) -> Score:
        return Score(float(len(request.target)), len(request.target.encode()), len(request.target))

    async def learn(self, key: str, text: str) -> None:
        self.learnt[key] = text

    async def unlearn(self, key: str) -> None:
        self.learnt.pop(key, None)


def _until_stop(canned: Canned, stop: Iterable[str]) -> tuple[str, Finish]:
    cuts = [at for s in stop if (at := canned.text.find(s)) != -1]
    return (canned.text[: min(cuts)], Finish.STOP) if cuts else (canned.text, canned.finish)


def numbered(prefix: str = "id") -> Callable[[], str]:
    """Ids in order: id1, id2, ..."""
    counter = itertools.count(1)
    return lambda: f"{prefix}{next(counter)}"
