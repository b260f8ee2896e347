"""The vote of query heads by softmax over keys or summaries, as compiled code: any number of query rows, shared by threads.

Knows the table that `kernels.select.compiled` fills in, and addresses; contract as in `kernels.select.reference`. Some rows of
a key head go together: what they ask is read once for all, and their logits stay in the nearer caches until heads and parts
are added up. A row's votes are the same to the last bit whoever asks beside it: no sum depends on where a row or a key stands.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from kernels.attention import compiled_matrix as matrix
from kernels.attention import compiled_tiles as tiles
from kernels.attention import compiled_vote_tiles as more
from kernels.attention.compiled_products import next_at, scores
from kernels.decode.products import floats, words

HALVES, ROWS, KV_HEADS, GROUP, UNITS, QUERIES, QUERY_ROW, QUERY_HEAD = range(8)
KEYS, KEY_HEAD, KEY_ROW, COUNT, LOW, HIGH, OUT, SPACE, SCALE = range(8, 17)
PARTS, MATRIX, DIVIDED, TOGETHER, SPACE_SIZE, NEXT, WORKERS = range(17, 24)
WORDS = 24
"""Words of the table; strides in bytes. ``TOGETHER``: query rows that go together; ``PARTS`` keys' votes are added.
``DIVIDED``: keys are `compiled_vote_tiles.divide`'s, and the queries, which are float32, become so.
"""
WIDE, NEAREST = 64, 1 << 14
"""Keys of a chunk at most, and its bytes: they stay in the nearest cache while all rows ask them. Float32 summaries of 256
numbers by sixty-four instead of sixteen took 60 us a row instead of 48 (sixteen rows together, 3,072 summaries a head).
"""
LOGITS, MOST_LOGITS = 1 << 22, 1 << 25
"""Bytes of logits that may wait for their sums: about what a core finds in its caches, or, where keys are many, what it takes
to fill whole tiles (131,072 keys in bfloat16: 3.5 ms a row instead of 5.3).
"""
COLUMNS, HALF_COLUMNS = 192, 96
"""Queries (rows times heads) that go together at most, of float32 and of bfloat16: with more of them keys are read and divided
less often, with fewer the logits stay nearer.
"""
_options = {"nogil": True, "boundscheck": False, "error_model": "numpy"}
_inlined, _called = njit(inline="always", **_options), njit(**_options)


def together(rows: int, group: int, count: int, halves: bool) -> int:
    """Rows that go together: as many as fill whole tiles, where there are so many."""
    each, whole = 4 * _pitch(count) * group, matrix.SIDE // math.gcd(group, matrix.SIDE)
    most = min(LOGITS // each, (HALF_COLUMNS if halves else COLUMNS) // group) // whole * whole
    return max(1, min(rows, most or min(whole, MOST_LOGITS // each)))


def _pitch(count: int) -> int:
    """Floats between two rows of logits: never a whole page, whose lines would all want the same place in a cache."""
    return -(-count // 16) * 16 + 16


def space(rows: int, group: int, d: int, count: int) -> int:
    """Bytes a thread works in, where ``rows`` go together: laid out queries, one divided, keys, products, logits."""
    columns = -(-rows * group // 16) * 16
    sizes = columns * d + d + WIDE * d + 4 * WIDE * 16 + columns * _pitch(count)
    return (4 * sizes + 127) // 64 * 64


@_called
def vote(at):  # type: ignore[no-untyped-def]
    """OUT [S, KV, COUNT / PARTS]: the group's votes by softmax between LOW and HIGH added up, -inf outside.

    As many threads as there are places to work in may do so at once.
    """
    t = words(at, WORDS)
    place = t[SPACE] + next_at(at + WORKERS * 8) * t[SPACE_SIZE]
    pieces = (t[ROWS] + t[TOGETHER] - 1) // t[TOGETHER]
    if t[MATRIX]:
        matrix.begin(t[MATRIX])
    number = next_at(at + NEXT * 8)
    while number < pieces * t[KV_HEADS]:
        first = number % pieces * t[TOGETHER]
        _piece(t, floats(at + SCALE * 8, 1)[0], number // pieces, first, min(t[ROWS], first + t[TOGETHER]), place)
        number = next_at(at + NEXT * 8)
    if t[MATRIX]:
        matrix.end(t[MATRIX])


@_called
def _piece(t, scale, head, first, end, place):  # type: ignore[no-untyped-def]
    """The votes of some rows on a head's keys."""
    lows, highs, width = words(t[LOW], t[ROWS]), words(t[HIGH], t[ROWS]), t[COUNT] // t[PARTS]
    low, high = t[COUNT], 0
    for row in range(first, end):
        if highs[row] > lows[row]:
            low, high = min(low, lows[row]), max(high, highs[row])
    low, high = max(0, low) // 16 * 16, min(high, t[COUNT])
    if low >= high:
        for row in range(first, end):
            _hide(floats(t[OUT] + (row * t[KV_HEADS] + head) * width * 4, width), 0, width)
        return
    columns, d, pitch = (end - first) * t[GROUP], t[UNITS] * tiles.UNIT, ((t[COUNT] + 15) // 16 * 16 + 16) * 4
    tall = (columns + 15) // 16 * 16
    chunk = place + (tall + 1) * d * 4
    logits = chunk + WIDE * (d + 64) * 4
    wide = min(WIDE, max(16, NEAREST // (d * (2 if t[HALVES] else 4)) // 16 * 16))
    if t[MATRIX]:
        _lay_out(t, head, first, end, place, chunk)
    else:
        _take(t, scale, head, first, end, place)
    for start in range(low, high, wide):
        many = min(wide, (high - start + 15) // 16 * 16)
        _chunk(t, head, start, many, columns, place, chunk, logits + (start - low) * 4, pitch)
    for row in range(first, end):
        mine = logits + (row - first) * t[GROUP] * pitch
        out = t[OUT] + (row * t[KV_HEADS] + head) * width * 4
        _cast(t, max(0, lows[row]), min(t[COUNT], highs[row]), mine - low * 4, pitch, chunk, out)


@_inlined
def _take(t, scale, head, first, end, place):  # type: ignore[no-untyped-def]
    """The queries as floats, scaled, [rows * group, d]."""
    d = t[UNITS] * tiles.UNIT
    for row in range(first, end):
        for g in range(t[GROUP]):
            source = t[QUERIES] + row * t[QUERY_ROW] + (head * t[GROUP] + g) * t[QUERY_HEAD]
            out = place + ((row - first) * t[GROUP] + g) * d * 4
            if t[HALVES]:
                tiles.half_take(source, out, t[UNITS], scale)
            else:
                tiles.take(source, out, t[UNITS], scale)


@_inlined
def _lay_out(t, head, first, end, place, one):  # type: ignore[no-untyped-def]
    """Each query as a column of its tiles [units][16 pairs][16 columns], unscaled; divided ones as twice as many units."""
    pairs = t[UNITS] * (tiles.UNIT // 2) * (2 if t[DIVIDED] else 1)
    for row in range(first, end):
        for g in range(t[GROUP]):
            source = t[QUERIES] + row * t[QUERY_ROW] + (head * t[GROUP] + g) * t[QUERY_HEAD]
            if t[DIVIDED]:
                more.divide(source, one, t[UNITS])
                source = one
            column = (row - first) * t[GROUP] + g
            given, laid = floats(source, pairs), floats(place + column // 16 * 16 * pairs * 4, 16 * pairs)
            for i in range(pairs):
                laid[16 * i + column % 16] = given[i]


@_called
def _chunk(t, head, start, many, columns, place, chunk, logits, pitch):  # type: ignore[no-untyped-def]
    """Logits of ``many`` keys, a multiple of sixteen; those behind the last key are anything."""
    units, d, size = t[UNITS], t[UNITS] * tiles.UNIT, t[UNITS] * tiles.UNIT * (2 if t[HALVES] else 4)
    keys, step = t[KEYS] + head * t[KEY_HEAD] + start * t[KEY_ROW], t[KEY_ROW]
    if start + many > t[COUNT]:
        for i in range(t[COUNT] - start):
            tiles.copy_row(keys + i * step, chunk + i * size, size)
        keys, step = chunk, size
    if not t[MATRIX]:
        scores(t[HALVES], columns, place, d * 4, keys, step, units, many, logits, pitch, keys + many * step)
        return
    products, line = chunk + WIDE * d * 4, many * 64
    other = products + 2 * WIDE * 64
    for column in range(0, columns, 32):
        laid, two = place + column * size, columns - column > 16
        if t[DIVIDED]:
            if two:
                more.divided_2(laid, keys, step, units, many, products, line)
            else:
                more.divided_1(laid, keys, step, units, many, products, line)
        elif two:
            more.scores_2(laid, keys, step, units, many, products, line)
        else:
            more.scores_1(laid, keys, step, units, many, products, line)
        if column:  # what was stored before is turned while the unit multiplies
            _turn(t, other, column - 32, columns, many, logits, pitch)
        products, other = other, products
    _turn(t, other, (columns - 1) // 32 * 32, columns, many, logits, pitch)


@_inlined
def _turn(t, products, first, columns, many, logits, pitch):  # type: ignore[no-untyped-def]
    """Two tiles' products [2, many, 16] as rows of logits."""
    for half in range(first, min(first + 32, columns), 8):
        place = products + (half - first) // 16 * many * 64 + half % 16 * 4
        matrix.turn(place, many, t[SCALE], logits + half * pitch, pitch)


@_inlined
def _hide(found, low, high):  # type: ignore[no-untyped-def]
    for i in range(low, high):
        found[i] = np.float32(-math.inf)


@_called
def _cast(t, low, high, logits, pitch, place, out):  # type: ignore[no-untyped-def]
    """One row's votes, ``logits`` being where key 0's would stand: heads and then parts are added."""
    group, parts, begin = t[GROUP], t[PARTS], low // 16 * 16
    first, end, blocks = (low + parts - 1) // parts, high // parts, t[COUNT] // parts
    found = floats(out, blocks)
    if end <= first:
        _hide(found, 0, blocks)
        return
    width, shares = (high - begin + 15) // 16 * 16, floats(place, group)
    for g in range(group):
        mine = floats(logits + g * pitch, begin + width)
        for i in range(begin, low):
            mine[i] = tiles.NEVER
        for i in range(high, begin + width):
            mine[i] = tiles.NEVER
        shares[g] = np.float32(1.0) / more.weigh(logits + g * pitch + begin * 4, width)
    more.join(logits + begin * 4, pitch, group, place, width, logits + begin * 4)
    votes = floats(logits, high)
    _hide(found, 0, first)
    if parts == 1:
        for block in range(first, end):
            found[block] = votes[block]
    elif parts == 2:
        for block in range(first, end):
            found[block] = votes[2 * block] + votes[2 * block + 1]
    else:
        for block in range(first, end):
            total = np.float32(0.0)
            for i in range(parts):
                total += votes[parts * block + i]
            found[block] = total
    _hide(found, end, blocks)
