"""Ring self-attention (arXiv 2105.13120, 2310.01889): keys go round in chunks, each answer is merged by its log denominator.

On one machine it is exact attention whose keys never lie in memory at once; on several, each chunk of keys visits every device.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from kernels.mixers.dense import by_kernel, logits


def mix(q: Tensor, k: Tensor, v: Tensor, devices: int) -> Tensor:
    """q, k, v [H, T, D] cut into ``devices`` chunks of rows; what device i computes sees one chunk of keys at a time."""
    if by_kernel(q, k, v):
        from kernels.mixers import gpu

        return gpu.ring(q, k, v, devices)
    held = chunks(q.shape[1], devices)
    return torch.cat([_device(q, k, v, held, i) for i in range(devices)], dim=1)


def chunks(steps: int, devices: int) -> list[slice]:
    """The rows of each device; some have none where there are more devices than rows."""
    edges = [round(i * steps / devices) for i in range(devices + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


def _device(q: Tensor, k: Tensor, v: Tensor, held: list[slice], i: int) -> Tensor:
    """The ring as device i sees it: its own keys first, then what each neighbour passes on; later keys are not looked at."""
    rows = q[:, held[i]]
    out, lse = torch.zeros_like(v[:, held[i]]), rows.new_full(rows.shape[:2], -torch.inf)
    for turn in range(i + 1):
        j = i - turn
        part, own = _partial(rows, k[:, held[j]], v[:, held[j]], held[i].start - held[j].start)
        out, lse = merge(out, lse, part, own)
    return out


def _partial(q: Tensor, k: Tensor, v: Tensor, ahead: int) -> tuple[Tensor, Tensor]:
    """Attention to one chunk and its log denominators; the queries stand ``ahead`` rows behind the chunk's start."""
    seen = torch.ones(q.shape[1], k.shape[1], dtype=torch.bool, device=q.device).tril(diagonal=ahead)
    scores = logits(q, k).masked_fill(~seen, -torch.inf)
    return torch.softmax(scores, dim=-1) @ v, torch.logsumexp(scores, dim=-1)


def merge(out: Tensor, lse: Tensor, part: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    """One answer from two over disjoint keys; the first may have seen nothing (-inf)."""
    share = torch.sigmoid(own - lse)[..., None]
    return out + share * (part - out), torch.logaddexp(lse, own)
