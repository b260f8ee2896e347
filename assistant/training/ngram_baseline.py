"""The yardstick that needs no training: an interpolated 5-gram model over the same tokens (Witten-Bell).

Knows token ids. Counts live in sorted arrays of hashed n-grams, so that 60 M tokens fit in a few gigabytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assistant.model.tokenizer import CodeTokenizer
from assistant.training.corpus import Document
from assistant.training.evaluate import MAX_NEW_TOKENS, Item

ORDER = 5
_MIX = np.uint64(0x9E3779B97F4A7C15)
Keys = NDArray[np.uint64]


@dataclass(frozen=True)
class _Order:
    """n-grams of one order, sorted by context: context hash, last token, count; and per context its total and kinds."""

    contexts: Keys
    tokens: NDArray[np.uint16]
    counts: NDArray[np.int32]
    keys: Keys
    starts: NDArray[np.int64]
    totals: NDArray[np.int64]

    def span(self, context: np.uint64) -> tuple[int, int, int] | None:
        """(start, stop, total count) of the n-grams that continue ``context``."""
        at = int(np.searchsorted(self.keys, context))
        if at == len(self.keys) or self.keys[at] != context:
            return None
        return int(self.starts[at]), int(self.starts[at + 1]), int(self.totals[at])


class NgramModel:
    """P(token | up to four before it). ``tokens`` [N] is the training text; ``vocab_size`` floors the unigrams."""

    def __init__(self, tokens: NDArray[np.uint16], vocab_size: int, order: int = ORDER) -> None:
        counts = np.bincount(tokens, minlength=vocab_size).astype(np.float64)
        self.unigram = (counts + 1) / (counts.sum() + vocab_size)
        self.order = order
        self.orders = [_count(tokens, n) for n in range(1, order)]

    def distribution(self, history: Sequence[int]) -> NDArray[np.float64]:
        """Probabilities [V] after ``history``."""
        probs: NDArray[np.float64] = self.unigram
        for n, table in enumerate(self.orders, start=1):
            if len(history) < n:
                break
            found = table.span(_hash(np.asarray([history[-n:]], dtype=np.uint16))[0])
            if found is None:
                break
            start, stop, total = found
            kinds = stop - start
            probs = probs * (kinds / (total + kinds))
            probs[table.tokens[start:stop]] += table.counts[start:stop] / (total + kinds)
        return probs

    def bits(self, ids: Sequence[int], skip: int) -> float:
        """Bits of ``ids`` after the first ``skip`` of them."""
        return -sum(math.log2(self.distribution(ids[max(0, i - self.order + 1) : i])[ids[i]]) for i in range(skip, len(ids)))

    def complete(self, tokenizer: CodeTokenizer, prefix: str) -> str:
        """Greedy rest of the line after ``prefix``, with the same token healing as the engine."""
        line = prefix[-2000:]
        ids, tail_text = tokenizer.heal(line)
        tail, out = tail_text.encode(), b""
        for _ in range(MAX_NEW_TOKENS):
            probs = self.distribution(ids[-self.order + 1 :])
            allowed = np.asarray(tokenizer.compatible(tail)) if tail else np.arange(32, len(probs))
            token = int(allowed[probs[allowed].argmax()])
            spelled = tokenizer.token_bytes[token]
            ids = [*ids, token]
            out += spelled[len(tail) :]
            tail = tail[len(spelled) :]
            if spelled == b"\n":
                break
        return out.decode("utf-8", "replace").split("\n")[0]


def _hash(contexts: NDArray[np.uint16]) -> Keys:
    """[N, n] -> one 48-bit number each; the low 16 bits stay free for the next token."""
    mixed = np.zeros(len(contexts), dtype=np.uint64)
    for column in contexts.T:
        mixed = (mixed ^ (column.astype(np.uint64) + np.uint64(1))) * _MIX
        mixed ^= mixed >> np.uint64(29)
    shifted: Keys = (mixed >> np.uint64(16)) << np.uint64(16)
    return shifted


def _count(tokens: NDArray[np.uint16], n: int) -> _Order:
    views = np.lib.stride_tricks.sliding_window_view(tokens, n + 1)
    grams, counts = np.unique(_hash(views[:, :n]) | views[:, n].astype(np.uint64), return_counts=True)
    low = np.uint64(0xFFFF)
    contexts = grams & ~low
    keys, starts = np.unique(contexts, return_index=True)
    bounds = np.append(starts, len(grams)).astype(np.int64)
    totals = np.add.reduceat(counts, starts)
    return _Order(contexts, (grams & low).astype(np.uint16), counts.astype(np.int32), keys, bounds, totals)


def bits_per_byte(model: NgramModel, tokenizer: CodeTokenizer, docs: Sequence[Document]) -> float:
    """Over whole documents after their path, like `evaluate.left_to_right`."""
    bits = size = 0.0
    for doc in docs:
        head = [tokenizer.specials["file"], *tokenizer.encode(doc.path + "\n")]
        ids = head + tokenizer.encode(doc.text)
        bits += model.bits(ids, len(head))
        size += len(doc.text.encode())
    return bits / max(1.0, size)


def completions(model: NgramModel, tokenizer: CodeTokenizer, items: Sequence[Item]) -> list[str]:
    return [model.complete(tokenizer, item.prefix) for item in items]
