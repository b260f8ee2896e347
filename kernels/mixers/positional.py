"""Positional attention (arXiv 2410.01686, section 3): weights from positions alone, so they cannot read the text.

Shown to learn algorithms that do not depend on values; kept here for comparison, not for code.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kernels.mixers.dense import by_kernel, by_rows, softmax


def encodings(steps: int, size: int, device: torch.device | None = None) -> Tensor:
    """Sinusoids [T, size] (arXiv 1706.03762, section 3.5), float64; ``size`` is even."""
    rates = 10_000.0 ** (-torch.arange(0, size, 2, device=device, dtype=torch.float64) / size)
    angles = torch.arange(steps, device=device)[:, None] * rates
    return torch.cat((angles.sin(), angles.cos()), dim=-1)


def mix(v: Tensor, queries: Tensor, keys: Tensor) -> Tensor:
    """v [B H, T, E]; queries and keys [H, size, D] turn positions into both sides. Returns [B H, T, E].

    The weights are the same for each of the B texts and are made once (B = 8 of 256 tokens: 2.3 times as fast as for each).
    """
    if by_kernel(v, queries, keys):
        from kernels.mixers import gpu

        return gpu.positional(v, queries, keys)
    heads, steps = len(queries), v.shape[1]
    values = v.reshape(-1, heads, steps, v.shape[2]).permute(1, 2, 0, 3).flatten(2)
    out = by_rows(*sides(v, queries, keys), values, lambda scores, seen, counts: softmax(scores, seen))
    return out.reshape(heads, steps, -1, v.shape[2]).permute(2, 0, 1, 3).flatten(0, 1)


def sides(v: Tensor, queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    """Both sides of the product for the positions of v, [H, T, D] each."""
    places = encodings(v.shape[1], queries.shape[1], v.device).to(v.dtype)
    return places @ queries, places @ keys


def loop(v: Tensor, queries: Tensor, keys: Tensor) -> Tensor:
    """The same number by number: the definition."""
    size, outs = queries.shape[1], []
    rates = [10_000 ** (-2 * i / size) for i in range(size // 2)]
    places = [v.new_tensor([f(t * rate) for f in (math.sin, math.cos) for rate in rates]) for t in range(v.shape[1])]
    for number, values in enumerate(v):
        head, rows = number % len(queries), []
        for t, place in enumerate(places):
            asked = place @ queries[head]
            weights = [torch.exp((asked * (other @ keys[head])).sum() / math.sqrt(keys.shape[2])) for other in places[: t + 1]]
            rows.append(sum(weight * value for weight, value in zip(weights, values, strict=False)) / sum(weights))
        outs.append(torch.stack(rows))
    return torch.stack(outs)
