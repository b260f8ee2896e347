"""Attention of a pass: some query rows against keys and values of half precision, read block by block.

Knows addresses. Every row's sums are in the order of its keys, whatever rows share a tile or a stripe and whoever computes
which part, so that neither the number of rows nor that of threads changes a bit.
"""

from __future__ import annotations

from numba import njit

from kernels.decode import team, tiles
from kernels.decode.pack import BLOCK, TILE_ROWS
from kernels.decode.products import number

_options = {"nogil": True, "boundscheck": False, "error_model": "numpy"}
_inlined, _called = njit(inline="always", **_options), njit(**_options)


@_inlined
def share(count, unit, part, parts):  # type: ignore[no-untyped-def]
    """From where to where one of ``parts`` goes when ``count`` is divided in whole units."""
    if count % unit:
        unit = 1
    units = count // unit
    return units * part // parts * unit, units * (part + 1) // parts * unit


@_inlined
def _floats(rows, columns, left, left_stride, right, right_stride, count, start, start_stride, out, out_stride):  # type: ignore[no-untyped-def]
    """`tiles._sums` of one block of columns, ``right`` as floats."""
    if columns == 4:
        if rows == 6:
            tiles.sums_6x4(left, left_stride, right, right_stride, count, start, start_stride, out, out_stride)
        elif rows == 4:
            tiles.sums_4x4(left, left_stride, right, right_stride, count, start, start_stride, out, out_stride)
        elif rows == 3:
            tiles.sums_3x4(left, left_stride, right, right_stride, count, start, start_stride, out, out_stride)
        elif rows == 2:
            tiles.sums_2x4(left, left_stride, right, right_stride, count, start, start_stride, out, out_stride)
        else:
            tiles.sums_1x4(left, left_stride, right, right_stride, count, start, start_stride, out, out_stride)
    elif columns == 2:
        if rows == 6:
            tiles.sums_6x2(left, left_stride, right, right_stride, count, start, start_stride, out, out_stride)
        elif rows == 4:
            tiles.sums_4x2(left, left_stride, right, right_stride, count, start, start_stride, out, out_stride)
        elif rows == 3:
            tiles.sums_3x2(left, left_stride, right, right_stride, count, start, start_stride, out, out_stride)
        elif rows == 2:
            tiles.sums_2x2(left, left_stride, right, right_stride, count, start, start_stride, out, out_stride)
        else:
            tiles.sums_1x2(left, left_stride, right, right_stride, count, start, start_stride, out, out_stride)
    else:
        for r in range(rows):
            a, b, c = left + r * left_stride, start + r * start_stride, out + r * out_stride
            tiles.sums_1x1(a, 0, right, right_stride, count, b, 0, c, 0)


@_inlined
def _halves(rows, columns, left, left_stride, right, right_stride, count, start, start_stride, out, out_stride):  # type: ignore[no-untyped-def]
    """The same, ``right`` of half precision."""
    if columns == 4:
        if rows == 6:
            tiles.halves_6x4(left, left_stride, right, right_stride, count, start, start_stride, out, out_stride)
        elif rows == 4:
            tiles.halves_4x4(left, left_stride, right, right_stride, count, start, start_stride, out, out_stride)
        elif rows == 3:
            tiles.halves_3x4(left, left_stride, right, right_stride, count, start, start_stride, out, out_stride)
        elif rows == 2:
            tiles.halves_2x4(left, left_stride, right, right_stride, count, start, start_stride, out, out_stride)
        else:
            tiles.halves_1x4(left, left_stride, right, right_stride, count, start, start_stride, out, out_stride)
    elif columns == 2:
        if rows == 6:
            tiles.halves_6x2(left, left_stride, right, right_stride, count, start, start_stride, out, out_stride)
        elif rows == 4:
            tiles.halves_4x2(left, left_stride, right, right_stride, count, start, start_stride, out, out_stride)
        elif rows == 3:
            tiles.halves_3x2(left, left_stride, right, right_stride, count, start, start_stride, out, out_stride)
        elif rows == 2:
            tiles.halves_2x2(left, left_stride, right, right_stride, count, start, start_stride, out, out_stride)
        else:
            tiles.halves_1x2(left, left_stride, right, right_stride, count, start, start_stride, out, out_stride)
    else:
        for r in range(rows):
            a, b, c = left + r * left_stride, start + r * start_stride, out + r * out_stride
            tiles.halves_1x1(a, 0, right, right_stride, count, b, 0, c, 0)


