"""Positional attention (arXiv 2410.01686, section 3): weights from positions alone, so they cannot read the text.

Shown to learn algorithms that do not depend on values; kept here for comparison, not for code.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kernels.mixers.dense import attention


def encodings(steps: int, size: int, device: torch.device | None = None) -> Tensor:
    """Sinusoids [T, size] (arXiv 1706.03762, section 3.5); ``size`` is even."""
    rates = torch.exp(-torch.arange(0, size, 2, device=device) / size * torch.log(torch.tensor(10_000.0)))
    angles = torch.arange(steps, device=device)[:, None] * rates
    return torch.cat((angles.sin(), angles.cos()), dim=-1)


def mix(v: Tensor, queries: Tensor, keys: Tensor) -> Tensor:
    """v [H, T, E]; queries and keys [H, size, D] turn positions into both sides. Returns [H, T, E]."""
    places = encodings(v.shape[1], queries.shape[1], v.device).to(v.dtype)
    return attention(places @ queries, places @ keys, v)
