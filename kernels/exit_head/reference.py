"""The end of a step, spelled out: RMSNorm, the output matrix, and what an exit asks of the logits. Never needs them all at
once.

An early exit wants the likeliest token, its logit and the log of the sum of exponentials (their difference is the token's log
probability, the exit's confidence): three numbers a row instead of a vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """arXiv 1910.07467 over the last dimension, in float32 or better."""
    exact = x.to(torch.promote_types(x.dtype, torch.float32))
    return exact * torch.rsqrt(exact.square().mean(dim=-1, keepdim=True) + eps) * weight.to(exact.dtype)


def best(x: Tensor, norm: Tensor, head: Tensor, size: Tensor | None = None, eps: float = 1e-6) -> tuple[Tensor, Tensor, Tensor]:
    """x [T, K], norm [K], head [V, K] (with ``size`` [V]: int8 levels) -> token [T] int64, its logit [T], lse [T].

    Among equal logits the smallest token wins.
    """
    normed = rms_norm(x, norm, eps)
    logits = normed @ head.to(normed.dtype).T
    if size is not None:
        logits = logits * size.to(logits.dtype)
    top = logits.max(dim=1, keepdim=True).values
    token = (logits == top).int().argmax(dim=1)
    return token, top[:, 0], torch.logsumexp(logits, dim=1)
