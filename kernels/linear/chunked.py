"""Linear attention and gated scans in chunks of torch operators: for CPUs, and for training anywhere (autograd goes through).

Same contracts as in `kernels.linear.reference`. Inside a chunk a small square of products, between chunks one state: T steps
cost T / `CHUNK` matrix products instead of T outer ones.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

CHUNK = 64
"""Steps of a chunk: the square inside costs CHUNK a step, a state D; 64 is no more than the D of common heads."""


def linear(
    q: Tensor, k: Tensor, v: Tensor, decay: Tensor | None = None, state: Tensor | None = None, chunk: int = CHUNK
) -> tuple[Tensor, Tensor]:
    """See `reference.linear` (blocks after Lightning Attention-2, arXiv 2401.04658, section 3.2)."""
    held = q.new_zeros(q.shape[0], q.shape[2], v.shape[2]) if state is None else state
    outs = []
    for a in range(0, q.shape[1], chunk):
        rows = slice(a, a + chunk)
        steps = None if decay is None else decay if decay.dim() == 1 else decay[:, rows]
        out, held = _chunk(q[:, rows], k[:, rows], v[:, rows], steps, held)
        outs.append(out)
    return torch.cat(outs, dim=1) if outs else v.new_zeros(v.shape), held


def step(q: Tensor, k: Tensor, v: Tensor, decay: Tensor | None, state: Tensor) -> tuple[Tensor, Tensor]:
    """See `reference.step`: the product and the sum in one pass over the state."""
    kept = state if decay is None else state * torch.exp(decay).to(state.dtype)[:, None, None]
    held = torch.baddbmm(kept, k[:, :, None], v[:, None])
    return torch.bmm(q[:, None], held)[:, 0], held


def _chunk(q: Tensor, k: Tensor, v: Tensor, decay: Tensor | None, state: Tensor) -> tuple[Tensor, Tensor]:
    """The rows among each other under the causal square, and what the state says; every factor is at most 1."""
    scores = q @ k.transpose(1, 2)
    if decay is None:
        return scores.tril() @ v + q @ state, state + k.transpose(1, 2) @ v
    total = _since_start(decay, q.shape[1])
    between = (total[:, :, None] - total[:, None, :]).tril()  # the upper half would overflow before it is cut off
    out = (scores * torch.exp(between)).tril() @ v + torch.exp(total)[:, :, None] * (q @ state)
    left = torch.exp(total[:, -1:] - total)[:, :, None]
    return out, torch.exp(total[:, -1])[:, None, None] * state + (k * left).transpose(1, 2) @ v


def _since_start(decay: Tensor, steps: int) -> Tensor:
    """The log decay from before the first step to after each, [H, steps]."""
    if decay.dim() == 1:
        return decay[:, None] * torch.arange(1, steps + 1, dtype=decay.dtype, device=decay.device)
    return decay.cumsum(dim=1)


def scan(x: Tensor, decay: Tensor, state: Tensor | None = None, chunk: int = CHUNK) -> Tensor:
    """See `reference.scan`: all chunks walk their steps side by side, then each gets what the one before it carries over.

    Half precision is walked in float32: a product of rounded factors drifts (an error of 0.10 over 1,024 steps in bfloat16,
    where one rounding leaves 0.03), at 1.5 times the time.
    """
    steps = x.shape[1]
    if not steps:
        return torch.zeros_like(x)
    if x.dtype in (torch.float16, torch.bfloat16):
        return scan(x.float(), decay.float(), None if state is None else state.float(), chunk).to(x.dtype)
    pad = -steps % chunk
    shape = (x.shape[0], -1, chunk, x.shape[2])
    parts, kept = F.pad(x, (0, 0, 0, pad)).reshape(shape), F.pad(decay, (0, 0, 0, pad), value=1.0).reshape(shape)
    inside, through = [parts[:, :, 0]], [kept[:, :, 0]]
    for t in range(1, chunk):
        inside.append(kept[:, :, t] * inside[-1] + parts[:, :, t])
        through.append(kept[:, :, t] * through[-1])
    local, factor = torch.stack(inside, dim=2), torch.stack(through, dim=2)
    carried = torch.zeros_like(x[:, 0]) if state is None else state
    entering = []
    for i in range(parts.shape[1]):
        entering.append(carried)
        carried = factor[:, i, -1] * carried + local[:, i, -1]
    return (local + factor * torch.stack(entering, dim=1)[:, :, None]).flatten(1, 2)[:, :steps]
