"""N-gram cache over the token ids of a workspace's documents: what followed, here, whenever these last tokens stood together?

Documents come and go by key; a look-up takes microseconds. Knows ids only: not text, not the language model that the answer
is mixed with (`mixture.py`). Adding is cheap and a look-up always right; what is new is sorted in slices when nothing else
is to do. The oracle in its test says the same with dictionaries.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assistant.model.ngram_blocks import DEEPEST, SEARCHED, Block, Ids, Positions, SortedBlock, at_most

FRESH = 65_536
"""Tokens that wait unsorted; comparing so many 16-bit numbers takes 10 us, sorting them 30 ms."""
LIMIT = 9_000_000
"""Tokens kept, 5 bytes each: 45 MB, about 32 MB of source."""
LARGEST = 3_000_000
"""Tokens of a block that grows no more: sorting it takes 7 bytes a token for a while. Each block costs a look-up 20 us."""

Slice = Callable[[], object]
"""A piece of work, at most some 40 ms. It may run in another thread, beside look-ups and changes; the next one is asked for
when it is done.
"""


class Match(NamedTuple):
    """What followed the context: ``ids``, ascending, with ``probs``; ``rest``, what they leave of one, is for who knows more.

    ``length`` is the longest context found, ``times`` how often, ``kinds`` how many different tokens followed it there; ``top``
    the likeliest follower, of equals the smallest id, and ``likely`` its probability.
    """

    length: int
    times: int
    kinds: int
    ids: NDArray[np.int64]
    probs: NDArray[np.float64]
    rest: float
    top: int
    likely: float

    def __bool__(self) -> bool:
        return self.length > 0


NOTHING = Match(0, 0, 0, np.zeros(0, np.int64), np.zeros(0), 1.0, -1, 0.0)


def interpolate(followers: Positions, depths: Positions, shortest: int) -> Match:
    """Witten-Bell over all orders at once, longest first. ``depths`` [N] says how many tokens before each follower agree.

    Order k has n followers of t kinds: it keeps n / (n + t) of what longer orders left over and passes on the rest. So an
    occurrence of depth d counts the sum, over k up to d, of what reached order k over (n + t).
    """
    longest = int(depths.max())
    ids, inverse = np.unique(followers, return_inverse=True)
    deepest = np.zeros(len(ids), np.int64)
    np.maximum.at(deepest, inverse, depths)
    counts = np.bincount(depths, minlength=longest + 1)[::-1].cumsum()[::-1][shortest:]
    kinds = np.bincount(deepest, minlength=longest + 1)[::-1].cumsum()[::-1][shortest:]
    passed = (kinds / (counts + kinds))[::-1].cumprod()[::-1]  # what is left over below each order
    reached = np.append(passed[1:], 1.0)
    worth = (reached / (counts + kinds)).cumsum()
    probs: NDArray[np.float64] = np.bincount(inverse, weights=worth[depths - shortest]).astype(np.float64)
    best = int(probs.argmax())
    return Match(longest, int(counts[-1]), int(kinds[-1]), ids, probs, float(passed[0]), int(ids[best]), float(probs[best]))


class NgramModel:
    """``vocab_size`` must be below 2**21. Look-ups and changes belong to one thread, all but the slices of `sorting`."""

    def __init__(self, vocab_size: int, limit: int = LIMIT) -> None:
        self._dtype: np.dtype[np.unsignedinteger] = np.dtype(np.uint16 if vocab_size < 0xFFFF else np.uint32)
        self._vocab_size = vocab_size
        self._limit = min(limit, (1 << 24) - 1)  # positions have 24 bits
        self._fresh: dict[Hashable, Ids] = {}
        self._fresh_tokens = 0
        self._open: Block | None = None
        self._blocks: list[SortedBlock] = []
        self._home: dict[Hashable, tuple[SortedBlock, int]] = {}
        self._job: Iterator[Slice] | None = None
        self.tokens = 0

    def __contains__(self, key: Hashable) -> bool:
        return key in self._fresh or key in self._home

    def __len__(self) -> int:
        return len(self._fresh) + len(self._home)

    @property
    def memory(self) -> int:
        """Bytes of the arrays that stay."""
        fresh = self._fresh_tokens * self._dtype.itemsize
        return fresh + sum(len(block) * (self._dtype.itemsize + 3) for block in self._blocks)

    def add(self, key: Hashable, ids: Sequence[int] | Ids) -> bool:
        """Put a document in, in place of the one with the same key. False when the limit leaves no room for it."""
        self.remove(key)
        array = np.asarray(ids, self._dtype)
        if self.tokens + len(array) + 2 > self._limit:
            return False
        self._fresh[key] = array
        self._fresh_tokens += len(array) + 1
        self.tokens += len(array) + 1
        self._open = None
        return True

    def remove(self, key: Hashable) -> None:
        """Take a document out; nothing happens when there is none."""
        if (ids := self._fresh.pop(key, None)) is not None:
            self._fresh_tokens -= len(ids) + 1
            self.tokens -= len(ids) + 1
            self._open = None
        elif (home := self._home.pop(key, None)) is not None:
            block, number = home
            block.kill(number)
            self.tokens -= len(block.document(number)) + 1

    def look_up(self, context: Sequence[int], without: Hashable = None) -> Match:
        """What followed the last tokens of ``context`` anywhere but in ``without``; only its last `DEEPEST` are read."""
        followers, depths, order = self._candidates(context, without)
        return interpolate(followers, depths, order) if len(followers) else NOTHING

    def blocks(self) -> list[Block]:
        """Where look-ups search at present. What changes later is in other blocks, but for documents that die in these."""
        return [*self._blocks, *self._open_block()]

    def next_slice(self) -> Slice | None:
        """The next slice of sorting; None when there is nothing to sort."""
        while True:
            if self._job is None:
                if self._fresh_tokens < FRESH and not self._worn():
                    return None
                self._job = self._merge()
            for piece in self._job:
                return piece
            self._job = None

    def work(self) -> bool:
        """Do one slice of sorting; False when there was none to do."""
        piece = self.next_slice()
        if piece is not None:
            piece()
        return piece is not None

    def _candidates(self, context: Sequence[int], without: Hashable) -> tuple[Positions, Positions, int]:
        """(followers [N], how many tokens before each agree [N], the smallest such number that is counted)."""
        blocks = self.blocks()
        tail = self._known(context)
        found = [(block, *block.find(tail)) for block in blocks] if tail else []
        order = max((order for _, _, order in found), default=1)
        if order > SEARCHED:
            found = []
        followers, depths = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for block, places, least in found:
            places = block.living(places, without)
            followers.append(block.tokens[places].astype(np.int64))
            depths.append(block.depths(places, least, tail))
        return at_most(np.concatenate(followers), np.concatenate(depths), order)

    def _known(self, context: Sequence[int]) -> list[int]:
        """The last `DEEPEST` tokens, from behind the last one that no document can hold."""
        tail = [int(token) for token in context[-DEEPEST:]]
        bad = max((place for place, token in enumerate(tail) if not 0 <= token < self._vocab_size), default=-1)
        return tail[bad + 1 :]

    def _open_block(self) -> list[Block]:
        if self._open is None and self._fresh:
            self._open = Block(list(self._fresh.items()), self._dtype)
        return [self._open] if self._open is not None else []

    def _worn(self) -> list[SortedBlock]:
        """Blocks of which a third is dead."""
        return [block for block in self._blocks if 3 * block.dead_tokens > len(block)]

    def _merge(self) -> Iterator[Slice]:
        """Sort what is fresh together with the blocks that are no larger, so that there are few and each token moves seldom."""
        chosen, size = self._worn(), self._fresh_tokens
        for block in sorted(self._blocks, key=len):
            total = size + sum(map(len, chosen))
            if block not in chosen and len(block) <= 2 * total and len(block) + total <= LARGEST:
                chosen.append(block)
        documents = [
            (key, block.document(number))
            for block in self._blocks
            if block in chosen
            for number, key in enumerate(block.keys)
            if not block.dead[number]
        ]
        fresh = dict(self._fresh)
        made: list[SortedBlock] = []
        yield from sliced(_sorted([*documents, *fresh.items()], self._dtype, made))
        self._take_over(made[0], chosen, fresh)

    def _take_over(self, merged: SortedBlock, chosen: Sequence[SortedBlock], fresh: dict[Hashable, Ids]) -> None:
        """Replace ``chosen`` and the ``fresh`` documents by ``merged``; what changed meanwhile is dead in it."""
        for number, key in enumerate(merged.keys):
            home = self._home.get(key)
            if key in fresh and self._fresh.get(key) is fresh[key]:
                del self._fresh[key]
                self._fresh_tokens -= len(fresh[key]) + 1
            elif key in fresh or home is None or home[0] not in chosen:
                merged.kill(number)
                continue
            self._home[key] = merged, number
        self._blocks = [block for block in self._blocks if block not in chosen]
        if not merged.dead.all():
            self._blocks.append(merged)
        self._open = None


def _sorted(
    documents: Sequence[tuple[Hashable, Ids]], dtype: np.dtype[np.unsignedinteger], made: list[SortedBlock]
) -> Iterator[None]:
    made.append(SortedBlock(documents, dtype))
    yield
    yield from made[0].sort()


def sliced(work: Iterator[None]) -> Iterator[Slice]:
    """What ``work`` does from one yield to the next, as slices. Their caller goes on behind the last one in its own thread."""
    more = True

    def advance() -> None:
        nonlocal more
        more = next(work, work) is None

    while more:
        yield advance


def _likely(match: Match) -> float:
    return match.likely


def draft(
    look_up: Callable[[Sequence[int]], Iterable[Match]], context: Sequence[int], most: int, least: int = 3, sure: float = 0.5
) -> list[int]:
    """Up to ``most`` tokens that probably follow ``context``, for a model to verify: each time what the surest match holds
    likeliest, while ``least`` tokens of context match there and it has at least the probability ``sure``.
    """
    tail = list(context[-DEEPEST:])
    drafted: list[int] = []
    while len(drafted) < most:
        best = max((match for match in look_up(tail) if match.length >= least), key=_likely, default=NOTHING)
        if best.likely < sure:
            break
        drafted.append(best.top)
        tail = [*tail[1 - DEEPEST :], best.top]
    return drafted
