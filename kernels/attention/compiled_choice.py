"""What a choice of keys asks of them, as compiled code: block scores and the descent for few query rows, and the best columns.

Knows the table that `kernels.select.compiled` fills in, and addresses; contracts as in `kernels.select.reference`. One call
answers for all key heads: a step that chooses costs little more than the keys or summaries that it looks at.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from kernels.attention import compiled_tiles as tiles
from kernels.attention import compiled_vote_tiles as more
from kernels.attention.compiled_products import CHUNK, scores
from kernels.decode.products import floats, words

HALVES, ROWS, KV_HEADS, GROUP, UNITS, QUERIES, QUERY_ROW, QUERY_HEAD = range(8)
KEYS, KEY_HEAD, KEY_ROW, COUNT, LOW, HIGH, OUT, SPACE = range(8, 16)
CHUNKS, MANY, SIZE = range(16, 19)
WORDS = 19
"""Words of the table of scores and descents; strides in bytes. ``COUNT``: keys or summaries of a head."""
SCORES, LISTS, COLUMNS, WANTED, COUNTS, INDICES = range(6)
SELECT_WORDS = 6
"""Words of `select`'s: scores [LISTS, COLUMNS], counts [LISTS] and indices [LISTS, WANTED]."""
LOWEST, BEYOND = -0x7F800000, 0x7F800001
"""Codes (`compiled_vote_tiles.decoded`) of the least finite number and of what follows infinity."""
_options = {"nogil": True, "boundscheck": False, "error_model": "numpy"}
_called = njit(**_options)


def space(group: int, d: int, many: int) -> int:
    """Bytes to work in: a group's queries as floats, what they have for a chunk of keys, and where ``many`` descents stand."""
    return group * (d * 4 + 64 + CHUNK * 4) + 8 * many


@_called
def _take(t, row, head, scale):  # type: ignore[no-untyped-def]
    """The queries of a group as floats, scaled."""
    d = t[UNITS] * tiles.UNIT
    for g in range(t[GROUP]):
        source = t[QUERIES] + row * t[QUERY_ROW] + (head * t[GROUP] + g) * t[QUERY_HEAD]
        if t[HALVES]:
            tiles.half_take(source, t[SPACE] + g * d * 4, t[UNITS], scale)
        else:
            tiles.take(source, t[SPACE] + g * d * 4, t[UNITS], scale)


@_called
def score(at):  # type: ignore[no-untyped-def]
    """OUT [S, KV, COUNT]: the greatest product of the group's heads, -inf outside LOW to HIGH."""
    t = words(at, WORDS)
    d, count, group = t[UNITS] * tiles.UNIT, t[COUNT], t[GROUP]
    logits = t[SPACE] + group * (d * 4 + 64)
    for row in range(t[ROWS]):
        low, high = max(0, words(t[LOW], t[ROWS])[row]), min(count, words(t[HIGH], t[ROWS])[row])
        for head in range(t[KV_HEADS]):
            _take(t, row, head, np.float32(1.0))
            out = floats(t[OUT] + (row * t[KV_HEADS] + head) * count * 4, count)
            out[:] = -math.inf
            keys = t[KEYS] + head * t[KEY_HEAD]
            for first in range(low, high, CHUNK):
                many = min(CHUNK, high - first)
                place = keys + first * t[KEY_ROW]
                ahead = place + many * t[KEY_ROW]
                scores(t[HALVES], group, t[SPACE], d * 4, place, t[KEY_ROW], t[UNITS], many, logits, CHUNK * 4, ahead)
                for g in range(group):
                    mine = floats(logits + g * CHUNK * 4, CHUNK)
                    for i in range(many):
                        out[first + i] = max(out[first + i], mine[i])


