"""One forward pass of up to 64 tokens over int8 weights, fused into a single compiled function: the CPU's decode step.

Knows arrays as `pack` lays them out. Does not know tokens' meaning, sampling, or who asks. Between two layers it reads the
cancel word. Row counts never change a number: see `tiles`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numba import njit, typeof
from numpy.typing import NDArray

from kernels.decode import tiles
from kernels.decode.pack import BLOCK, MOST_ROWS, TILE_ROWS, Floats, Memory, Packed, Scratch, Shape
from kernels.decode.vector import PRODUCTS

NARROW = PRODUCTS == "avx"
"""Sixteen registers of eight lanes: a tile of several rows and vectors would spill (prefill 30 ms instead of 22)."""
_compiled = njit(cache=True, nogil=True, boundscheck=False, error_model="numpy")
_inlined = njit(nogil=True, boundscheck=False, error_model="numpy")


@_inlined
def _product(x, stride, row_scales, rows, w, quads, corrections, scales, vectors, out, out_stride):  # type: ignore[no-untyped-def]
    """out [rows, 16 vectors] = x [rows, 4 quads] times the packed matrix, weights outermost: they are read once."""
    n = 0
    while n < vectors:
        take = 1
        if vectors - n >= 8 and rows == 1:
            take = 8
        elif vectors - n >= 4 and (rows == 1 or not NARROW):
            take = 4
        block, first, factor, place = w + n * quads * 64, corrections + n * 64, scales + n * 64, out + n * 64
        row = 0
        while row < rows:
            xr, sr, yr = x + row * stride, row_scales + row * 4, place + row * out_stride
            left = rows - row
            if left >= 6:
                if take == 4:
                    tiles.dots_6x4(block, xr, stride, quads, first, factor, sr, yr, out_stride)
                else:
                    tiles.dots_6x1(block, xr, stride, quads, first, factor, sr, yr, out_stride)
                row += 6
            elif left >= 4:
                if take == 4:
                    tiles.dots_4x4(block, xr, stride, quads, first, factor, sr, yr, out_stride)
                else:
                    tiles.dots_4x1(block, xr, stride, quads, first, factor, sr, yr, out_stride)
                row += 4
            elif left >= 2:
                if take == 4:
                    tiles.dots_2x4(block, xr, stride, quads, first, factor, sr, yr, out_stride)
                else:
                    tiles.dots_2x1(block, xr, stride, quads, first, factor, sr, yr, out_stride)
                row += 2
            else:
                if take == 8:
                    tiles.dots_1x8(block, xr, stride, quads, first, factor, sr, yr, out_stride)
                elif take == 4:
                    tiles.dots_1x4(block, xr, stride, quads, first, factor, sr, yr, out_stride)
                else:
                    tiles.dots_1x1(block, xr, stride, quads, first, factor, sr, yr, out_stride)
                row += 1
        n += take


@_inlined
def _sums(rows, left, left_stride, right, right_stride, count, out, out_stride, columns):  # type: ignore[no-untyped-def]
    """out [rows, columns] = left [rows, count] times right [count, columns], rows at most `TILE_ROWS`."""
    at = 0
    while at < columns:
        a, b = right + at * 4, out + at * 4
        if columns - at >= 64:
            if rows == 6:
                tiles.sums_6x4(left, left_stride, a, right_stride, count, b, out_stride)
            elif rows == 4:
                tiles.sums_4x4(left, left_stride, a, right_stride, count, b, out_stride)
            elif rows == 3:
                tiles.sums_3x4(left, left_stride, a, right_stride, count, b, out_stride)
            elif rows == 2:
                tiles.sums_2x4(left, left_stride, a, right_stride, count, b, out_stride)
            else:
                for r in range(rows):
                    tiles.sums_1x4(left + r * left_stride, 0, a, right_stride, count, b + r * out_stride, 0)
            at += 64
        else:
            for r in range(rows):
                tiles.sums_1x1(left + r * left_stride, 0, a, right_stride, count, b + r * out_stride, 0)
            at += 16


@_inlined
def _rotate(row, cos, sin, half):  # type: ignore[no-untyped-def]
    """Turn each pair (i, i + half) of one head by its position's angle (arXiv 2104.09864, in Llama's layout)."""
    for i in range(half):
        low, high = row[i], row[i + half]
        row[i] = low * cos[i] - high * sin[i]
        row[i + half] = high * cos[i] + low * sin[i]


@_inlined
def _attend(queries, group, start, keys, values, scores, mixed, rows, d):  # type: ignore[no-untyped-def]
    """One key-value head: queries [rows, d] (``group`` of them a token, the first at ``start``) -> mixed [rows, d]."""
    stride = scores.shape[1] * 4
    row = 0
    while row < rows:
        left = rows - row
        take = 6 if left >= 6 else (4 if left >= 4 else (3 if left == 3 else (2 if left == 2 else 1)))
        seen = start + (row + take - 1) // group + 1
        blocks = (seen + BLOCK - 1) // BLOCK
        for block in range(blocks):
            _sums(
                take,
                queries.ctypes.data + row * d * 4,
                d * 4,
                keys.ctypes.data + block * d * BLOCK * 4,
                BLOCK * 4,
                d,
                scores.ctypes.data + block * BLOCK * 4,
                stride,
                BLOCK,
            )
        for r in range(take):
            own = start + (row + r) // group + 1
            tiles.softmax(scores.ctypes.data + r * stride, own, blocks * BLOCK)
        place = mixed.ctypes.data + row * d * 4
        _sums(take, scores.ctypes.data, stride, values.ctypes.data, d * 4, seen, place, d * 4, d)
        row += take


@_inlined
def _matrix(line, weights, x, row_scales, rows, k, out, out_stride):  # type: ignore[no-untyped-def]
    """The product with the matrix that ``line`` of the plan describes."""
    at, row, count = line
    w, corrections, scales = weights
    _product(x, k, row_scales, rows, w + at, k // 4, corrections + row * 4, scales + row * 4, count // 16, out, out_stride)


@_inlined
def _embed(ids, x, line, block, scales):  # type: ignore[no-untyped-def]
    """Rows of the packed embedding, one a token, as floats."""
    quads = x.shape[1] // 4
    for t in range(len(ids)):
        base = line[0] + (ids[t] // 16) * quads * 64 + (ids[t] % 16) * 4
        size = scales[line[1] + ids[t]]
        for i in range(x.shape[1]):
            x[t, i] = block[base + (i // 4) * 64 + i % 4] * size


@_inlined
def _norm_quantize(x, weight, y, rows, room, row_scales, eps):  # type: ignore[no-untyped-def]
    """The normed rows of x as bytes and scales."""
    width = x.shape[1]
    for t in range(rows):
        tiles.rms_norm(x[t].ctypes.data, weight.ctypes.data, y[t].ctypes.data, width, eps)
        row_scales[t] = tiles.quantize(y[t].ctypes.data, room + t * width, width)


@_inlined
def _keep(heads, start, norms, eps, cos, sin, keys, values, turned):  # type: ignore[no-untyped-def]
    """Norm and turn queries and keys (the first ``turned`` heads), and write keys and values where they belong."""
    rows, _, d = heads.shape
    kv = values.shape[0]
    for t in range(rows):
        position = start + t
        for h in range(turned):
            head = heads[t, h]
            if len(norms):
                tiles.rms_norm(head.ctypes.data, norms[h].ctypes.data, head.ctypes.data, d, eps)
            _rotate(head, cos[position], sin[position], d // 2)
        for g in range(kv):
            for i in range(d):
                keys[g, position // BLOCK, i, position % BLOCK] = heads[t, turned - kv + g, i]
                values[g, position, i] = heads[t, turned + g, i]


@_inlined
def _mix(heads, low, start, queries, mixed, scores, keys, values, room, row_scales):  # type: ignore[no-untyped-def]
    """Attention of the rows from ``low`` on, as bytes and scales ready for the output's product."""
    rows, _, d = heads.shape
    kv = values.shape[0]
    group = queries.shape[1] // rows
    size = np.float32(1.0 / math.sqrt(d))
    active = rows - low
    for g in range(kv):
        for t in range(active):
            for h in range(group):
                for i in range(d):
                    queries[g, t * group + h, i] = heads[low + t, g * group + h, i] * size
        _attend(queries[g], group, start + low, keys[g], values[g], scores, mixed[g], active * group, d)
    width = kv * group * d
    for t in range(active):
        row = heads[t].reshape(-1)
        for g in range(kv):
            for h in range(group):
                for i in range(d):
                    row[(g * group + h) * d + i] = mixed[g, t * group + h, i]
        row_scales[t] = tiles.quantize(row.ctypes.data, room + t * width, width)


