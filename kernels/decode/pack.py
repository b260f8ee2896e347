"""A decoder's weights as one block of bytes in the order in which `step` reads them, and the scratch memory it works in.

Knows arrays; does not know checkpoints, files or tokens. Weights are rounded to int8 with one scale for each output row
(symmetric, 127 levels), which gives back exactly what an int8 checkpoint of that format holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
MOST_ROWS = 64
"""Tokens of one pass: as many as keep a layer's activations in the second-level cache."""
BLOCK = 64
"""Keys that lie together, one dimension after another, so that sixteen of them are one vector load."""
TILE_ROWS = 6
STRIPE = 262_144
"""Scores of attention kept at once, 1 MB: so many rows share each block of keys that is read."""
LINE = 256
"""Bytes between what different threads write: two pairs of cache lines."""
MATRICES = ("qkv", "out", "gate_up", "down")


@dataclass(frozen=True)
class Shape:
    """What `step` must know; ``context`` is rounded up to whole blocks of keys."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_dim: int
    hidden: int
    vocabulary: int
    context: int
    eps: float

    def __post_init__(self) -> None:
        if self.width % 16 or self.hidden % 16 or self.head_dim % 16:
            raise ValueError(f"width {self.width}, hidden {self.hidden} and head_dim {self.head_dim} must be multiples of 16")

    def numbers(self) -> NDArray[np.int64]:
        return np.array(
            [
                *(self.layers, self.width, self.heads, self.kv_heads, self.head_dim, self.hidden, self.vocabulary),
                -(-self.context // BLOCK) * BLOCK,
            ],
            np.int64,
        )


@dataclass(frozen=True)
class Packed:
    """``plan`` [4 layers + 1, 3]: for each matrix the offset of its bytes, of its rows, and its padded row count."""

    shape: Shape
    bytes_: NDArray[np.int8]
    corrections: NDArray[np.int32]
    scales: Floats
    plan: NDArray[np.int64]
    norms: Floats  # [layers, 2, width]
    head_norms: Floats  # [layers, heads + kv_heads, head_dim]; [layers, 0, 0] where heads are not normed
    last_norm: Floats  # [width]
    cos: Floats  # [context, head_dim / 2]
    sin: Floats

    @property
    def block(self) -> tuple[NDArray[np.int8], NDArray[np.int32], Floats, NDArray[np.int64]]:
        """What the products read."""
        return self.bytes_, self.corrections, self.scales, self.plan


def quantize_rows(weight: Floats) -> tuple[NDArray[np.int8], Floats]:
    """weight [n, k] -> int8 [n, k] and scale [n]: round(w / scale) with scale = max |row| / 127."""
    scale = np.abs(weight).max(axis=1) / np.float32(127)
    scale[scale == 0] = 1
    return np.rint(weight / scale[:, None]).astype(np.int8), scale.astype(np.float32)


def interleave(matrix: NDArray[np.int8]) -> NDArray[np.int8]:
    """int8 [n, k] -> [n / 16, k / 4, 16, 4], zero rows up to a whole vector (see `tiles`)."""
    n, k = matrix.shape
    padded = np.zeros((-(-n // 16) * 16, k), np.int8)
    padded[:n] = matrix
    return np.ascontiguousarray(padded.reshape(-1, 16, k // 4, 4).transpose(0, 2, 1, 3))


def pack(shape: Shape, weights: Mapping[str, Floats], cos: Floats, sin: Floats) -> Packed:
    """``weights`` by name: ``{layer}.qkv`` [(H + 2 KV) d, D], ``.out``, ``.gate_up`` [2 F, D], ``.down``, ``.norms`` [2, D],
    ``.head_norms`` [H + KV, d] (or none), and ``embed`` [V, D], ``norm`` [D]. Raises KeyError for a missing one.
    """
    names = [f"{layer}.{name}" for layer in range(shape.layers) for name in MATRICES] + ["embed"]
    parts, corrections, scales, plan = [], [], [], []
    at = row = 0
    for name in names:
        rounded, scale = quantize_rows(np.ascontiguousarray(weights[name], dtype=np.float32))
        packed = interleave(rounded)
        rows = packed.shape[0] * 16
        plan.append((at, row, rows))
        parts.append(packed.ravel())
        corrections.append(_padded(128 * rounded.astype(np.int32).sum(1), rows))
        scales.append(_padded(scale, rows))
        at, row = at + packed.size, row + rows
    return Packed(
        shape,
        np.concatenate(parts),
        np.concatenate(corrections).astype(np.int32),
        np.concatenate(scales).astype(np.float32),
        np.array(plan, np.int64),
        _stack(weights, shape, "norms"),
        _stack(weights, shape, "head_norms") if "0.head_norms" in weights else np.zeros((shape.layers, 0, 0), np.float32),
        np.ascontiguousarray(weights["norm"], dtype=np.float32),
        np.ascontiguousarray(cos, dtype=np.float32),
        np.ascontiguousarray(sin, dtype=np.float32),
    )


def _padded(values: NDArray[Any], rows: int) -> NDArray[Any]:
    return np.concatenate((values, np.zeros(rows - len(values), values.dtype)))


def _stack(weights: Mapping[str, Floats], shape: Shape, name: str) -> Floats:
    return np.ascontiguousarray(np.stack([weights[f"{layer}.{name}"] for layer in range(shape.layers)]), dtype=np.float32)


class Memory:
    """Keys and values of one context in half precision: keys [L, KV, S / 64, d, 64], values [L, KV, S, d]."""

    def __init__(self, shape: Shape) -> None:
        length = int(shape.numbers()[-1])
        self.keys = np.empty((shape.layers, shape.kv_heads, length // BLOCK, shape.head_dim, BLOCK), np.float16)
        self.values = np.empty((shape.layers, shape.kv_heads, length, shape.head_dim), np.float16)
        self.addresses = self.keys.ctypes.data, self.values.ctypes.data

    def copy(self, other: Memory, length: int) -> None:
        """Become the first ``length`` tokens of another context."""
        blocks = -(-length // BLOCK)
        self.keys[:, :, :blocks] = other.keys[:, :, :blocks]
        self.values[:, :, :length] = other.values[:, :, :length]


class Scratch:
    """What a pass of up to `MOST_ROWS` tokens writes in between; reused from pass to pass. One part of it is for all threads
    of the pass, the other there once for each.
    """

    def __init__(self, shape: Shape, threads: int = 1) -> None:
        heads = (shape.heads + 2 * shape.kv_heads) * shape.head_dim
        mixed = shape.heads * shape.head_dim
        length = int(shape.numbers()[-1])
        group = shape.heads // shape.kv_heads
        unit = TILE_ROWS * group
        self.stripe = max(1, min(-(-MOST_ROWS // TILE_ROWS), STRIPE // length // unit)) * unit
        common = heads, mixed, shape.width, 2 * shape.hidden, shape.width  # heads, mixed, projected, gate and up, handed over
        own = (
            *(MOST_ROWS * size for size in (shape.width, shape.width, mixed, mixed)),  # stream, normed, queries, attended
            self.stripe * length,
            shape.head_dim * BLOCK,
            MOST_ROWS,
            shape.head_dim,
        )
        self.common, self.common_offsets = _cut(tuple(MOST_ROWS * size for size in common), 1)
        self.own, self.own_offsets = _cut(own, threads)
        self.bytes_ = np.empty((threads, -(-MOST_ROWS * max(shape.width, shape.hidden, mixed) // LINE) * LINE), np.uint8)


def _cut(sizes: tuple[int, ...], copies: int) -> tuple[Floats, tuple[int, ...]]:
    """Memory for ``copies`` of arrays of these sizes, [copies, all], and where each array begins; none shares a line."""
    padded = [-(-size * 4 // LINE) * LINE for size in sizes]
    return np.empty((copies, sum(padded) // 4), np.float32), tuple(int(at) for at in np.cumsum([0, *padded[:-1]]))