@_called
def descend(at):  # type: ignore[no-untyped-def]
    """OUT [S, KV, MANY]: each chunk's score. All chunks of a head take a step before any takes the next: nobody waits for one
    key, and the keys of the chunk after are asked for meanwhile.
    """
    t = words(at, WORDS)
    d, many, group, size, last = t[UNITS] * tiles.UNIT, t[MANY], t[GROUP], t[SIZE], t[COUNT] - 1
    pair = t[SPACE] + group * d * 4
    lefts = words(t[SPACE] + group * (d * 4 + 64 + CHUNK * 4), many)
    for row in range(t[ROWS]):
        for head in range(t[KV_HEADS]):
            _take(t, row, head, np.float32(1.0))
            place = (row * t[KV_HEADS] + head) * many
            out, chunks = floats(t[OUT] + place * 4, many), words(t[CHUNKS] + place * 8, many)
            keys, end = t[KEYS] + head * t[KEY_HEAD], words(t[HIGH], t[ROWS])[row]
            for c in range(many):
                inside = chunks[c] >= 0 and chunks[c] + size <= end
                lefts[c] = chunks[c] if inside else -1
                out[c] = -math.inf
            span = size
            while True:
                half = span // 2
                near, far = half // 2, half + (span - half) // 2
                for c in range(many):
                    left = lefts[c]
                    if left < 0:
                        continue
                    then = max(lefts[min(c + 1, many - 1)], 0)
                    first, second = min(left + near, last), min(left + far, last)
                    step, ahead = (second - first) * t[KEY_ROW], keys + min(then + near, last) * t[KEY_ROW]
                    two = 2 if span > 1 else 1
                    scores(t[HALVES], group, t[SPACE], d * 4, keys + first * t[KEY_ROW], step, t[UNITS], two, pair, 16, ahead)
                    lower = upper = np.float32(-math.inf)
                    for g in range(group):
                        both = floats(pair + g * 16, 2)
                        lower = max(lower, both[0])
                        if two == 2:
                            upper = max(upper, both[1])
                    out[c] = max(lower, upper)
                    if lower < upper:
                        lefts[c] = left + half
                span = half
                if span <= 1:
                    break


@_called
def _reach(scores, columns, code):  # type: ignore[no-untyped-def]
    """How many scores are the code's number or more."""
    whole, least, x = columns // 16 * 16, more.decoded(code), floats(scores, columns)
    total = more.at_least(scores, whole, least)
    for i in range(whole, columns):
        total += x[i] >= least
    return total


@_called
def select(at):  # type: ignore[no-untyped-def]
    """The WANTED best columns of each list, ascending, 0 behind them; of equal scores at the edge the first are kept."""
    t = words(at, SELECT_WORDS)
    columns, wanted, counts = t[COLUMNS], t[WANTED], words(t[COUNTS], t[LISTS])
    for row in range(t[LISTS]):
        scores, found = t[SCORES] + row * columns * 4, words(t[INDICES] + row * wanted * 8, wanted)
        there = min(wanted, _reach(scores, columns, LOWEST))
        counts[row] = there
        found[there:] = 0
        if there:
            _write(scores, columns, _edge(scores, columns, there), there, found)


@_called
def _edge(scores, columns, wanted):  # type: ignore[no-untyped-def]
    """The greatest code that at least ``wanted`` scores reach, or any that just so many do."""
    low, high = LOWEST, BEYOND
    while high - low > 1:
        middle = (low + high) // 2
        reach = _reach(scores, columns, middle)
        if reach == wanted:
            return middle
        if reach > wanted:
            low = middle
        else:
            high = middle
    return low


@_called
def _write(scores, columns, edge, wanted, found):  # type: ignore[no-untyped-def]
    """The first ``wanted`` columns that reach the edge, but before those that lie on it all that lie above."""
    least, x, n, i = more.decoded(edge), floats(scores, columns), 0, 0
    if _reach(scores, columns, edge) == wanted:
        while n < wanted:
            found[n] = i
            n += x[i] >= least
            i += 1
        return
    equal = wanted - _reach(scores, columns, edge + 1)
    while n < wanted:
        if x[i] > least or (equal > 0 and x[i] == least):
            equal -= x[i] == least
            found[n] = i
            n += 1
        i += 1