@_inlined
def _views(floats, offsets, numbers, rows):  # type: ignore[no-untyped-def]
    """The scratch memory, cut for this many rows."""
    width, heads, kv, d, hidden = numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]
    every, group = heads + 2 * kv, heads // kv
    return (
        floats[offsets[0] : offsets[0] + rows * width].reshape(rows, width),
        floats[offsets[1] : offsets[1] + rows * width].reshape(rows, width),
        floats[offsets[2] : offsets[2] + rows * every * d].reshape(rows, every, d),
        floats[offsets[3] : offsets[3] + rows * heads * d].reshape(kv, rows * group, d),
        floats[offsets[4] : offsets[4] + rows * heads * d].reshape(kv, rows * group, d),
        floats[offsets[5] : offsets[5] + rows * 2 * hidden].reshape(rows, 2 * hidden),
        floats[offsets[6] : offsets[7]].reshape(TILE_ROWS, numbers[7]),
        floats[offsets[7] :],
    )


@_compiled
def _pass(  # type: ignore[no-untyped-def]
    ids,
    start,
    wanted,
    numbers,
    eps,
    packed,
    norms,
    head_norms,
    last_norm,
    cos,
    sin,
    keys,
    values,
    floats,
    offsets,
    room,
    word,
    mine,
    logits,
):
    """Run ``ids`` behind ``start`` tokens; logits of the last ``wanted``. Returns the layers done; not all: cancelled."""
    layers, width, hidden = numbers[0], numbers[1], numbers[5]
    turned, mixed_width = numbers[2] + numbers[3], numbers[2] * numbers[4]
    rows, low = len(ids), 0
    block, corrections, scales, plan = packed
    x, y, heads, queries, mixed, pair, scores, sizes = _views(floats, offsets, numbers, rows)
    weights = (block.ctypes.data, corrections.ctypes.data, scales.ctypes.data)
    room_at, sizes_at, y_at = room.ctypes.data, sizes.ctypes.data, y.ctypes.data
    _embed(ids, x, plan[4 * layers], block, scales)
    for layer in range(layers):
        if word[0] == mine:
            return layer
        active = rows - low
        _norm_quantize(x, norms[layer, 0], y, rows, room_at, sizes, eps)
        _matrix(
            plan[4 * layer], weights, room_at, sizes_at, rows, width, heads.ctypes.data, heads.shape[1] * heads.shape[2] * 4
        )
        _keep(heads, start, head_norms[layer], eps, cos, sin, keys[layer], values[layer], turned)
        if layer == layers - 1:
            low = rows - wanted  # earlier rows were needed for their keys and values only
        active = rows - low
        _mix(heads, low, start, queries, mixed, scores, keys[layer], values[layer], room_at, sizes)
        _matrix(plan[4 * layer + 1], weights, room_at, sizes_at, active, mixed_width, y_at, width * 4)
        for t in range(active):
            for i in range(width):
                x[t, i] = x[low + t, i] + y[t, i]
        _norm_quantize(x, norms[layer, 1], y, active, room_at, sizes, eps)
        _matrix(plan[4 * layer + 2], weights, room_at, sizes_at, active, width, pair.ctypes.data, 2 * hidden * 4)
        for t in range(active):
            gate = pair[t].ctypes.data
            tiles.silu_times(gate, gate + hidden * 4, gate, hidden)
            sizes[t] = tiles.quantize(gate, room_at + t * hidden, hidden)
        _matrix(plan[4 * layer + 3], weights, room_at, sizes_at, active, hidden, y_at, width * 4)
        for t in range(active):
            for i in range(width):
                x[t, i] += y[t, i]
    _norm_quantize(x, last_norm, y, wanted, room_at, sizes, eps)
    _matrix(plan[4 * layers], weights, room_at, sizes_at, wanted, width, logits.ctypes.data, logits.shape[1] * 4)
    return layers + 1


