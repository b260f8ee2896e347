"""Attention of few query rows over many keys as compiled code: who reads which keys, in which pieces, and how pieces join.

Knows the table that `kernels.attention.compiled` fills in, and addresses. A key head's keys are segments of rows; those are
cut into pieces that threads take one after another, each with a softmax of its own; `finish` joins them. No row outside a
segment is ever read. Short segments are copied beside each other first: scattered keys cost a copy, not a call each.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from kernels.attention import compiled_matrix as matrix
from kernels.attention import compiled_tiles as tiles
from kernels.attention.compiled_products import CHUNK, gather, next_at, scores
from kernels.decode.products import floats, words
from kernels.decode.products import number as some

SHORT = 32
"""Segments of fewer rows are copied."""
LEAST = 1024
"""Keys of a piece at least, where there are several threads: a shorter one is not worth another softmax."""
HALVES, HEADS, GROUP, ROWS, UNITS = range(5)
QUERY_HEAD, QUERY_ROW, KEY_HEAD, KEY_ROW, VALUE_HEAD, VALUE_ROW = range(5, 11)
FULL, SINK, WINDOW, SIZE, COUNTS, INDICES, WIDTH, SCALE = range(11, 19)
BITS, SIZE_HEAD, SIZE_ROW, MATRIX = range(19, 23)
SEGMENTS, FIRSTS, PIECES, TAKEN, LAID, OWN, OWN_SIZE, SPACE, SPACE_SIZE = range(23, 32)
START, THREADS, QUERIES, KEYS, VALUES, OUT, LSE, KEY_SIZES, VALUE_SIZES = range(32, 41)
POOL_COUNTS, POOL_KEYS, POOL_VALUES, PART = range(41, 45)
COUNT, NEXT, WORKERS = range(45, 48)
WORDS = 48
"""Words of the table: up to `START` what stays from step to step, up to `PART` what each call brings, then the pass's own.

Strides are in bytes; ``FULL`` is a word a key head (0: see nothing but sink, window and blocks).

``POOL_COUNTS`` [HEADS], unless 0: for how many keys one more key of a head stands, floats at ``POOL_KEYS`` and ``POOL_VALUES``.

``BITS`` 8 or 4: keys and values are levels (`kernels.quantize.reference`), widened to the queries' precision; else 0.
``MATRIX``: where `compiled_matrix.configuration` is, for bfloat16 on a CPU that has the unit; else 0.
"""
ALL, PLAN, WORK, FINISH, SCORE, VOTE, DESCEND, PROMPT, EACH, SELECT = range(10)
TABLES, TABLE_SIZE, TOKENS, WHICH, LISTED, LISTS, OUTS, OUT_ROW, LSES, LSE_ROW, TOKEN, HELPERS = range(12)
EACH_WORDS = 12
"""Words of the table of `each`: a table for every thread, the list of each of the TOKENS, lists, and where answers go."""
PIECE = 3
"""Words of a piece: its key head, and from where to where of the head's keys, counted along the segments."""
_options = {"nogil": True, "boundscheck": False, "error_model": "numpy"}
_inlined, _called = njit(inline="always", **_options), njit(**_options)


WIDE = 256
"""Keys of a chunk on the matrix unit: what waits for each other there (a product, its store, the next load) is waited for once
a chunk. 64 took 28 % longer, 512 no less.
"""


