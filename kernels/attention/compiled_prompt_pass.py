"""Attention of a prompt's rows on the matrix unit, as compiled code: which tiles of keys each bundle of rows meets.

A bundle is up to sixteen query rows of a key head: heads of one token where tokens have lists of their own, else neighbouring
tokens too. Keys come in chunks; of a chunk each tile of sixteen keys that somebody sees is laid out once, and every bundle
takes those that it sees. Knows the table that `kernels.attention.compiled_prompt` fills in, and addresses.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from kernels.attention import compiled_matrix as matrix
from kernels.attention import compiled_prompt_tiles as rows
from kernels.attention import compiled_tiles as tiles
from kernels.attention.compiled_products import next_at
from kernels.decode.products import floats, words

HEADS, GROUP, ROWS, UNITS, HEIGHT, PARTS = range(6)
QUERY_HEAD, QUERY_ROW, KEY_HEAD, KEY_ROW, VALUE_HEAD, VALUE_ROW = range(6, 12)
QUERIES, KEYS, VALUES, OUT, LSE, START = range(12, 18)
FULL, SINK, WINDOW, SIZE, WHICH, COUNTS, INDICES, WIDTH, SCALE = range(18, 27)
MATRIX, SINGLE, CHUNK, SPACE, SPACE_SIZE, NEXT, WORKERS = range(27, 34)
WORDS = 34
"""Words of the table; strides in bytes. ``HEIGHT``: rows of a bundle. ``PARTS``: of a head's bundles, for threads.

``WHICH`` [ROWS]: each token's list; ``SIZE`` 0 where there are none, else a multiple of sixteen. ``MATRIX`` and ``SINGLE``: two
of `compiled_prompt_tiles.configured`, the second for lists, whose tiles rarely are neighbours. ``CHUNK``: tiles of a chunk.
"""
SIDE = 16
_options = {"nogil": True, "boundscheck": False, "error_model": "numpy"}
_inlined, _called = njit(inline="always", **_options), njit(**_options)


def bundles(group: int, tokens: int, height: int, parts: int) -> int:
    """Bundles of a part, at most."""
    in_all = (group * tokens + height - 1) // height
    return (in_all + parts - 1) // parts


def space_size(many: int, height: int, d: int, chunk: int, listed: int) -> int:
    """Bytes that a thread works in, by its bundles, their rows, a head's size, tiles of a chunk and of a list."""
    return sum(size + 64 for size in _sizes(many, height, d, chunk, listed))


def _sizes(many: int, height: int, d: int, chunk: int, listed: int) -> tuple[int, ...]:
    """In this order: queries, what is gathered, softmaxes, crossed keys, woven values, copies of these, scores, weights, a tile
    with gaps, the tiles of each bundle's list, how far each is, what is laid out, a bundle's tiles and whether they are named,
    and where pairs of values are.
    """
    laid = chunk * SIDE * d * 2
    return (
        *(many * height * d * 2, many * height * d * 4, many * height * 8),
        *(laid, laid, laid + 2 * SIDE * d * 2, height * chunk * SIDE * 4, height * (chunk + 2) * SIDE * 2),
        *(2 * SIDE * d * 2, many * (listed + 1) * 8, many * 8, chunk * 8, 2 * (chunk + 1) * 8, (chunk + 1) * 8),
    )


@_inlined
def _after(at, size):  # type: ignore[no-untyped-def]
    return (at + size + 63) // 64 * 64


