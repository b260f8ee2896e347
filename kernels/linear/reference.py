"""Linear attention and gated scans one step at a time: what the chunked forms are checked against, exact in float64.

Shapes: H heads (fold batches into them), T steps, D the size of queries and keys, E that of values. Decays are natural logs,
0 or less, so that no product of them grows. Knows tensors only.
"""

from __future__ import annotations

import torch
from torch import Tensor


def linear(q: Tensor, k: Tensor, v: Tensor, decay: Tensor | None = None, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """o_t = q_t S_t with S_t = exp(decay_t) S_{t-1} + k_t^T v_t ("Transformers are RNNs", arXiv 2006.16236, section 3.4).

    q and k [H, T, D], v [H, T, E], decay [H] (one for all steps) or [H, T]; state [H, D, E] is S_0. Gives o [H, T, E] and S_T.
    Whoever wants a denominator gives v a column of ones and divides by what comes back in it.
    """
    held = q.new_zeros(q.shape[0], q.shape[2], v.shape[2]) if state is None else state
    outs = []
    for t in range(q.shape[1]):
        out, held = step(q[:, t], k[:, t], v[:, t], _at(decay, t), held)
        outs.append(out)
    return torch.stack(outs, dim=1) if outs else v.new_zeros(v.shape), held


def step(q: Tensor, k: Tensor, v: Tensor, decay: Tensor | None, state: Tensor) -> tuple[Tensor, Tensor]:
    """One token: q and k [H, D], v [H, E], decay [H], state [H, D, E] -> what the query finds [H, E], and the new state."""
    kept = state if decay is None else state * torch.exp(decay)[:, None, None]
    held = kept + k[:, :, None] * v[:, None, :]
    return torch.einsum("hd,hde->he", q, held), held


def scan(x: Tensor, decay: Tensor, state: Tensor | None = None) -> Tensor:
    """h_t = decay_t h_{t-1} + x_t, element by element: x and decay [H, T, C], real or complex, |decay| <= 1; state [H, C].

    Returns all h [H, T, C]; the last one is the next stretch's state.
    """
    held = torch.zeros_like(x[:, 0]) if state is None else state
    rows = []
    for t in range(x.shape[1]):
        held = decay[:, t] * held + x[:, t]
        rows.append(held)
    return torch.stack(rows, dim=1)


def _at(decay: Tensor | None, t: int) -> Tensor | None:
    return decay if decay is None or decay.dim() == 1 else decay[:, t]
