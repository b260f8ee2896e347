"""What becomes of the attention sink (arXiv 2410.10781, section 5): a key of its own without a value, or no normalisation.

`key_bias` gives every head one learned key whose value is zero: the sink moves there and the first token is free. `sigmoid`
weighs each key by itself, so that no weight has to go anywhere.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kernels.mixers.dense import causal, logits


def key_bias(q: Tensor, k: Tensor, v: Tensor, key: Tensor) -> Tensor:
    """key [H, D]: one more key for each head, seen by every query. Returns [H, T, E]."""
    scores = logits(q, k).masked_fill(~causal(q.shape[1], q.device), -torch.inf)
    extra = logits(q, key[:, None])
    return torch.softmax(torch.cat((extra, scores), dim=-1), dim=-1)[..., 1:] @ v


def key_bias_by_lse(q: Tensor, k: Tensor, v: Tensor, key: Tensor) -> Tensor:
    """The same as a sink logit behind plain attention: what fused kernels do with their log denominators."""
    seen = causal(q.shape[1], q.device)
    scores = logits(q, k).masked_fill(~seen, -torch.inf)
    lse = torch.logsumexp(scores, dim=-1, keepdim=True)
    return torch.sigmoid(lse - logits(q, key[:, None])) * (torch.softmax(scores, dim=-1) @ v)


def sigmoid(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Weights sigmoid(logit - log n), n keys seen: begins as near to their mean as a softmax (arXiv 2409.04431, section 3)."""
    seen = causal(q.shape[1], q.device)
    counts = torch.arange(1, q.shape[1] + 1, device=q.device, dtype=q.dtype)[:, None]
    return torch.sigmoid(logits(q, k) - torch.log(counts)).masked_fill(~seen, 0.0) @ v
