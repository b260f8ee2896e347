"""One forward pass of up to 64 tokens over int8 weights, fused into a single compiled function: the CPU's decode step.

Knows arrays as `pack` lays them out. Does not know tokens' meaning, sampling, or who asks. Between two layers it reads the
cancel word. Neither the number of rows nor that of threads changes a number: see `tiles` and `attend`.

Few rows are divided by columns: each thread computes its part of every product's outputs, and all meet before the next.
Many rows are divided among the threads; they meet once a layer, when the keys are written.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from kernels.decode import team, tiles
from kernels.decode.attend import attend, share
from kernels.decode.pack import BLOCK, MOST_ROWS
from kernels.decode.products import floats, number, product, words

(
    LAYERS, WIDTH, HEADS, KV, DIM, HIDDEN, VOCABULARY, LENGTH,
    MATRICES, CORRECTIONS, SCALES, PLAN, NORMS, HEAD_NORMS, NORMED_HEADS, LAST_NORM, COS, SIN, EPS,
    STRIPE, WHOLE, LINES, NOTHING,
    SPLIT, MIXED, PROJECTED, PAIR, HANDED,  # for all threads
    OWN, OWN_STRIDE, NORMED, QUERIES, ATTENDED, SCORED, EXPANDED, SIZES, HALVES, ROOM, ROOM_STRIDE,  # of each thread
    KEYS, VALUES, IDS, WORD, LOGITS, ROWS, START, WANTED, MINE, HELPERS, GENERATION,  # of each pass
    LEAVING, DEPTH, RANKS, LEFT, TABLE,
) = range(55)  # fmt: skip
"""Places in the table of numbers and addresses that all threads of a pass read."""
_options: dict[str, Any] = {"nogil": True, "boundscheck": False, "error_model": "numpy"}
_compiled, _inlined, _called = njit(cache=True, **_options), njit(inline="always", **_options), njit(**_options)
"""Inlined are those that have one place: numba does it before it infers types, and with all of them it took 15 s, not 8."""


@_called
def _matrix(table, line, x, row_scales, rows, k, low, high, out, out_stride):  # type: ignore[no-untyped-def]
    """The product with the vectors from ``low`` to ``high`` of the matrix that line ``line`` of the plan describes."""
    at, row = words(table[PLAN] + line * 24, 2)
    quads = k // 4
    w, first = table[MATRICES] + at + low * quads * 64, (row + low * 16) * 4
    corrections, scales = table[CORRECTIONS] + first, table[SCALES] + first
    product(x, k, row_scales, rows, w, quads, corrections, scales, high - low, out + low * 64, out_stride)


@_inlined
def _embed(table, x, first, last):  # type: ignore[no-untyped-def]
    """Rows of the packed embedding, one a token, as floats."""
    width = table[WIDTH]
    at, row = words(table[PLAN] + 4 * table[LAYERS] * 24, 2)
    ids = words(table[IDS], last)
    for t in range(first, last):
        base = table[MATRICES] + at + (ids[t] // 16) * width * 16 + (ids[t] % 16) * 4
        tiles.spread(base, x + t * width * 4, width // 4, floats(table[SCALES] + (row + ids[t]) * 4, 1)[0])


@_inlined
def _norm_quantize(table, x, weight, normed, room, sizes, first, last):  # type: ignore[no-untyped-def]
    """The normed rows of x as bytes and scales."""
    width, eps = table[WIDTH], floats(table[EPS], 1)[0]
    scale = floats(sizes, last)
    for t in range(first, last):
        y = normed + t * width * 4
        tiles.rms_norm(x + t * width * 4, weight, y, width, eps)
        scale[t] = tiles.quantize(y, room + t * width, width)


@_called
def _turn(table, layer, source, head, position, out, size):  # type: ignore[no-untyped-def]
    """One head, normed, turned by its position's angles and scaled."""
    d = table[DIM]
    half, given = d // 2, source
    if table[NORMED_HEADS]:
        weight = table[HEAD_NORMS] + (layer * (table[HEADS] + table[KV]) + head) * d * 4
        tiles.rms_norm(source, weight, out, d, floats(table[EPS], 1)[0])
        given = out
    angle = position * half * 4
    tiles.turn(given, table[COS] + angle, table[SIN] + angle, out, half, size)


