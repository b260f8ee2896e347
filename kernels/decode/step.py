"""The CPU's decode step: packed weights, the memory that passes work in, and the threads that run them.

Knows arrays as `pack` lays them out; what is computed is in `passes`. Does not know tokens' meaning, sampling, or who asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import typeof
from numba.core import types
from numpy.typing import NDArray

from kernels.decode import choose, lookup, passes, team
from kernels.decode.kept import follow_sources
from kernels.decode.pack import MOST_ROWS, Floats, Memory, Packed, Scratch

MANY, MANY_SMALL = 16, 4
"""Rows from which on each thread takes some of them whole; of a model whose weights a core keeps near, at most `SMALL` bytes,
fewer do: two threads need for eight rows of the shipped one 0.39 ms by columns, of 0.40 that one thread takes.
"""
SMALL = 16_000_000


def is_compiled() -> bool:
    """Whether the machine code for this CPU is in numba's cache on disk: to compile takes 12 s, to load 0.2 s.

    Loads it when it is there.
    """
    return all(_is_loaded(function, signature) for function, signature in _COMPILED)


def _is_loaded(function: Any, signature: tuple[Any, ...]) -> bool:
    if function.signatures:
        return True
    made = function._cache.load_overload(signature, function.targetctx)
    if made is None:
        return False
    function.add_overload(made)
    return True


def compile_now() -> None:
    """Compile for this CPU, unless it is done, and keep the machine code in numba's cache."""
    for function, signature in _COMPILED:
        function.compile(signature)


_COMPILED = (
    (passes.run, (typeof(np.zeros(1, np.int64)), types.int64)),
    (lookup.look_up, lookup.SIGNATURE),
    (choose.choose, choose.SIGNATURE),
)
for _function, _ in _COMPILED:
    follow_sources(_function._cache)
NEVER = np.zeros(1, np.int64)


class Step:
    """Packed weights with the memory that passes work in, and up to ``most`` threads to run them."""

    def __init__(self, packed: Packed, most: int = 1) -> None:
        self.packed, self.threads = packed, most
        self._scratch, self._team = Scratch(packed.shape, most), team.Team(most)
        self._ids, self._eps, self._zeros = (
            np.zeros(MOST_ROWS, np.int64),
            np.array([packed.shape.eps], np.float32),
            np.zeros(64, np.float32),
        )
        self._numbers = packed.shape.numbers()
        self._table = np.zeros(passes.TABLE, np.int64)
        self._generation = 0
        self._word, self._word_at, self._ids_at = NEVER, NEVER.ctypes.data, self._ids.ctypes.data
        self._fill()
        self._team.start(passes.run, self._table)

    def _fill(self) -> None:
        """What stays from pass to pass."""
        packed, scratch, table = self.packed, self._scratch, self._table
        given = (
            *(packed.bytes_, packed.corrections, packed.scales, packed.plan, packed.norms, packed.head_norms),
            *(packed.last_norm, packed.cos, packed.sin, self._eps),
        )
        found = [array.ctypes.data for array in given]
        found.insert(6, packed.head_norms.size)
        table[passes.LAYERS : passes.LENGTH + 1] = self._numbers
        table[passes.VOCABULARY] = packed.plan[-1, 2]
        table[passes.MATRICES : passes.EPS + 1] = found
        table[passes.WHOLE] = MANY_SMALL if packed.bytes_.size <= SMALL else MANY
        table[passes.STRIPE], table[passes.LINES], table[passes.NOTHING] = (
            scratch.stripe,
            self._team.lines.ctypes.data,
            self._zeros.ctypes.data,
        )
        table[passes.SPLIT : passes.HANDED + 1] = scratch.common.ctypes.data + np.array(scratch.common_offsets)
        table[passes.OWN], table[passes.OWN_STRIDE] = scratch.own.ctypes.data, scratch.own.strides[0]
        table[passes.NORMED : passes.HALVES + 1] = scratch.own_offsets[1:]
        table[passes.ROOM], table[passes.ROOM_STRIDE] = scratch.bytes_.ctypes.data, scratch.bytes_.strides[0]
        table[passes.IDS] = self._ids.ctypes.data

    def run(
        self,
        memory: Memory,
        ids: Sequence[int],
        start: int,
        wanted: int = 1,
        word: NDArray[np.int64] = NEVER,
        mine: int = -1,
        leaving: Floats | None = None,
        depth: int = 0,
    ) -> Floats | None:
        """Logits [wanted, V] of the last ``wanted`` of ``ids`` (1 to 64); keys and values go behind ``start`` tokens of
        ``memory``.

        With ``leaving`` [L, D + 2, 16] (three columns of weights for stop, exit and go on, over the normed stream; their
        biases; a threshold) a pass of one row leaves behind the first layer where the probability of exit reaches its
        threshold; its keys and values of later layers are then not what they would have been. With ``depth`` every row leaves
        behind that many layers, and later ones get no keys and values.

        None when ``word[0]`` became ``mine``, which is read before every layer. Raises ValueError for ids that do not fit.
        """
        shape, rows = self.packed.shape, len(ids)
        if not 1 <= wanted <= rows <= MOST_ROWS or start < 0 or start + rows > shape.context:
            limits = f"a pass takes 1 to {MOST_ROWS}, the context {shape.context}"
            raise ValueError(f"{rows} tokens behind {start}, {wanted} wanted: {limits}")
        if not 0 <= depth <= shape.layers:
            raise ValueError(f"a pass of {depth} layers; there are {shape.layers}")
        if min(ids) < 0 or max(ids) >= shape.vocabulary:
            raise ValueError(f"token ids must lie in 0 .. {shape.vocabulary - 1}")
        self._ids[:rows] = ids
        logits = np.empty((wanted, int(self._table[passes.VOCABULARY])), np.float32)
        self._generation += 1
        helpers = self._team.wake(self.threads - 1)
        if word is not self._word:  # an address takes a microsecond to ask for, and a request has one word
            self._word, self._word_at = word, word.ctypes.data
        self._table[passes.KEYS : passes.RANKS] = (
            *(*memory.addresses, self._ids_at, self._word_at, logits.ctypes.data),
            *(rows, start, wanted, mine, helpers, self._generation),
            *(leaving.ctypes.data if leaving is not None else 0, depth or shape.layers),
        )
        done = passes.run(self._table, 0)
        if helpers:
            self._team.judge()
        return logits[:, : shape.vocabulary] if done > shape.layers else None

    @property
    def left(self) -> int:
        """The layer behind which the last pass left; all of them unless it was asked to leave early."""
        return int(self._table[passes.LEFT])

    def stream(self) -> Floats:
        """[D] the normed stream behind the last layer, of the last row of the last pass."""
        stream: Floats = self._scratch.common.ravel()[self._scratch.common_offsets[4] // 4 :][: self.packed.shape.width].copy()
        return stream
