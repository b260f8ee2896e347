"""The n-gram look-up and the greedy choice of a mixture, compiled: what `ngrams` and `mixture` do with numpy, in a tenth of the
time. A token of the shipped model takes 0.2 ms, and numpy's dozens of small calls took as long again.

Knows blocks of documents and the gate. There is one only where the fused step is compiled.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from assistant.model.mixture import Floats, Gate, Mixture
from assistant.model.ngram_blocks import MOST, SEARCHED, Block, SortedBlock
from assistant.model.ngrams import NOTHING, Match, NgramModel

LARGEST_VOCABULARY = 0xFFFF
"""Documents of longer vocabularies keep 32 bits a token, and are looked up with numpy."""


class Laid:
    """One model's blocks as compiled code finds them. They are held, and stay what they are, as long as this lives."""

    def __init__(self, blocks: Sequence[Block], without: Hashable) -> None:
        from kernels.decode import lookup

        self.held = [*blocks]
        self.table = np.zeros((len(blocks), lookup.FIELDS), np.int64)
        for row, block in zip(self.table, blocks, strict=True):
            row[lookup.TOKENS], row[lookup.LENGTH] = block.tokens.ctypes.data, len(block)
            row[lookup.STARTS], row[lookup.DOCUMENTS] = block.starts.ctypes.data, len(block.dead)
            row[lookup.DEAD] = block.dead.ctypes.data
            row[lookup.SKIP_FROM], row[lookup.SKIP_TO] = block.place(without)
            if isinstance(block, SortedBlock):
                low, high, first = block.index
                row[lookup.LOW], row[lookup.HIGH] = low.ctypes.data, high.ctypes.data
                row[lookup.FIRST], row[lookup.FIRSTS] = first.ctypes.data, len(first)
        self.longest = max([MOST, *(len(block) for block in blocks if not isinstance(block, SortedBlock))])


class Quick:
    """For one thread, with the room it works in. ``vocab_size`` is below `LARGEST_VOCABULARY`."""

    def __init__(self, vocab_size: int) -> None:
        from kernels.decode import choose, lookup

        self._look_up, self._choose = lookup.look_up, choose.choose
        self._vocab_size = vocab_size
        self._bounds = np.array([SEARCHED, MOST], np.int64)
        self._marks = np.zeros(-(-vocab_size // 64) * 65, np.int64)
        self._places = self._found = np.zeros(0, np.int64)
        self._gate: Gate | None = None
        self._arrays: tuple[Floats, ...] = ()

    def lay(self, model: NgramModel | None, without: Hashable = None) -> Laid | None:
        """What `look_up` searches; None where there is nothing."""
        blocks = model.blocks() if model is not None else []
        if not blocks:
            return None
        laid = Laid(blocks, without)
        if len(self._places) <= laid.longest:
            self._places = np.empty(2 * laid.longest, np.int64)
        if len(self._found) < 2 * MOST * len(blocks):
            self._found = np.empty(4 * MOST * len(blocks), np.int64)
        return laid

    def tokens(self, last: Sequence[int]) -> NDArray[np.int64]:
        """A context as `look_up` takes it: the newest first, from behind the last one that no document can hold."""
        if last and not 0 <= min(last) <= max(last) < self._vocab_size:
            last = last[1 + max(at for at, token in enumerate(last) if not 0 <= token < self._vocab_size) :]
        return np.array(last[::-1], np.int64)

    def look_up(self, laid: Laid | None, newest_first: NDArray[np.int64]) -> Match:
        """As `NgramModel.look_up`."""
        if laid is None or not len(newest_first):
            return NOTHING
        found = self._look_up(laid.table, newest_first, self._bounds, self._places, self._found, self._marks)
        return Match(*found) if found[0] else NOTHING

    def choose(
        self, logits: Floats, allowed: Floats, mixture: Mixture, matches: Sequence[Match], closing: int | None
    ) -> tuple[int, float]:
        """The likeliest token of the mixture and the logarithm of its probability."""
        if mixture.gate is not self._gate:
            self._gate = gate = mixture.gate
            given = gate.hidden, gate.hidden_bias, gate.out, gate.out_bias
            self._arrays = tuple(np.ascontiguousarray(array, np.float32) for array in given)
        first, second = matches
        token, probability = self._choose(
            logits, allowed, *self._arrays, mixture.end, -1 if closing is None else closing, *first[:6], *second[:6]
        )
        return token, math.log(probability)

    def likeliest(self, logits: Floats, allowed: Floats, mixture: Mixture) -> tuple[int, float]:
        """The same without matches: the model alone."""
        return self.choose(logits, allowed, mixture, (NOTHING, NOTHING), None)