def _arguments(packed: Packed, memory: Memory, scratch: Scratch, ids: NDArray[np.int64], start: int, wanted: int,
               word: NDArray[np.int64], mine: int, logits: Floats) -> tuple[object, ...]:  # fmt: skip
    """What `_pass` takes, in its order and with its types."""
    shape = packed.shape
    return (
        ids, start, wanted, shape.numbers(), np.float32(shape.eps), packed.block, packed.norms, packed.head_norms,
        packed.last_norm, packed.cos, packed.sin, memory.keys, memory.values, scratch.floats, scratch.offsets, scratch.bytes_,
        word, mine, logits,
    )  # fmt: skip


def is_compiled() -> bool:
    """Whether the machine code for this CPU is in numba's cache on disk: to compile takes 5 s, to load 0.2 s.

    Loads it when it is there.
    """
    if _pass.signatures:
        return True
    made = _pass._cache.load_overload(_signature(), _pass.targetctx)
    if made is None:
        return False
    _pass.add_overload(made)
    return True


def compile_now() -> None:
    """Compile for this CPU, unless it is done, and keep the machine code in numba's cache."""
    _pass.compile(_signature())


def _signature() -> tuple[object, ...]:
    shape = Shape(1, 16, 1, 1, 16, 16, 16, 16, 1e-6)
    block = (np.zeros(1, np.int8), np.zeros(1, np.int32), np.zeros(1, np.float32), np.zeros((5, 3), np.int64))
    stack, row, table = np.zeros((1, 2, 16), np.float32), np.zeros(16, np.float32), np.zeros((16, 8), np.float32)
    packed = Packed(shape, *block, stack, stack, row, table, table)
    given, logits = np.zeros(1, np.int64), np.zeros((1, 16), np.float32)
    return tuple(typeof(one) for one in _arguments(packed, Memory(shape), Scratch(shape), given, 0, 1, NEVER, -1, logits))