def tall(rows: int, unit: int) -> int:
    """Rows that a piece has room for: the matrix unit writes whole tiles."""
    return -(-rows // matrix.SIDE) * matrix.SIDE if unit else rows


def own_size(rows: int, d: int, unit: int) -> int:
    """Bytes that hold what a piece has found: what it gathered, and its softmax."""
    return tall(rows, unit) * (d * 4 + 64)


def space_size(rows: int, d: int, element: int, unit: int) -> int:
    """Bytes a thread works in: a chunk's scores, two chunks of copied rows, and what the matrix unit wants laid out."""
    if unit:
        return WIDE * (tall(rows, unit) * 6 + 64 + 2 * d * element)
    return CHUNK * (rows * 4 + 2 * d * element)


@_inlined
def _add_segment(segments, at, first, low, high):  # type: ignore[no-untyped-def]
    """Rows ``low`` to ``high``, joined with the segment before where they follow it."""
    if high <= low:
        return at
    if at > first and segments[2 * at - 1] == low:
        segments[2 * at - 1] = high
        return at
    segments[2 * at] = low
    segments[2 * at + 1] = high
    return at + 1


@_inlined
def _segments(t, head, at):  # type: ignore[no-untyped-def]
    """Write down the rows that a key head's queries see; several queries may look past the window's edge of the last."""
    first, end, segments = at, t[START] + t[ROWS], words(t[SEGMENTS], 1 << 40)
    full = words(t[FULL], t[HEADS])
    if full[head]:
        return _add_segment(segments, at, first, 0, end)
    sink = min(t[SINK], end)
    near = max(sink, t[START] - t[WINDOW] + 1)
    at = _add_segment(segments, at, first, 0, sink)
    if t[SIZE]:
        indices = words(t[INDICES] + head * t[WIDTH] * 8, t[WIDTH])
        for i in range(words(t[COUNTS], t[HEADS])[head]):
            low, high = indices[i] * t[SIZE], (indices[i] + 1) * t[SIZE]
            at = _add_segment(segments, at, first, max(low, sink), min(high, near, end))
    if t[ROWS] > 1 and sink:  # sink and window hide different rows from different queries
        segments[2 * at], segments[2 * at + 1] = near, end
        return at + 1
    return _add_segment(segments, at, first, near, end)


@_called
def plan(at):  # type: ignore[no-untyped-def]
    """The segments of each key head, the pieces they are cut into, and the queries as floats, scaled."""
    t = words(at, WORDS)
    firsts, pieces, segments = words(t[FIRSTS], t[HEADS] + 1), words(t[PIECES], 1 << 40), words(t[SEGMENTS], 1 << 40)
    total = 0
    firsts[0] = 0
    for head in range(t[HEADS]):
        firsts[head + 1] = _segments(t, head, firsts[head])
        for s in range(firsts[head], firsts[head + 1]):
            total += segments[2 * s + 1] - segments[2 * s]
    wanted = max(LEAST, total // (2 * t[THREADS])) if t[THREADS] > 1 else total + 1
    count = 0
    for head in range(t[HEADS]):
        keys = 0
        for s in range(firsts[head], firsts[head + 1]):
            keys += segments[2 * s + 1] - segments[2 * s]
        parts = max(1, keys // wanted)
        for part in range(parts):
            pieces[PIECE * count] = head
            pieces[PIECE * count + 1] = keys * part // parts
            pieces[PIECE * count + 2] = keys * (part + 1) // parts
            count += 1
    t[COUNT] = count
    t[NEXT] = 0
    t[WORKERS] = 0
    scale, row = floats(at + SCALE * 8, 1)[0], t[UNITS] * tiles.UNIT * 4
    for head in range(t[HEADS] * t[GROUP]):
        for r in range(t[ROWS]):
            source = t[QUERIES] + head * t[QUERY_HEAD] + r * t[QUERY_ROW]
            out = t[TAKEN] + ((head // t[GROUP] * t[ROWS] + r) * t[GROUP] + head % t[GROUP]) * row
            if t[HALVES]:
                tiles.half_take(source, out, t[UNITS], scale)
            else:
                tiles.take(source, out, t[UNITS], scale)
            if t[MATRIX]:
                _lay_out(t, head // t[GROUP], r * t[GROUP] + head % t[GROUP], source)


@_inlined
def _rows(t):  # type: ignore[no-untyped-def]
    """`tall` of a key head's query rows."""
    rows = t[GROUP] * t[ROWS]
    return (rows + matrix.SIDE - 1) // matrix.SIDE * matrix.SIDE if t[MATRIX] else rows


@_called
def _lay_out(t, head, row, source):  # type: ignore[no-untyped-def]
    """A query as a column of its tiles [units][16 pairs][16 columns], unscaled: it stays exact."""
    pairs = t[UNITS] * (tiles.UNIT // 2)
    given, laid = floats(source, pairs), floats(t[LAID] + (head * _rows(t) + row // 16 * 16) * pairs * 4, 16 * pairs)
    for i in range(pairs):
        laid[16 * i + row % 16] = given[i]


@_called
def _chunk(t, head, own, space, k, k_step, v, v_step, count, place, free, ahead):  # type: ignore[no-untyped-def]
    """Bring what is gathered up to date with ``count`` keys, of which the first has the position ``place``.

    ``free``: every row sees all of them. ``ahead``: where the next keys begin; the values are asked for while the keys are
    multiplied, the next keys while the values are.
    """
    rows, units = t[GROUP] * t[ROWS], t[UNITS]
    d = units * tiles.UNIT
    scores(t[HALVES], rows, t[TAKEN] + head * rows * d * 4, d * 4, k, k_step, units, count, space, CHUNK * 4, v)
    _soften(t, head, own, space, CHUNK * 4, count, place, free)
    gather(t[HALVES], rows, space, CHUNK * 4, v, v_step, units, count, own, d * 4, ahead)


@_called
def _wide_chunk(t, head, own, space, k, k_step, v, v_step, count, place, free, ahead):  # type: ignore[no-untyped-def]
    """The same on the matrix unit, but for the last keys that fill no tile."""
    rows, units, high = t[GROUP] * t[ROWS], t[UNITS], _rows(t)
    d, step = units * tiles.UNIT, WIDE * 4
    short = space + high * step
    products = short + high * WIDE * 2
    whole = count // 16 * 16
    for row in range(0, rows, 16):
        laid = t[LAID] + (head * high + row) * d * 2
        if units == 4:
            matrix.scores_4(laid, k, k_step, units, whole, products)
        elif units == 2:
            matrix.scores_2(laid, k, k_step, units, whole, products)
        else:
            matrix.scores_any(laid, k, k_step, units, whole, products)
        for half in range(row, min(row + 16, rows), 8):
            matrix.turn(products + (half - row) * 4, whole, t[SCALE], space + half * step, step)
    q, rest = t[TAKEN] + head * rows * d * 4, space + whole * 4
    scores(t[HALVES], rows, q, d * 4, k + whole * k_step, k_step, units, count - whole, rest, step, v)
    _soften(t, head, own, space, step, count, place, free)
    whole = count // matrix.KEYS * matrix.KEYS
    for row in range(rows):
        matrix.shorten(space + row * step, short + row * WIDE * 2, whole)
    for row in range(0, rows, 16):
        weights, out = short + row * WIDE * 2, own + row * d * 4
        for u in range(0, units, 2):
            if units - u >= 2:
                matrix.gather_2(weights, WIDE * 2, v + u * 64, v_step, whole, out + u * 128, d * 4, products)
            else:
                matrix.gather_1(weights, WIDE * 2, v + u * 64, v_step, whole, out + u * 128, d * 4, products)
    gather(t[HALVES], rows, space + whole * 4, step, v + whole * v_step, v_step, units, count - whole, own, d * 4, ahead)


@_called
def _soften(t, head, own, weights, step, count, place, free):  # type: ignore[no-untyped-def]
    """A chunk's scores become weights, and what was gathered before is brought to their scale."""
    rows, d = t[GROUP] * t[ROWS], t[UNITS] * tiles.UNIT
    softs = own + _rows(t) * d * 4
    width = (count + 15) // 16 * 16
    near = words(t[FULL], t[HEADS])[head] == 0 and place >= t[SINK]
    for row in range(rows):
        low, high = 0, count
        if not free:
            position = t[START] + row // t[GROUP]
            high = min(count, position + 1 - place)
            if near:
                low = max(0, position - t[WINDOW] + 1 - place)
        kept = tiles.soften(weights + row * step, low, high, width, softs + row * 64)
        if kept != 1:
            tiles.scale(own + row * d * 4, kept, d)


@_inlined
def _copy(t, head, row, keys, values, key, value, size):  # type: ignore[no-untyped-def]
    """One row of keys and one of values to where neighbours are, levels as the numbers they stand for."""
    source, other = keys + row * t[KEY_ROW], values + row * t[VALUE_ROW]
    if t[BITS]:
        place = head * t[SIZE_HEAD] + row * t[SIZE_ROW]
        _widen(t, source, t[KEY_SIZES] + place, key)
        _widen(t, other, t[VALUE_SIZES] + place, value)
    else:
        tiles.copy_row(source, key, size)
        tiles.copy_row(other, value, size)


@_inlined
def _widen(t, source, size, out):  # type: ignore[no-untyped-def]
    if t[HALVES]:
        if t[BITS] == 8:
            tiles.half_widen_bytes(source, size, out, t[UNITS])
        else:
            tiles.half_widen_nibbles(source, size, out, t[UNITS])
    elif t[BITS] == 8:
        tiles.widen_bytes(source, size, out, t[UNITS])
    else:
        tiles.widen_nibbles(source, size, out, t[UNITS])


@_called
def _step(t, head, own, space, k, k_step, v, v_step, count, place, free, ahead):  # type: ignore[no-untyped-def]
    """One chunk, by what this CPU has for it."""
    if t[MATRIX]:
        _wide_chunk(t, head, own, space, k, k_step, v, v_step, count, place, free, ahead)
    else:
        _chunk(t, head, own, space, k, k_step, v, v_step, count, place, free, ahead)


@_called
def _piece(t, number, space):  # type: ignore[no-untyped-def]
    """Walk the part of a head's segments that is the piece's."""
    piece = words(t[PIECES] + number * PIECE * 8, PIECE)
    segments, firsts = words(t[SEGMENTS], 1 << 40), words(t[FIRSTS], 1 << 40)
    head, skip, left = piece[0], piece[1], piece[2] - piece[1]
    rows, d, own = _rows(t), t[UNITS] * tiles.UNIT, t[OWN] + number * t[OWN_SIZE]
    tiles.clear(own, rows * d)
    for row in range(rows):
        state = floats(own + rows * d * 4 + row * 64, 2)
        state[0] = tiles.NEVER
        state[1] = 0.0
    size, bits, most = d * (2 if t[HALVES] else 4), t[BITS], WIDE if t[MATRIX] else CHUNK
    copies = space + (WIDE * (rows * 6 + 64) if t[MATRIX] else CHUNK * rows * 4)
    more = copies + most * size
    keys, values, filled = t[KEYS] + head * t[KEY_HEAD], t[VALUES] + head * t[VALUE_HEAD], 0
    alone, first = t[ROWS] == 1, some(0)
    for s in range(firsts[head], firsts[head + 1]):
        low, high = segments[2 * s] + skip, segments[2 * s + 1]
        if low >= high:
            skip = low - high
            continue
        skip = 0
        high = min(high, low + left)
        left -= high - low
        if t[ROWS] == 1 and (high - low < SHORT or bits):
            for row in range(low, high):
                _copy(t, head, row, keys, values, copies + filled * size, more + filled * size, size)
                filled += 1
                if filled == most:
                    _step(t, head, own, space, copies, size, more, size, filled, first, alone, copies)
                    filled = 0
        else:
            for row in range(low, high, most):
                count = min(most, high - row)
                if bits:
                    for i in range(count):
                        _copy(t, head, row + i, keys, values, copies + i * size, more + i * size, size)
                    _step(t, head, own, space, copies, size, more, size, count, row, alone, copies)
                    continue
                k, v = keys + row * t[KEY_ROW], values + row * t[VALUE_ROW]
                then = row + most
                if then >= high:
                    then = segments[2 * s + 2] if left and s + 1 < firsts[head + 1] else row
                ahead = keys + then * t[KEY_ROW]
                _step(t, head, own, space, k, t[KEY_ROW], v, t[VALUE_ROW], count, row, alone, ahead)
        if left == 0:
            break
    if filled:
        _step(t, head, own, space, copies, size, more, size, filled, first, alone, copies)


@_called
def work(at):  # type: ignore[no-untyped-def]
    """Take pieces until there are none left; as many threads as there are places to work in may do so at once."""
    t = words(at, WORDS)
    space = t[SPACE] + next_at(at + WORKERS * 8) * t[SPACE_SIZE]
    if t[MATRIX]:
        matrix.begin(t[MATRIX])
    number = next_at(at + NEXT * 8)
    while number < t[COUNT]:
        _piece(t, number, space)
        number = next_at(at + NEXT * 8)
    if t[MATRIX]:
        matrix.end(t[MATRIX])


@_called
def _pooled(t, head, row, place, most, total):  # type: ignore[no-untyped-def]
    """One key more that weighs as the many it stands for. What was gathered has the order of `compiled_tiles._pair`."""
    d, half = t[UNITS] * tiles.UNIT, tiles.UNIT // 2
    q = floats(t[TAKEN] + (head * t[GROUP] * t[ROWS] + row) * d * 4, d)
    key, value, found = floats(t[POOL_KEYS] + head * d * 4, d), floats(t[POOL_VALUES] + head * d * 4, d), floats(place, d)
    near, far = (2, 1) if t[HALVES] else (1, half)
    logit = np.float32(0.0)
    for u in range(0, d, tiles.UNIT):
        for i in range(half):
            logit += q[u + i] * key[u + near * i] + q[u + half + i] * key[u + near * i + far]
    logit = np.float32(logit + math.log(words(t[POOL_COUNTS], t[HEADS])[head]))
    high = max(most, logit)
    kept, factor = np.float32(math.exp(most - high)), np.float32(math.exp(logit - high))
    for u in range(0, d, tiles.UNIT):
        for i in range(half):
            found[u + i] = found[u + i] * kept + factor * value[u + near * i]
            found[u + half + i] = found[u + half + i] * kept + factor * value[u + near * i + far]
    return high, total * kept + factor


@_called
def finish(at):  # type: ignore[no-untyped-def]
    """Each row's answer: its pieces weighed by their sums, and the log of all sums."""
    t = words(at, WORDS)
    pieces, lses = words(t[PIECES], 1 << 40), floats(t[LSE], 1 << 40)
    rows, d = t[GROUP] * t[ROWS], t[UNITS] * tiles.UNIT
    softs = _rows(t) * d * 4
    size = d * (2 if t[HALVES] else 4)
    first = 0
    while first < t[COUNT]:
        head, end = pieces[PIECE * first], first + 1
        while end < t[COUNT] and pieces[PIECE * end] == head:
            end += 1
        for row in range(rows):
            mine = t[OWN] + first * t[OWN_SIZE]
            state, place = floats(mine + softs + row * 64, 2), mine + row * d * 4
            most, total = state[0], state[1]
            for other in range(first + 1, end):
                shift = (other - first) * t[OWN_SIZE]
                more = floats(mine + shift + softs + row * 64, 2)
                if more[1] > 0:
                    high = max(most, more[0])
                    kept, factor = np.float32(math.exp(most - high)), np.float32(math.exp(more[0] - high))
                    tiles.blend(place, kept, place + shift, factor, d)
                    most, total = high, total * kept + more[1] * factor
            if t[POOL_COUNTS] and words(t[POOL_COUNTS], t[HEADS])[head] > 0:
                most, total = _pooled(t, head, row, place, most, total)
            out = (head * t[GROUP] + row % t[GROUP]) * t[ROWS] + row // t[GROUP]
            factor = np.float32(1.0 / total if total > 0 else 0.0)
            lses[out] = most + math.log(total) if total > 0 else -math.inf
            if t[HALVES]:
                tiles.half_give(place, t[OUT] + out * size, t[UNITS], factor)
            else:
                tiles.give(place, t[OUT] + out * size, t[UNITS], factor)
        first = end