@_called
def _take(t, head, first, count, queries, outs, states):  # type: ignore[no-untyped-def]
    """The part's queries beside each other, nothing gathered yet. Rows behind the last are zeros."""
    d, high = t[UNITS] * tiles.UNIT, t[HEIGHT]
    for i in range(count * high):
        p = first * high + i
        place = queries + i * d * 2
        if p < t[ROWS] * t[GROUP]:
            source = t[QUERIES] + (head * t[GROUP] + p % t[GROUP]) * t[QUERY_HEAD] + p // t[GROUP] * t[QUERY_ROW]
            tiles.copy_row(source, place, d * 2)
        else:
            tiles.clear(place, d // 2)
        state = floats(states + i * 8, 2)
        state[0], state[1] = tiles.NEVER, 0.0
    tiles.clear(outs, count * high * d)


@_called
def _list(t, head, token, out):  # type: ignore[no-untyped-def]
    """The tiles of a token's list in ascending order, and behind them one that never comes."""
    each, at = t[SIZE] // SIDE, words(t[WHICH], t[ROWS])[token] * t[HEADS] + head
    count, given = words(t[COUNTS] + at * 8, 1)[0], words(t[INDICES] + at * t[WIDTH] * 8, t[WIDTH])
    made = words(out, t[WIDTH] * each + 1)
    for i in range(count):
        place = i
        while place > 0 and made[(place - 1) * each] > given[i] * each:
            for j in range(each):
                made[place * each + j] = made[(place - 1) * each + j]
            place -= 1
        for j in range(each):
            made[place * each + j] = given[i] * each + j
    made[count * each] = 1 << 60


@_inlined
def _below(bits):  # type: ignore[no-untyped-def]
    """A word whose lowest ``bits`` of sixteen are set."""
    return (1 << min(max(bits, 0), SIDE)) - 1


@_called
def _lay(t, head, tile, low, listed, crossed, woven, spare):  # type: ignore[no-untyped-def]
    """A tile's keys crossed and its values woven. Rows that nobody sees are zeros: they are not read."""
    first, d2, end = tile * SIDE, t[UNITS] * tiles.UNIT * 2, t[START] + t[ROWS]
    keys, values = t[KEYS] + head * t[KEY_HEAD], t[VALUES] + head * t[VALUE_HEAD]
    seen = _below(end - first)
    if not listed and not words(t[FULL], t[HEADS])[head]:
        seen &= _below(t[SINK] - first) | ~_below(low - first)
    if seen == 0xFFFF:
        rows.cross(keys + first * t[KEY_ROW], t[KEY_ROW], t[UNITS], crossed)
        rows.weave(values + first * t[VALUE_ROW], t[VALUE_ROW], t[UNITS], woven)
        return
    for i in range(SIDE):
        for other in range(2):
            place = spare + (other * SIDE + i) * d2
            if seen >> i & 1:
                source = values + (first + i) * t[VALUE_ROW] if other else keys + (first + i) * t[KEY_ROW]
                tiles.copy_row(source, place, d2)
            else:
                tiles.clear(place, d2 // 4)
    rows.cross(spare, d2, t[UNITS], crossed)
    rows.weave(spare + SIDE * d2, d2, t[UNITS], woven)


@_called
def _veil(t, scores, step, p, tile, listed):  # type: ignore[no-untyped-def]
    """Hide what the bundle's rows, from the packed row ``p`` on, do not see of a tile."""
    first = tile * SIDE
    for r in range(t[HEIGHT]):
        position = t[START] + min(p + r, t[ROWS] * t[GROUP] - 1) // t[GROUP]
        seen = _below(position + 1 - first)
        if not listed:
            seen &= _below(t[SINK] - first) | ~_below(position - t[WINDOW] + 1 - first)
        rows.hide(scores + r * step, seen)


@_called
def _meet(t, factor, outs, states, numbers, count, woven, copies, scores, weights, places):  # type: ignore[no-untyped-def]
    """Weights of the scores, and what they gather. ``numbers``: the bundle's tiles, by their place in the chunk."""
    d, step, short = t[UNITS] * tiles.UNIT, t[CHUNK] * SIDE * 4, (t[CHUNK] + 2) * SIDE * 2
    for r in range(t[HEIGHT]):
        kept = rows.weigh(scores + r * step, count * SIDE, factor, states + r * 8, weights + r * short)
        if kept != 1:
            tiles.scale(outs + r * d * 4, kept, d)
        if count % 2:
            tiles.clear(weights + r * short + count * SIDE * 2, SIDE)
    chosen, where = words(numbers, count + 1), words(places, count)
    if t[SINGLE]:
        for i in range(count):
            where[i] = woven + chosen[i] * SIDE * d * 2
        matrix.begin(t[SINGLE])
        for u in range(0, t[UNITS], 2):
            if t[UNITS] - u >= 2:
                rows.single_2(weights, short, places, count, d * 4, u * 128, outs + u * 128, d * 4)
            else:
                rows.single_1(weights, short, places, count, d * 4, u * 128, outs + u * 128, d * 4)
        matrix.begin(t[MATRIX])
        return
    _pair(chosen, count, woven, SIDE * d * 2, copies, where)
    for u in range(0, t[UNITS], 2):
        if t[UNITS] - u >= 2:
            rows.gather_2(weights, short, places, (count + 1) // 2, d * 4, u * 128, outs + u * 128, d * 4)
        else:
            rows.gather_1(weights, short, places, (count + 1) // 2, d * 4, u * 128, outs + u * 128, d * 4)


@_called
def _pair(chosen, count, woven, size, copies, where):  # type: ignore[no-untyped-def]
    """Where each two tiles' values lie one behind the other: in their place, or copied. One that is left is its own neighbour,
    which weighs nothing.
    """
    for i in range(0, count, 2):
        first = chosen[i]
        second = chosen[i + 1] if i + 1 < count else first
        where[i // 2] = woven + first * size
        if second != first + 1:
            tiles.copy_row(woven + first * size, copies, size)
            tiles.copy_row(woven + second * size, copies + size, size)
            where[i // 2] = copies
            copies += 2 * size


@_called
def _score(t, queries, crossed, numbers, count, scores):  # type: ignore[no-untyped-def]
    units, d2, step = t[UNITS], t[UNITS] * tiles.UNIT * 2, t[CHUNK] * SIDE * 4
    if units == 4:
        rows.scores_4(queries, d2, crossed, units, numbers, count, scores, step)
    elif units == 2:
        rows.scores_2(queries, d2, crossed, units, numbers, count, scores, step)
    else:
        rows.scores_any(queries, d2, crossed, units, numbers, count, scores, step)


@_called
def _choose(t, head, p, first, list_, reached, laid, numbers, low, crossed, woven, spare):  # type: ignore[no-untyped-def]
    """The tiles from ``first`` on of one chunk that the bundle from the packed row ``p`` on sees, as their places in the chunk.

    Returns how many, and as the word's upper half how many of these must be veiled: those stand in front. Lays out what nobody
    has laid out yet.
    """
    last_row = min(p + t[HEIGHT], t[ROWS] * t[GROUP]) - 1
    oldest, newest = t[START] + p // t[GROUP], t[START] + last_row // t[GROUP]
    end = min(first + t[CHUNK], newest // SIDE + 1)
    full = words(t[FULL], t[HEADS])[head]
    sinks, near = (t[SINK] + SIDE - 1) // SIDE, max(0, oldest - t[WINDOW] + 1) // SIDE
    chosen, named, ready = words(numbers, t[CHUNK]), words(numbers + t[CHUNK] * 8, t[CHUNK]), words(laid, t[CHUNK])
    size, count, veiled, at = t[UNITS] * matrix.TILE, 0, 0, words(reached, 1)
    listing = words(list_, 1 << 40)
    tile = first
    while tile < end:
        listed = False
        if not full and t[SIZE]:
            while listing[at[0]] < tile:
                at[0] += 1
            listed = listing[at[0]] == tile
        if not full and not listed and tile >= sinks and tile < near:
            tile = min(near, listing[at[0]]) if t[SIZE] else near
            continue
        place = tile - first
        if ready[place] < 1 + listed:
            _lay(t, head, tile, low, listed, crossed + place * size, woven + place * size, spare)
            ready[place] = 1 + listed
        whole = full or listed or tile * SIDE + SIDE <= t[SINK] or tile * SIDE > newest - t[WINDOW]
        if whole and tile * SIDE + SIDE - 1 <= oldest:
            chosen[count] = place
        else:
            chosen[count] = chosen[veiled]
            chosen[veiled], named[veiled] = place, 1 if full or listed else 0
            veiled += 1
        count += 1
        tile += 1
    return count | veiled << 32


@_called
def _part(t, scale, item, space):  # type: ignore[no-untyped-def]
    """A part of a key head's bundles, chunk by chunk, and their answers."""
    factor = np.float32(scale / math.log(2.0))
    d, high, group, chunk = t[UNITS] * tiles.UNIT, t[HEIGHT], t[GROUP], t[CHUNK]
    head, all_ = item // t[PARTS], (t[ROWS] * group + high - 1) // high
    begin, stop = all_ * (item % t[PARTS]) // t[PARTS], all_ * (item % t[PARTS] + 1) // t[PARTS]
    many, listed = (all_ + t[PARTS] - 1) // t[PARTS], t[WIDTH] * t[SIZE] // SIDE
    laid_size, step = chunk * SIDE * d * 2, chunk * SIDE * 4
    queries = space
    outs = _after(queries, many * high * d * 2)
    states = _after(outs, many * high * d * 4)
    crossed = _after(states, many * high * 8)
    woven = _after(crossed, laid_size)
    copies = _after(woven, laid_size)
    scores = _after(copies, laid_size + 2 * SIDE * d * 2)
    weights = _after(scores, high * step)
    spare = _after(weights, high * (chunk + 2) * SIDE * 2)
    lists = _after(spare, 2 * SIDE * d * 2)
    reached = _after(lists, many * (listed + 1) * 8)
    laid = _after(reached, many * 8)
    numbers = _after(laid, chunk * 8)
    places = _after(numbers, 2 * (chunk + 1) * 8)
    _take(t, head, begin, stop - begin, queries, outs, states)
    so_far, ready = words(reached, many), words(laid, chunk)
    for i in range(stop - begin):
        so_far[i] = 0
        if t[SIZE]:
            _list(t, head, (begin + i) * high // group, lists + i * (listed + 1) * 8)
    low = t[START] + begin * high // group - t[WINDOW] + 1
    last = (t[START] + (min(stop * high, t[ROWS] * group) - 1) // group) // SIDE
    named = words(numbers + chunk * 8, chunk)
    for first in range(0, last + 1, chunk):
        ready[:] = 0
        for i in range(stop - begin):
            p, mine = (begin + i) * high, lists + i * (listed + 1) * 8
            found = _choose(t, head, p, first, mine, reached + i * 8, laid, numbers, low, crossed, woven, spare)
            count = found & 0xFFFFFFFF
            if count == 0:
                continue
            _score(t, queries + i * high * d * 2, crossed, numbers, count, scores)
            for veiled in range(found >> 32):
                _veil(t, scores + veiled * 64, step, p, first + words(numbers, chunk)[veiled], named[veiled] == 1)
            out, state = outs + i * high * d * 4, states + i * high * 8
            _meet(t, factor, out, state, numbers, count, woven, copies, scores, weights, places)
    _give(t, scale, head, begin * high, min(stop * high, t[ROWS] * group), outs, states)


@_called
def _give(t, scale, head, begin, stop, outs, states):  # type: ignore[no-untyped-def]
    """Rows' sums by their weights' sums, and the logarithms of these."""
    d, lses = t[UNITS] * tiles.UNIT, floats(t[LSE], 1 << 40)
    for p in range(begin, stop):
        state = floats(states + (p - begin) * 8, 2)
        most, total = state[0], state[1]
        out = (head * t[GROUP] + p % t[GROUP]) * t[ROWS] + p // t[GROUP]
        rows.put(outs + (p - begin) * d * 4, t[OUT] + out * d * 2, d, np.float32(1.0 / total if total > 0 else 0.0))
        lses[out] = most * scale + math.log(total) if total > 0 else -math.inf


@_called
def attend(at):  # type: ignore[no-untyped-def]
    """Take parts until there are none left; as many threads as there are places to work in may do so at once."""
    t = words(at, WORDS)
    space, scale = t[SPACE] + next_at(at + WORKERS * 8) * t[SPACE_SIZE], floats(at + SCALE * 8, 1)[0]
    matrix.begin(t[MATRIX])
    item = next_at(at + NEXT * 8)
    while item < t[HEADS] * t[PARTS]:
        _part(t, scale, item, space)
        item = next_at(at + NEXT * 8)
    matrix.end(t[MATRIX])
