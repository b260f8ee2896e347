"""What a choice of keys asks of them, as compiled code for few query rows: block scores, votes of heads, the descent.

Knows the table that `kernels.select.compiled` fills in, and addresses; contracts as in `kernels.select.reference`. One call
answers for all key heads: a step that chooses costs little more than the keys or summaries that it looks at.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from kernels.attention import compiled_tiles as tiles
from kernels.attention.compiled_products import CHUNK, scores
from kernels.decode.products import floats, words

HALVES, ROWS, KV_HEADS, GROUP, UNITS, QUERIES, QUERY_ROW, QUERY_HEAD = range(8)
KEYS, KEY_HEAD, KEY_ROW, COUNT, LOW, HIGH, OUT, SPACE, SCALE = range(8, 17)
CHUNKS, MANY, SIZE = range(17, 20)
WORDS = 20
"""Words of the table; strides in bytes. ``COUNT``: keys or summaries of a head. ``CHUNKS`` [S, KV, MANY]: the descent's."""
_options = {"nogil": True, "boundscheck": False, "error_model": "numpy"}
_called = njit(**_options)


def space(group: int, d: int, count: int, many: int) -> int:
    """Bytes to work in: a group's queries as floats, its logits for ``count`` keys and two numbers beside each row of them, or
    where ``many`` descents stand.
    """
    return group * (d * 4 + 64 + (count + CHUNK) * 4) + 8 * many


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
def vote(at):  # type: ignore[no-untyped-def]
    """OUT [S, KV, COUNT]: the group's votes by softmax between LOW and HIGH added up, -inf outside."""
    t = words(at, WORDS)
    d, count, group = t[UNITS] * tiles.UNIT, t[COUNT], t[GROUP]
    width = (count + 15) // 16 * 16
    states = t[SPACE] + group * d * 4
    logits = states + group * 64
    scale = floats(at + SCALE * 8, 1)[0]
    for row in range(t[ROWS]):
        low, high = max(0, words(t[LOW], t[ROWS])[row]), min(count, words(t[HIGH], t[ROWS])[row])
        for head in range(t[KV_HEADS]):
            _take(t, row, head, scale)
            out = floats(t[OUT] + (row * t[KV_HEADS] + head) * count * 4, count)
            out[:] = -math.inf
            if high <= low:
                continue
            keys = t[KEYS] + head * t[KEY_HEAD]
            for first in range(low, high, CHUNK):
                many = min(CHUNK, high - first)
                place = keys + first * t[KEY_ROW]
                ahead, to = place + many * t[KEY_ROW], logits + first * 4
                scores(t[HALVES], group, t[SPACE], d * 4, place, t[KEY_ROW], t[UNITS], many, to, width * 4, ahead)
            for g in range(group):
                state = floats(states + g * 64, 2)
                state[0], state[1] = tiles.NEVER, 0.0
                tiles.soften(logits + g * width * 4, low, high, width, states + g * 64)
                share = np.float32(1.0 / state[1])
                if g:
                    tiles.blend(logits, np.float32(1.0), logits + g * width * 4, share, width)
                else:
                    tiles.scale(logits, share, width)
            out[low:high] = floats(logits, count)[low:high]


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