@_called
def _sums(wide, rows, vectors, left, left_stride, right, right_stride, count, start, start_stride, out, out_stride):  # type: ignore[no-untyped-def]
    """out [rows, 16 vectors] = start + left [rows, count] times right [count, 16 vectors], rows at most `TILE_ROWS`."""
    n = 0
    while n < vectors:
        take = 4 if vectors - n >= 4 else (2 if vectors - n >= 2 else 1)
        a, c = start + n * 64 * (start_stride != 0), out + n * 64
        if wide:
            _floats(rows, take, left, left_stride, right + n * 64, right_stride, count, a, start_stride, c, out_stride)
        else:
            _halves(rows, take, left, left_stride, right + n * 32, right_stride, count, a, start_stride, c, out_stride)
        n += take


@_inlined
def _tile(left):  # type: ignore[no-untyped-def]
    """Rows of the next tile."""
    return TILE_ROWS if left >= 6 else (4 if left >= 4 else left)


@_inlined
def _score(queries, rows, group, start, d, keys, low, high, scores, length, expand, nothing):  # type: ignore[no-untyped-def]
    """Scores [rows, length] against the key blocks from ``low`` to ``high``; ``start`` is the first row's token."""
    wide = rows > TILE_ROWS
    for block in range(low, high):
        right = keys + block * d * BLOCK * 2
        if wide:
            tiles.widen(right, expand, d * BLOCK)
            right = expand
        row = 0
        while row < rows:
            take = _tile(rows - row)
            if block * BLOCK <= start + (row + take - 1) // group:
                out = scores + (row * length + block * BLOCK) * 4
                left, stride = queries + row * d * 4, BLOCK * 4 if wide else BLOCK * 2
                _sums(wide, take, number(4), left, d * 4, right, stride, d, nothing, number(0), out, length * 4)
            row += take


@_inlined
def _weigh(rows, group, start, scores, length, rank, ranks):  # type: ignore[no-untyped-def]
    """Softmax of this rank's rows, with zeros as far as any row of their tile looks."""
    row = 0
    while row < rows:
        take = _tile(rows - row)
        width = (start + (row + take - 1) // group) // 16 * 16 + 16
        for r in range(row, row + take):
            if r % ranks == rank:
                tiles.softmax(scores + r * length * 4, start + r // group + 1, width)
        row += take


@_inlined
def _gather(rows, group, start, d, low, high, values, scores, length, out, expand, nothing):  # type: ignore[no-untyped-def]
    """out [rows, d], the columns of the vectors from ``low`` to ``high``: the values by their weights."""
    wide = rows > TILE_ROWS
    blocks = (start + (rows - 1) // group) // BLOCK + 1
    row = 0
    if not wide:
        while row < rows:
            take = _tile(rows - row)
            seen = start + (row + take - 1) // group + 1
            right, place = values + low * 32, out + row * d * 4 + low * 64
            left = scores + row * length * 4
            _sums(wide, take, high - low, left, length * 4, right, d * 2, seen, nothing, number(0), place, d * 4)
            row += take
        return
    for block in range(blocks):
        tiles.widen(values + block * BLOCK * d * 2, expand, d * BLOCK)
        row = 0
        while row < rows:
            take = _tile(rows - row)
            count = min(BLOCK, start + (row + take - 1) // group + 1 - block * BLOCK)
            if count > 0:
                place = out + row * d * 4 + low * 64
                before, step = (place, d * 4) if block else (nothing, 0)
                left = scores + (row * length + block * BLOCK) * 4
                _sums(wide, take, high - low, left, length * 4, expand + low * 64, d * 4, count, before, step, place, d * 4)
            row += take


@_inlined
def attend(queries, rows, group, start, d, keys, values, scores, stripe, length, out, expand, nothing, lines, rank, ranks, at):  # type: ignore[no-untyped-def]
    """One key-value head: queries [rows, d], ``group`` of them a token, the first at ``start`` -> out [rows, d].

    Each rank has blocks of keys, then rows, then columns of the values. Returns the last meeting's number.
    """
    blocks = (start + (rows - 1) // group) // BLOCK + 1
    low, high = share(blocks, 1, rank, ranks)
    left, right = share(d // 16, 1, rank, ranks)
    row = 0
    while row < rows:
        take = min(stripe, rows - row)
        first = start + row // group  # a stripe begins at a whole token
        last = min(high, (first + (take - 1) // group) // BLOCK + 1)
        _score(queries + row * d * 4, take, group, first, d, keys, low, last, scores, length, expand, nothing)
        team.meet(lines, rank, ranks, at + 1)
        _weigh(take, group, first, scores, length, rank, ranks)
        team.meet(lines, rank, ranks, at + 2)
        if right > left:
            _gather(take, group, first, d, left, right, values, scores, length, out + row * d * 4, expand, nothing)
        team.meet(lines, rank, ranks, at + 3)  # the scores are about to be overwritten
        at += 3 * (ranks > 1)
        row += take
    return at
