"""What next-edit prediction asks of the model: which lines of a region change, and how well it expects texts in their place.

Knows an engine and the names of the edit format's special tokens. Does not know lines, files or who asks. Each request is a
few passes; the cancel word is read before each.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from assistant.model.engine import Engine
from assistant.model.kv_cache import Context, common_prefix
from assistant.model.mixture import Floats
from assistant.model.window import fit
from assistant.types import CompareRequest, EngineError, Likelihood, MarkRequest, Marks, Part

MOST_REWRITES = 64
"""Texts of one request: a bound on how long it can take."""


class Edits:
    """Asks an engine. ``clock`` gives seconds."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.perf_counter) -> None:
        self._engine = engine
        self._clock = clock
        specials = engine.tokenizer.specials
        self._sayings = [specials[name] for name in ("edit", "no_edit") if name in specials]
        self._line = specials.get("line", -1)
        self._ends = [specials[name] for name in ("end", "edit") if name in specials and self._sayings]
        self._newline = engine.tokenizer.encode("\n")[-1]

    def mark(self, request: MarkRequest, cancelled: Callable[[], bool]) -> Marks:
        """Each line's probability to change, softmax over two tokens at its newline; one pass over the prompt.

        Raises `EngineError` for a model or a prompt without the edit format, `Cancelled`.
        """
        started = self._clock()
        if len(self._sayings) < 2:
            raise EngineError("this model has not learnt the edit format")
        ids = self._encode(request.parts)
        if self._line not in ids:
            raise EngineError("this prompt has no lines to mark; write it with assistant.edit_format.render")
        begin = len(ids) - ids[::-1].index(self._line)
        ends = [place for place in range(begin, len(ids)) if ids[place] == self._newline]
        slot = self._engine.open(ids)
        slot.truncate(min(slot.length, begin))
        first = slot.length
        rows = [part[:, self._sayings] for part in self._engine.rows(slot, ids[first:], len(ids) - begin, cancelled)]
        said = np.concatenate(rows)[[place - begin for place in ends]] if ends else np.zeros((0, 2), np.float32)
        chances = 1 / (1 + np.exp(said[:, 1] - said[:, 0]))
        return Marks(tuple(chances.tolist()), len(ids) - first, (self._clock() - started) * 1000)

    def compare(self, request: CompareRequest, cancelled: Callable[[], bool]) -> tuple[Likelihood, ...]:
        """The log-probability of each text and of its end after the prompt and its question. Raises like `mark`.

        A model that has not learnt the edit format knows no end of an edit: the text alone counts.
        """
        if len(request.rewrites) > MOST_REWRITES:
            raise EngineError(f"{len(request.rewrites)} texts to compare; {MOST_REWRITES} are the most")
        prompt = [*self._engine.begin, *self._encode(request.parts)]
        slot = self._engine.open([*prompt, self._newline])  # the prompt whole, whatever follows it
        return tuple(self._likelihood(slot, prompt + self._encode(one.asked), one.text, cancelled) for one in request.rewrites)

    def _likelihood(self, slot: Context, asked: list[int], text: str, cancelled: Callable[[], bool]) -> Likelihood:
        told = self._engine.tokenizer.encode(text)
        ids = asked + told
        if len(ids) > self._engine.context:
            raise EngineError(f"prompt and text take {len(ids)} tokens; the context holds {self._engine.context}")
        slot.truncate(common_prefix(slot.ids, asked[:-1]))
        count = len(told) + bool(self._ends)
        logits = np.concatenate(
            list(self._engine.rows(slot, (ids if self._ends else ids[:-1])[slot.length :], count, cancelled))
        )
        spelled = float(logits[np.arange(len(told)), told].sum())
        if self._ends:
            spelled += float(np.logaddexp.reduce(logits[-1, self._ends]))
        return Likelihood(spelled - float(_log_totals(logits).sum()), count)

    def _encode(self, parts: Sequence[Part]) -> list[int]:
        """Ids of parts that are never cut. Raises `EngineError` where they do not fit, or the model lacks a special token."""
        tokenizer = self._engine.tokenizer
        return fit(parts, tokenizer, self._engine.context, heal=False, start=self._newline).ids if parts else []


def _log_totals(logits: Floats) -> Floats:
    """logits [n, V] -> [n]: the logarithm of the sum of their exponentials."""
    peak = logits.max(axis=1)
    totals: Floats = peak + np.log(np.exp(logits - peak[:, None]).sum(axis=1))
    return totals