NEVER = np.zeros(1, np.int64)


def run(
    packed: Packed,
    memory: Memory,
    scratch: Scratch,
    ids: Sequence[int],
    start: int,
    wanted: int = 1,
    word: NDArray[np.int64] = NEVER,
    mine: int = -1,
) -> Floats | None:
    """Logits [wanted, V] of the last ``wanted`` of ``ids`` (1 to 64); keys and values go behind ``start`` tokens of ``memory``.

    None when ``word[0]`` became ``mine``, which is read before every layer. Raises ValueError for ids that do not fit.
    """
    shape = packed.shape
    given = np.asarray(ids, np.int64)
    if not 1 <= wanted <= len(given) <= MOST_ROWS or start < 0 or start + len(given) > shape.context:
        raise ValueError(
            f"{len(given)} tokens behind {start}, {wanted} wanted: a pass takes 1 to {MOST_ROWS}, the context {shape.context}"
        )
    if given.min() < 0 or given.max() >= shape.vocabulary:
        raise ValueError(f"token ids must lie in 0 .. {shape.vocabulary - 1}")
    logits = np.empty((wanted, int(packed.plan[-1, 2])), np.float32)
    done = _pass(*_arguments(packed, memory, scratch, given, start, wanted, word, mine, logits))
    return logits[:, : shape.vocabulary] if done > shape.layers else None