@_called
def _keep(table, layer, own, first, last, g, blocks, columns):  # type: ignore[no-untyped-def]
    """Write the rows' keys and values of one head where they belong, in the given key blocks and columns of values."""
    d, heads, kv = table[DIM], table[HEADS], table[KV]
    every, length = heads + 2 * kv, table[LENGTH]
    out, halves = own + table[QUERIES], own + table[HALVES]
    at = (layer * kv + g) * length * d * 2
    for t in range(first, last):
        position = table[START] + t
        row = table[SPLIT] + t * every * d * 4
        block = position // BLOCK
        if blocks[0] <= block < blocks[1]:
            _turn(table, layer, row + (heads + g) * d * 4, heads + g, position, out, np.float32(1.0))
            tiles.narrow(out, halves, d)
            tiles.scatter(halves, table[KEYS] + at + (block * BLOCK * d + position % BLOCK) * 2, d, BLOCK * 2)
        low, high = columns
        if high > low:
            value = row + (heads + kv + g) * d * 4
            tiles.narrow(value + low * 64, table[VALUES] + at + (position * d + low * 16) * 2, (high - low) * 16)


@_inlined
def _queries(table, layer, own, first, last, g):  # type: ignore[no-untyped-def]
    """The rows' queries of one key-value head, by tokens: normed, turned and scaled. Returns where they are."""
    d, heads, kv = table[DIM], table[HEADS], table[KV]
    group = heads // kv
    size = np.float32(1.0 / math.sqrt(d))
    out = own + table[QUERIES] + g * MOST_ROWS * group * d * 4
    for t in range(first, last):
        row = table[SPLIT] + t * (heads + 2 * kv) * d * 4
        for h in range(group):
            head = g * group + h
            _turn(table, layer, row + head * d * 4, head, table[START] + t, out + ((t - first) * group + h) * d * 4, size)
    return out


@_inlined
def _put(table, attended, first, last, g, columns):  # type: ignore[no-untyped-def]
    """What was attended of one key-value head, by tokens, into the rows that the next product reads."""
    d, heads, kv = table[DIM], table[HEADS], table[KV]
    group = heads // kv
    low, count = columns[0] * 64, (columns[1] - columns[0]) * 16
    for t in range(first, last):
        for h in range(group):
            source = attended + ((t - first) * group + h) * d * 4 + low
            tiles.copy(source, table[MIXED] + (t * heads + g * group + h) * d * 4 + low, count)


