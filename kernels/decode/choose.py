"""The likeliest next token of a model's logits mixed with what two look-ups found, compiled: no array of probabilities is made.

Knows logits, matches as `lookup` gives them, and a small gate. Its reference, in numpy, is `assistant.model.mixture`; the
greedy choice needs the model's probability only of its own favourite and of the matches' few tokens.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numba.core import types

from kernels.decode import tiles
from kernels.decode.vector import LANES

LONGEST = 8
"""Longer matches are as good as this one to the gate."""
TINY = 1e-8
SOURCES = 2
_options: dict[str, Any] = {"nogil": True, "boundscheck": False, "error_model": "numpy"}
_compiled, _called = njit(cache=True, **_options), njit(**_options)
_IDS, _PROBS = types.Array(types.int64, 1, "C"), types.Array(types.float64, 1, "C")
_MATCH = types.int64, types.int64, types.int64, _IDS, _PROBS, types.float64
_ROW, _MATRIX = types.Array(types.float32, 1, "C"), types.Array(types.float32, 2, "C")
SIGNATURE = _ROW, _ROW, _MATRIX, _ROW, _MATRIX, _ROW, types.int64, types.int64, *_MATCH, *_MATCH


@_called
def _likeliest(logits, allowed):  # type: ignore[no-untyped-def]
    """(the first largest of logits [V] + allowed [V], it, the sum of e^(each less it))."""
    whole = len(logits) // LANES * LANES
    best = tiles.largest(logits.ctypes.data, allowed.ctypes.data, whole) if whole else 0
    for i in range(whole, len(logits)):
        if logits[i] + allowed[i] > logits[best] + allowed[best]:
            best = i
    most = logits[best] + allowed[best]
    total = np.float64(tiles.powers(logits.ctypes.data, allowed.ctypes.data, whole, most))
    for i in range(whole, len(logits)):
        total += math.exp(logits[i] + allowed[i] - most)
    return best, most, total


@_called
def _moved(ids, probs, closing, share):  # type: ignore[no-untyped-def]
    """What a match gives to ``closing``, of which ``share`` goes to the end token: (its place, what goes)."""
    low, high = 0, len(ids)
    while low < high:
        middle = (low + high) >> 1
        if ids[middle] < closing:
            low = middle + 1
        else:
            high = middle
    if low < len(ids) and ids[low] == closing:
        return low, probs[low] * share
    return -1, 0.0


@_called
def _log(probability):  # type: ignore[no-untyped-def]
    return math.log(max(probability, TINY)) / 10


@_called
def _features(found, at, length, count, kinds, ids, probs, rest, place, moved, end, best, logits, allowed, most, total):  # type: ignore[no-untyped-def]
    """Write what the gate sees of one match behind ``at``; its likeliest token, -1 for an empty one."""
    if length == 0:
        return -1
    top, likely = -1, -1.0
    for i in range(len(ids)):
        value = probs[i] - moved if i == place else probs[i]
        if value > likely:
            top, likely = ids[i], value
    if place >= 0 and moved > likely:
        top, likely = end, moved
    found[at + min(length, LONGEST) - 1] = 1.0
    at += LONGEST
    found[at], found[at + 1] = math.log(count) / 10, math.log(kinds) / 10
    found[at + 2], found[at + 3] = _log(rest), _log(likely)
    found[at + 4] = _log(math.exp(logits[top] + allowed[top] - most) / total)
    found[at + 5] = 1.0 if top == best else 0.0
    return top


@_called
def _shares(features, hidden, hidden_bias, out, out_bias, first, second):  # type: ignore[no-untyped-def]
    """What each match gets of the whole; who has none gets nothing."""
    scores = np.zeros(1 + SOURCES, np.float32)
    for k in range(1 + SOURCES):
        scores[k] = out_bias[k]
    for j in range(len(hidden_bias)):
        unit = hidden_bias[j]
        for i in range(len(features)):
            unit += features[i] * hidden[i, j]
        if unit > 0:
            for k in range(1 + SOURCES):
                scores[k] += unit * out[j, k]
    most = max(scores[0], scores[1], scores[2])
    own = math.exp(scores[0] - most)
    one = math.exp(scores[1] - most) if first else 0.0
    two = math.exp(scores[2] - most) if second else 0.0
    return one / (own + one + two), two / (own + one + two)


@_compiled
def choose(  # type: ignore[no-untyped-def]
    logits, allowed, hidden, hidden_bias, out, out_bias, end, closing,
    length0, count0, kinds0, ids0, probs0, rest0, length1, count1, kinds1, ids1, probs1, rest1,
):  # fmt: skip
    """The likeliest token, the lowest of equals, and its probability: logits [V] + allowed [V] (zero or minus infinity) mixed
    by the gate (hidden [F, H], out [H, 3] and their biases) with two matches of ascending ids.

    ``closing`` is the first token behind the hole, -1 for none: what a match gives to it is shared with ``end``.
    """
    best, most, total = _likeliest(logits, allowed)
    if length0 == 0 and length1 == 0:
        return best, 1.0 / total
    stop = math.exp(logits[end] + allowed[end] - most) / total
    share, place0, place1, moved0, moved1 = 0.0, -1, -1, 0.0, 0.0
    if closing >= 0:
        share = stop / (stop + math.exp(logits[closing] + allowed[closing] - most) / total + TINY)
        place0, moved0 = _moved(ids0, probs0, closing, share)
        place1, moved1 = _moved(ids1, probs1, closing, share)
    found = np.zeros(len(hidden), np.float32)
    found[0], found[1] = _log(1.0 / total), _log(stop)
    found[2] = _log(np.float32(1.0) - np.float32(1.0 / total))  # in 32 bits, as the gate learned it
    row = logits, allowed, most, total
    top0 = _features(found, 3, length0, count0, kinds0, ids0, probs0, rest0, place0, moved0, end, best, *row)
    top1 = _features(found, 9 + LONGEST, length1, count1, kinds1, ids1, probs1, rest1, place1, moved1, end, best, *row)
    if length0 and length1:
        found[15 + 2 * LONGEST if top0 == top1 else 16 + 2 * LONGEST] = 1.0
    first, second = _shares(found, hidden, hidden_bias, out, out_bias, length0 > 0, length1 > 0)
    own = 1.0 - first * (1.0 - rest0) - second * (1.0 - rest1)
    given = first * moved0 + second * moved1
    token, value = end, own * stop + given
    if best != end and own / total >= value:  # for now without what a match adds to it, which comes below
        token, value = best, own / total
    i = j = 0
    while i < len(ids0) or j < len(ids1):  # both ascend
        one = i < len(ids0) and (j == len(ids1) or ids0[i] <= ids1[j])
        two = j < len(ids1) and (i == len(ids0) or ids1[j] <= ids0[i])
        mine = ids0[i] if one else ids1[j]
        sum_ = own * math.exp(logits[mine] + allowed[mine] - most) / total
        if one:
            sum_ += first * (probs0[i] - moved0 if i == place0 else probs0[i])
            i += 1
        if two:
            sum_ += second * (probs1[j] - moved1 if j == place1 else probs1[j])
            j += 1
        if mine == end:
            sum_ += given
        if sum_ > value or (sum_ == value and mine < token):
            token, value = mine, sum_
    return token, value
