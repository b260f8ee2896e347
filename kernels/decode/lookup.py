"""What followed a context's last tokens in blocks of documents, and how likely that makes each token: compiled.

Knows token ids in arrays at addresses, and the three bounds of a search; not what the tokens mean. Its reference, in numpy,
is whoever lays the blocks out (`assistant.model.ngrams`), and both give the same numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numba.core import types

from kernels.decode.products import number, view

(TOKENS, LENGTH, LOW, HIGH, FIRST, FIRSTS, STARTS, DOCUMENTS, DEAD, SKIP_FROM, SKIP_TO, FIELDS) = range(12)
"""Columns of a table of blocks: addresses of tokens [LENGTH] (16 bits, a separator of all ones at both ends and between
documents), of the sorted places [two parts] and of where each token's begin [FIRSTS] (0: not sorted), of the documents' first
places and which of them are dead; places that are not to be found.
"""
SEPARATOR = 0xFFFF
NOWHERE = 1 << 20
"""The order of a context that is found too often at every length."""
LOOKED_AT = 64
"""Tokens compared at once: most hold none that is looked for."""
_options: dict[str, Any] = {"nogil": True, "boundscheck": False, "error_model": "numpy"}
_compiled, _called = njit(cache=True, **_options), njit(**_options)
_tokens, _bytes, _words = view(types.uint16), view(types.uint8), view(types.int64)
_ARRAY = types.Array(types.int64, 1, "C")
SIGNATURE = types.Array(types.int64, 2, "C"), _ARRAY, _ARRAY, _ARRAY, _ARRAY, _ARRAY


@_called
def _scan(tokens, length, last, places):  # type: ignore[no-untyped-def]
    """Places [count] behind each token ``last`` that another token follows."""
    count, at = 0, 0
    while at < length - 1:
        stop, hit = min(at + LOOKED_AT, length - 1), False
        for i in range(at, stop):
            hit |= tokens[i] == last
        if hit:
            for i in range(at, stop):
                places[count] = i + 1
                count += (tokens[i] == last) & (tokens[i + 1] != SEPARATOR)
        at = stop
    return count


@_called
def _rank(tokens, low, high, back, token, start, stop):  # type: ignore[no-untyped-def]
    """The first rank in [start, stop) whose token ``back`` before is ``token`` or more."""
    while start < stop:
        middle = (start + stop) >> 1
        if tokens[(np.int64(high[middle]) << 16 | np.int64(low[middle])) - back] < token:
            start = middle + 1
        else:
            stop = middle
    return start


@_called
def _narrow(block, tokens, context, searched, most, places):  # type: ignore[no-untyped-def]
    """Of a sorted block: (places [count], how many tokens agree before each at least)."""
    last, firsts = context[0], _words(block[FIRST], block[FIRSTS])
    if last + 1 >= block[FIRSTS]:
        return 0, 1
    start, stop, order = firsts[last], firsts[last + 1], 1
    low, high = _tokens(block[LOW], stop), _bytes(block[HIGH], stop)
    while stop - start > most and order < searched:
        order += 1
        token = context[order - 1]
        start = _rank(tokens, low, high, order, token, start, stop)
        stop = _rank(tokens, low, high, order, token + 1, start, stop)
    if stop - start > most:
        return 0, NOWHERE
    for i in range(start, stop):
        places[i - start] = np.int64(high[i]) << 16 | np.int64(low[i])
    return stop - start, order


@_called
def _agree(tokens, place, context):  # type: ignore[no-untyped-def]
    """How many tokens before a place are the context's, newest first; one is. A separator is nobody's."""
    depth = 1
    while depth < len(context) and tokens[place - 1 - depth] == context[depth]:
        depth += 1
    return depth


@_called
def _living(block, place):  # type: ignore[no-untyped-def]
    """Whether a place counts: neither in a document that is gone nor in the one that is left out."""
    if block[SKIP_FROM] <= place < block[SKIP_TO]:
        return False
    starts, dead = _words(block[STARTS], block[DOCUMENTS]), _bytes(block[DEAD], block[DOCUMENTS])
    low, high = 0, block[DOCUMENTS]
    while low < high:  # the last document that begins at or before the place
        middle = (low + high) >> 1
        if starts[middle] <= place:
            low = middle + 1
        else:
            high = middle
    return dead[low - 1] == 0


@_called
def _block(block, context, searched, most, places, followers, depths, at):  # type: ignore[no-untyped-def]
    """Append what a block has found: (how many there are now, the order from which on they are all there)."""
    tokens = _tokens(block[TOKENS], block[LENGTH])
    order, found = 1, 0
    if block[LOW]:
        found, order = _narrow(block, tokens, context, searched, most, places)
    else:
        found = _scan(tokens, block[LENGTH], np.uint16(context[0]), places)
        if found > most:
            seen = np.zeros(len(context) + 2, np.int64)
            for i in range(found):
                seen[_agree(tokens, places[i], context)] += 1
            left = found
            while left > most and order < searched:
                left -= seen[order]
                order += 1
            if left > most:
                order = NOWHERE
    if order == NOWHERE:
        return at, order
    for i in range(found):
        depth = _agree(tokens, places[i], context)
        if depth >= order and _living(block, places[i]):
            followers[at], depths[at] = tokens[places[i]], depth
            at += 1
    return at, order


@_called
def _raise(depths, count, order, searched, most):  # type: ignore[no-untyped-def]
    """The order at which at most ``most`` of the found ones are left, if any are."""
    while True:
        left = 0
        for i in range(count):
            left += depths[i] >= order
        if left <= most:
            return order if left else NOWHERE
        if order >= searched:
            return NOWHERE
        order += 1


@_called
def _interpolate(followers, depths, count, order, marks):  # type: ignore[no-untyped-def]
    """Witten-Bell over all orders at once, see the reference. ``marks`` are zeros [vocabulary, then a bit for each]."""
    longest, bits = 0, len(marks) // 65 * 64
    for i in range(count):
        if depths[i] >= order:
            token = followers[i]
            longest = max(longest, depths[i])
            marks[token] = max(marks[token], depths[i])
            marks[bits + (token >> 6)] |= np.int64(1) << (token & 63)
    counts, kinds = np.zeros(longest + 2, np.int64), np.zeros(longest + 2, np.int64)
    found = 0
    ids = np.empty(min(count, bits), np.int64)
    for word in range(bits, len(marks)):
        if marks[word]:
            for token in range((word - bits) << 6, (word - bits + 1) << 6):
                if marks[word] >> (token & 63) & 1:
                    kinds[marks[token]] += 1
                    marks[token], ids[found] = found, token
                    found += 1
            marks[word] = 0
    for i in range(count):
        if depths[i] >= order:
            counts[depths[i]] += 1
    passed, reached = np.ones(longest + 2), np.empty(longest + 2)
    for depth in range(longest, order - 1, -1):
        counts[depth] += counts[depth + 1]
        kinds[depth] += kinds[depth + 1]
        passed[depth] = passed[depth + 1] * (kinds[depth] / (counts[depth] + kinds[depth]))
    worth = 0.0
    for depth in range(order, longest + 1):
        worth += passed[depth + 1] / (counts[depth] + kinds[depth])
        reached[depth] = worth
    probs = np.zeros(found)
    for i in range(count):
        if depths[i] >= order:
            probs[marks[followers[i]]] += reached[depths[i]]
    best = 0
    for i in range(found):
        marks[ids[i]] = 0
        if probs[i] > probs[best]:
            best = i
    return longest, counts[longest], kinds[longest], ids[:found], probs, passed[order], ids[best], probs[best]


@_compiled
def look_up(blocks, context, bounds, places, found, marks):  # type: ignore[no-untyped-def]
    """What followed ``context`` [n], newest first: (tokens that agree at most, how often, kinds there, ids [N] ascending, their
    probabilities [N], what is left over, the likeliest id, its probability); zeros where nothing did.

    ``blocks`` [B, FIELDS] is laid out as above; ``bounds`` holds how many tokens the search goes back and the most places it
    follows. Room to work in: ``places`` [longest unsorted block, or the most places], ``found`` [2 B times the most], and
    ``marks``, zeros before and after: one a token of the vocabulary, in whole words of bits, then those words.
    """
    searched, most, order, count = min(bounds[0], len(context)), bounds[1], number(1), number(0)
    followers, depths = found[: len(found) // 2], found[len(found) // 2 :]
    for row in range(len(blocks)):
        count, least = _block(blocks[row], context, searched, most, places, followers, depths, count)
        order = max(order, least)
    if order != NOWHERE:
        order = _raise(depths, count, order, bounds[0], most)
    if order == NOWHERE:
        return 0, 0, 0, np.zeros(0, np.int64), np.zeros(0), 1.0, -1, 0.0
    return _interpolate(followers, depths, count, order, marks)
