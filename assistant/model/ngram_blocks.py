"""Blocks of documents in which a context is found: scanned while they are new, sorted once they are many.

Knows token ids and places in them. Does not count or weigh what it finds (`ngrams.py`).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

SEARCHED = 6
"""Tokens of context that the index is sorted by. Candidates are compared further back, to `DEEPEST`."""
DEEPEST = 12
MOST = 1024
"""A context seen more often is left to the language model, which has learned it; it also bounds a look-up."""
SLICE = 65_536
"""Positions sorted in one slice of work, 20 ms."""
COUNTED = 1 << 20
"""Positions counted in one slice of work, 20 ms."""
TOKEN = (1 << 21) - 1
"""The bits of a token that the index is sorted by; a separator comes last."""

Ids = NDArray[np.unsignedinteger]
Positions = NDArray[np.int64]


class Block:
    """Documents end to end, a separator (the largest number of the type) before each and at the end."""

    def __init__(self, documents: Sequence[tuple[Hashable, Ids]], dtype: np.dtype[np.unsignedinteger]) -> None:
        self.separator = np.iinfo(dtype).max
        gap = np.full(1, self.separator, dtype)
        pieces = [piece for _, ids in documents for piece in (gap, ids)]
        self.tokens: Ids = np.concatenate([*pieces, gap])
        self.keys = [key for key, _ in documents]
        self.starts = np.cumsum([1] + [len(ids) + 1 for _, ids in documents], dtype=np.int64)  # of each document's first token
        self.dead = np.zeros(len(documents), np.bool_)
        self._any_dead = False
        self._numbers = {key: number for number, key in enumerate(self.keys)}

    def __len__(self) -> int:
        return len(self.tokens)

    def document(self, number: int) -> Ids:
        return self.tokens[self.starts[number] : self.starts[number + 1] - 1]

    def kill(self, number: int) -> None:
        self.dead[number] = self._any_dead = True

    @property
    def dead_tokens(self) -> int:
        return int(np.diff(self.starts)[self.dead].sum()) if self._any_dead else 0

    def find(self, context: Sequence[int]) -> tuple[Positions, int]:
        """Positions that follow the last tokens of ``context`` (the newest last), and how many tokens agree before each.

        That number is the smallest with at most `MOST` positions; `SEARCHED` + 1, and no positions, when none up to it is.
        """
        places = np.flatnonzero(self.tokens[:-1] == context[-1]) + 1
        places = places[self.tokens[places] != self.separator]
        order = 1
        while len(places) > MOST and order < min(SEARCHED, len(context)):
            order += 1
            places = places[self.tokens[places - order] == context[-order]]
        return (places, order) if len(places) <= MOST else (places[:0], SEARCHED + 1)

    def place(self, key: Hashable) -> tuple[int, int]:
        """From where to where a document lies; (0, 0) for one that is not here."""
        number = self._numbers.get(key)
        return (int(self.starts[number]), int(self.starts[number + 1])) if number is not None else (0, 0)

    def living(self, places: Positions, without: Hashable = None) -> Positions:
        """The same without those in documents that were removed, and in ``without``."""
        start, stop = self.place(without)
        if stop:
            places = places[(places < start) | (places >= stop)]
        if not self._any_dead:
            return places
        return places[~self.dead[np.searchsorted(self.starts, places, side="right") - 1]]

    def depths(self, places: Positions, order: int, context: Sequence[int]) -> Positions:
        """How many tokens agree before each place, given that ``order`` do. A separator agrees with nothing."""
        depths = np.full(len(places), order)
        alive = np.arange(len(places))
        for back in range(order + 1, min(DEEPEST, len(context)) + 1):
            alive = alive[self.tokens[places[alive] - back] == context[-back]]
            if not len(alive):
                break
            depths[alive] = back
        return depths


class SortedBlock(Block):
    """A block with the positions sorted by the `SEARCHED` tokens before them, the nearest first: 3 bytes a token."""

    def __init__(self, documents: Sequence[tuple[Hashable, Ids]], dtype: np.dtype[np.unsignedinteger]) -> None:
        super().__init__(documents, dtype)
        self._size = 0
        self._low = np.empty(len(self.tokens), np.uint16)
        self._high = np.empty(len(self.tokens), np.uint8)
        self._first = np.zeros(1, np.int64)
        self._views = self.tokens.data, self._low.data, self._high.data

    def sort(self) -> Iterator[None]:
        """Build the index, in slices. Source of the method: a suffix array, turned round and cut off at `SEARCHED`."""
        tokens = self.tokens
        before = np.empty(len(tokens) - 1, tokens.dtype)  # the token before each place; a separator where there is no place
        counts = np.zeros(1, np.int64)
        for start in range(0, len(before), COUNTED):
            piece = slice(start, start + COUNTED)
            before[piece] = np.where(tokens[1:][piece] == self.separator, self.separator, tokens[:-1][piece])
            found = np.bincount(before[piece][before[piece] != self.separator])
            counts = np.pad(counts, (0, max(0, len(found) - len(counts))))
            counts[: len(found)] += found
            yield
        self._first = np.append(0, counts.cumsum())
        for start, stop in _cuts(counts):
            places = np.flatnonzero((before >= start) & (before < stop)) + 1
            for part in self._parts(places):
                self._append(part[np.lexsort(self._sort_keys(part))])
                yield
        self._low, self._high = self._low[: self._size].copy(), self._high[: self._size].copy()
        self._views = tokens.data, self._low.data, self._high.data

    @property
    def index(self) -> tuple[NDArray[np.uint16], NDArray[np.uint8], Positions]:
        """The sorted places in two parts, and where those behind each token begin."""
        return self._low, self._high, self._first

    def _parts(self, places: Positions) -> Iterator[Positions]:
        """``places`` as they are, or those after a very common token divided by the token before it."""
        if len(places) <= SLICE:
            yield places
            return
        second = self.tokens[np.maximum(places - 2, 0)].astype(np.int64) & TOKEN
        for start, stop in _cuts(np.bincount(second)):
            yield places[(second >= start) & (second < stop)]

    def _sort_keys(self, places: Positions) -> tuple[NDArray[np.uint64], ...]:
        """`SEARCHED` tokens of up to 21 bits as two numbers, the less important first; stable, so older places stay first."""
        half = SEARCHED // 2
        keys = []
        for group in (range(half + 1, SEARCHED + 1), range(1, half + 1)):
            key = np.zeros(len(places), np.uint64)
            for back in group:
                token = self.tokens[np.maximum(places - back, 0)].astype(np.uint64) & np.uint64(TOKEN)
                key = key << np.uint64(21) | token
            keys.append(key)
        return tuple(keys)

    def _append(self, places: Positions) -> None:
        stop = self._size + len(places)
        self._low[self._size : stop] = places & 0xFFFF
        self._high[self._size : stop] = places >> 16
        self._size = stop

    def find(self, context: Sequence[int]) -> tuple[Positions, int]:
        """As for every block, by narrowing one range of the index."""
        last = context[-1]
        if last + 1 >= len(self._first):
            return np.zeros(0, np.int64), 1
        start, stop = int(self._first[last]), int(self._first[last + 1])
        order = 1
        while stop - start > MOST and order < min(SEARCHED, len(context)):
            order += 1
            token = context[-order]
            start = self._first_rank(order, token, start, stop)
            stop = self._first_rank(order, token + 1, start, stop)
        if stop - start > MOST:
            return np.zeros(0, np.int64), SEARCHED + 1
        return self._low[start:stop] | self._high[start:stop].astype(np.int64) << 16, order

    def _first_rank(self, back: int, token: int, start: int, stop: int) -> int:
        """The first rank in ``[start, stop)`` whose token ``back`` before is ``token`` or more. Memory views for speed."""
        tokens, low, high = self._views
        while start < stop:
            middle = (start + stop) >> 1
            if tokens[(high[middle] << 16 | low[middle]) - back] < token:
                start = middle + 1
            else:
                stop = middle
        return start


def _cuts(counts: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """(start, stop) ranges of tokens that have at most `SLICE` places together, or of a single token."""
    ends = counts.cumsum()
    start = done = 0
    while start < len(counts) and done < ends[-1]:
        stop = max(start + 1, int(np.searchsorted(ends, done + SLICE, side="right")))
        yield start, stop
        start, done = stop, int(ends[stop - 1])


def at_most(followers: Positions, depths: Positions, order: int) -> tuple[Positions, Positions, int]:
    """Raise the order until at most `MOST` candidates remain; none when even `SEARCHED` tokens leave more."""
    chosen = depths >= order
    while chosen.sum() > MOST and order < SEARCHED:
        order += 1
        chosen = depths >= order
    if chosen.sum() > MOST:
        chosen[:] = False
    return followers[chosen], depths[chosen], order
