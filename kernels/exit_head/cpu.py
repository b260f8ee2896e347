"""RMSNorm and output matrix in slices of the vocabulary that stay in the processor's cache; contract of the reference."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels.exit_head.reference import rms_norm
from kernels.quantize.cpu import linear

SLICE = 32768


def best(x: Tensor, norm: Tensor, head: Tensor, size: Tensor | None = None, eps: float = 1e-6) -> tuple[Tensor, Tensor, Tensor]:
    """See the reference."""
    normed = rms_norm(x, norm, eps)
    tokens, tops, lses = [], [], []
    for a in range(0, head.shape[0], SLICE):
        rows = head[a : a + SLICE]
        if size is None:
            logits = F.linear(normed.to(rows.dtype), rows).to(normed.dtype)
        else:
            logits = linear(normed, rows, size[a : a + SLICE])
        top, token = logits.max(dim=1)
        tokens.append(token + a)
        tops.append(top)
        lses.append(torch.logsumexp(logits, dim=1))
    every = torch.stack(tops)
    top, which = every.max(dim=0)
    return torch.stack(tokens).gather(0, which[None])[0], top, torch.logsumexp(torch.stack(lses), dim=0)