@_called
def _attend(table, layer, own, first, last, written, rank, ranks, at):  # type: ignore[no-untyped-def]
    """Attention of some rows; all rows' keys and values first where nobody has written them. Returns the last meeting."""
    d, kv, length = table[DIM], table[KV], table[LENGTH]
    group, start = table[HEADS] // kv, table[START] + first
    attended, rows = own + table[ATTENDED], (last - first) * group
    split = ranks > 1 and kv % ranks != 0  # all work on each head, or else each on some
    part, parts, scores = (rank, ranks, table[OWN] + table[SCORED]) if split else (0, 1, own + table[SCORED])
    blocks = share((table[START] + last - 1) // BLOCK + 1, 1, part, parts)
    columns = share(d // 16, 1, part, parts)
    for g in range(kv):
        if split or g % ranks == rank:
            place = (layer * kv + g) * length * d * 2
            if not written:
                _keep(table, layer, own, number(0), last, g, blocks, columns)
            queries = _queries(table, layer, own, first, last, g)
            at = attend(
                queries, rows, group, start, d, table[KEYS] + place, table[VALUES] + place, scores, table[STRIPE], length,
                attended, own + table[EXPANDED], table[NOTHING], table[LINES], part, parts, at,
            )  # fmt: skip
            _put(table, attended, first, last, g, columns)
    return at


@_inlined
def _layer(table, layer, own, room, first, last, rank, ranks, at):  # type: ignore[no-untyped-def]
    """What follows attention in a layer, for some rows and this rank's columns. Returns the last meeting's number."""
    width, hidden, lines = table[WIDTH], table[HIDDEN], table[LINES]
    x, normed, sizes = own, own + table[NORMED], own + table[SIZES]
    mixed, rows, unit = table[HEADS] * table[DIM], last - first, 2 if last - first == 1 else 4
    scale = floats(sizes, last)
    for t in range(first, last):
        scale[t] = tiles.quantize(table[MIXED] + t * mixed * 4, room + t * mixed, mixed)
    low, high = share(width // 16, unit, rank, ranks)
    out, by = table[PROJECTED] + first * width * 4, sizes + first * 4
    _matrix(table, 4 * layer + 1, room + first * mixed, by, rows, mixed, low, high, out, width * 4)
    team.meet(lines, rank, ranks, at + 1)
    tiles.add(table[PROJECTED] + first * width * 4, x + first * width * 4, rows * width)
    _norm_quantize(table, x, table[NORMS] + (2 * layer + 1) * width * 4, normed, room, sizes, first, last)
    part, end = share(hidden // 16, unit, rank, ranks)
    pair, given = table[PAIR] + first * hidden * 8, room + first * width
    for half in range(1 if ranks == 1 else 2):  # gate and up, each rank its part of both
        start, stop = half * (hidden // 16) + part, (hidden // 8 if ranks == 1 else half * (hidden // 16) + end)
        _matrix(table, 4 * layer + 2, given, by, rows, width, start, stop, pair, hidden * 8)
    for t in range(first, last):
        gate = table[PAIR] + t * hidden * 8 + part * 64
        tiles.silu_times(gate, gate + hidden * 4, gate, (end - part) * 16)
    team.meet(lines, rank, ranks, at + 2)
    for t in range(first, last):
        scale[t] = tiles.quantize(table[PAIR] + t * hidden * 8, room + t * hidden, hidden)
    _matrix(table, 4 * layer + 3, room + first * hidden, by, rows, hidden, low, high, out, width * 4)
    team.meet(lines, rank, ranks, at + 3)
    tiles.add(table[PROJECTED] + first * width * 4, x + first * width * 4, rows * width)
    return at + 3


@_called
def _leaves(table, layer, own):  # type: ignore[no-untyped-def]
    """Whether the controller of this layer says that no later one will say anything else of the pass' only row."""
    width, normed, scores = table[WIDTH], own + table[NORMED], own + table[ATTENDED]
    at = table[LEAVING] + layer * (width + 2) * 64  # [width, 16] weights, [16] biases, [16] the threshold
    least = floats(at + (width + 1) * 64, 1)[0]
    if least >= 1.0:
        return False
    tiles.rms_norm(own, table[LAST_NORM], normed, width, floats(table[EPS], 1)[0])
    tiles.sums_1x1(normed, 0, at, 64, width, at + width * 64, 0, scores, 0)
    stop, leave, go_on = floats(scores, 3)
    return 1.0 / (1.0 + math.exp(stop - leave) + math.exp(go_on - leave)) >= least


@_called
def _fill(table, layer, own, room, rank, ranks, at):  # type: ignore[no-untyped-def]
    """Keys and values of a layer that the pass' only row does not run: what its stream gives there."""
    width, every = table[WIDTH], (table[HEADS] + 2 * table[KV]) * table[DIM]
    sizes = own + table[SIZES]
    _norm_quantize(table, own, table[NORMS] + 2 * layer * width * 4, own + table[NORMED], room, sizes, 0, 1)
    left, right = share(every // 16, 2, rank, ranks)
    _matrix(table, 4 * layer, room, sizes, number(1), width, left, right, table[SPLIT], every * 4)
    team.meet(table[LINES], rank, ranks, at + 1)
    if rank == 0:
        for g in range(table[KV]):
            _keep(table, layer, own, rank, rank + 1, g, share(table[LENGTH], 1, 0, 1), share(table[DIM] // 16, 1, 0, 1))
    team.meet(table[LINES], rank, ranks, at + 2)
    return at + 2


@_inlined
def _work(table, slot, rank, ranks):  # type: ignore[no-untyped-def]
    """This rank's part of a pass, in its slot's memory. Returns the layers done; not all: cancelled."""
    layers, width, rows, lines = table[LAYERS], table[WIDTH], table[ROWS], table[LINES]
    depth = table[DEPTH]  # layers of this pass: all, or as many as an exit has
    every = (table[HEADS] + 2 * table[KV]) * table[DIM]
    own, room = table[OWN] + slot * table[OWN_STRIDE], table[ROOM] + slot * table[ROOM_STRIDE]
    normed, sizes, low = own + table[NORMED], own + table[SIZES], 0
    at = table[GENERATION] << 24
    whole = ranks == 1 or rows >= table[WHOLE]  # each rank has rows of its own, all columns
    first, last = share(rows, 1, rank, ranks) if whole else (0, rows)
    part, parts = (0, 1) if whole else (rank, ranks)
    _embed(table, own, first, last)
    left_after = layers
    for layer in range(depth):
        if layer > left_after:
            at = _fill(table, layer, own, room, rank, ranks, at)
            continue
        if rank == 0 and team.load(table[WORD]) == table[MINE]:
            team.store(lines + team.STOPPED, at + 1)
        _norm_quantize(table, own, table[NORMS] + 2 * layer * width * 4, normed, room, sizes, first, last)
        left, right = share(every // 16, 2 if rows == 1 else 4, part, parts)
        out = table[SPLIT] + first * every * 4
        _matrix(table, 4 * layer, room + first * width, sizes + first * 4, last - first, width, left, right, out, every * 4)
        if whole:
            for g in range(table[KV]):
                _keep(table, layer, own, first, last, g, share(table[LENGTH], 1, 0, 1), share(table[DIM] // 16, 1, 0, 1))
        if layer == depth - 1:
            low = rows - table[WANTED]  # earlier rows were needed for their keys and values only
            for t in range(max(low, first), last if low and whole else 0):
                tiles.copy(own + t * width * 4, table[HANDED] + t * width * 4, width)
        at += 1
        team.meet(lines, rank, ranks, at)
        if team.load(lines + team.STOPPED) == at:
            return layer
        written = whole
        if low:
            if whole:
                tiles.copy(table[HANDED] + low * width * 4, own + low * width * 4, (rows - low) * width)
            first, last, part, parts, whole = low, rows, rank, ranks, ranks == 1
        at = _attend(table, layer, own, first, last, written, part, parts, at)
        if parts > 1:
            at += 1
            team.meet(lines, rank, ranks, at)
        at = _layer(table, layer, own, room, first, last, part, parts, at)
        if table[LEAVING] and rows == 1 and _leaves(table, layer, own):
            left_after = layer
    _norm_quantize(table, own, table[LAST_NORM], normed, room, sizes, first, last)
    left, right = share(table[VOCABULARY] // 16, 4, part, parts)
    out, stride = table[LOGITS] + (first - low) * table[VOCABULARY] * 4, table[VOCABULARY] * 4
    _matrix(table, 4 * layers, room + first * width, sizes + first * 4, last - first, width, left, right, out, stride)
    if rank == 0:
        table[LEFT] = min(left_after + 1, depth)
    if rank == (ranks - 1 if whole else 0):
        tiles.copy(normed + (rows - 1) * width * 4, table[HANDED], width)
    return layers + 1


@_compiled
def run(table, slot):  # type: ignore[no-untyped-def]
    """Slot 0 runs the pass that the table describes, with the helpers that stand ready; another slot helps for ever."""
    lines, rank, ranks = table[LINES], 0, 1
    if slot < 0:
        team.look(lines)
        return 0
    while True:
        if slot == 0:
            ranks = team.gather(lines, table[HELPERS])
            table[RANKS] = ranks
            team.tell(lines, table[HELPERS])
        else:
            rank = team.await_rank(lines, slot)
            if rank == 0:
                return 0
            ranks = table[RANKS]
        done, end = _work(table, slot, rank, ranks), (table[GENERATION] + 1) << 24
        if slot == 0:
            team.meet(lines, rank, ranks, end)
            return done
        team.finish(lines, slot, rank, end)
