"""What a fused decode step computes, in numpy, one token after another: slow, short, and the word on what is right.

Same arguments and results as `step.run`. Products are exact integers as there; sums of floats are numpy's, so results agree to
rounding, and where rounding moves an activation over the edge of a level, to that level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.decode.pack import MATRICES, Floats, Packed


@dataclass
class History:
    """Keys and values [L][S, KV, d] of the tokens so far."""

    keys: list[list[Floats]]
    values: list[list[Floats]]

    @classmethod
    def empty(cls, layers: int) -> History:
        return cls([[] for _ in range(layers)], [[] for _ in range(layers)])


def quantize(x: Floats) -> tuple[NDArray[np.int32], np.float32]:
    """x [k] -> levels in -127 .. 127 and their size: max |x| / 127 (the row is all zero below 1e-30)."""
    most = np.abs(x).max()
    factor = np.float32(0) if most < 1e-30 else np.float32(127) / most
    return np.rint(x * factor).astype(np.int32), np.float32(most / np.float32(127))


def matrix(packed: Packed, name: str, layer: int = 0) -> tuple[NDArray[np.int32], Floats]:
    """A packed matrix as levels [n, k] and row scales [n]: the inverse of `pack.interleave`."""
    index = 4 * packed.shape.layers if name == "embed" else 4 * layer + MATRICES.index(name)
    at, row, rows = packed.plan[index]
    end = packed.plan[index + 1][0] if index + 1 < len(packed.plan) else len(packed.bytes_)
    levels = packed.bytes_[at:end].reshape(rows // 16, -1, 16, 4).transpose(0, 2, 1, 3).reshape(rows, -1)
    return levels.astype(np.int32), packed.scales[row : row + rows]


def product(packed: Packed, name: str, layer: int, x: Floats) -> Floats:
    """x [k] times a packed matrix: exact integers, then one scale of the weight's row and one of ``x``."""
    levels, scales = matrix(packed, name, layer)
    whole, size = quantize(x)
    result: Floats = (levels @ whole).astype(np.float32) * scales * size
    return result


def rms_norm(x: Floats, weight: Floats, eps: float) -> Floats:
    """arXiv 1910.07467, over the last dimension."""
    mean = np.mean(np.square(x), axis=-1, keepdims=True, dtype=np.float32)
    result: Floats = x / np.sqrt(mean + np.float32(eps)) * weight
    return result


def rotate(heads: Floats, cos: Floats, sin: Floats) -> Floats:
    """Turn the pairs (i, i + d / 2) of heads [n, d]; cos and sin [d / 2]."""
    low, high = np.split(heads, 2, axis=-1)
    return np.concatenate((low * cos - high * sin, high * cos + low * sin), axis=-1)


def halved(x: Floats) -> Floats:
    """What is left of x when it is kept in half precision; beyond its range the largest number there is."""
    largest = np.finfo(np.float16).max
    return np.clip(x, -largest, largest).astype(np.float16).astype(np.float32)


def logits(packed: Packed, token: int, history: History) -> Floats:
    """Run one token behind ``history``, which grows by it; logits [V]."""
    shape = packed.shape
    position = len(history.keys[0])
    cos, sin = packed.cos[position], packed.sin[position]
    levels, scales = matrix(packed, "embed")
    x = levels[token].astype(np.float32) * scales[token]
    for layer in range(shape.layers):
        heads = product(packed, "qkv", layer, rms_norm(x, packed.norms[layer, 0], shape.eps))
        heads = heads[: (shape.heads + 2 * shape.kv_heads) * shape.head_dim].reshape(-1, shape.head_dim)
        turned = heads[: shape.heads + shape.kv_heads]
        if packed.head_norms.size:
            turned = rms_norm(turned, packed.head_norms[layer], shape.eps)
        turned = rotate(turned, cos, sin)
        history.keys[layer].append(halved(turned[shape.heads :]))
        history.values[layer].append(halved(heads[shape.heads + shape.kv_heads :]))
        mixed = _attend(turned[: shape.heads], np.stack(history.keys[layer]), np.stack(history.values[layer]))
        x = x + product(packed, "out", layer, mixed.ravel())[: shape.width]
        pair = product(packed, "gate_up", layer, rms_norm(x, packed.norms[layer, 1], shape.eps))
        gate, up = pair[: shape.hidden], pair[shape.hidden : 2 * shape.hidden]
        x = x + product(packed, "down", layer, gate / (1 + np.exp(-gate)) * up)[: shape.width]
    return product(packed, "embed", 0, rms_norm(x, packed.last_norm, shape.eps))[: shape.vocabulary]


def _attend(queries: Floats, keys: Floats, values: Floats) -> Floats:
    """queries [H, d], keys and values [S, KV, d] -> [H, d]; H / KV query heads share a key head."""
    group = len(queries) // keys.shape[1]
    shared: Any = (np.repeat(part.transpose(1, 0, 2), group, axis=0) for part in (keys, values))
    k, v = shared
    scores = np.einsum("hd,hsd->hs", queries, k) * np.float32(queries.shape[-1] ** -0.5)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    result: Floats = np.einsum("hs,hsd->hd", weights / weights.sum(axis=1, keepdims=True), v).astype(np.float32)
    return result
