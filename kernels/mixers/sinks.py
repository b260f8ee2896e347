"""What becomes of the attention sink (arXiv 2410.10781, section 5): a key of its own without a value, or no normalisation.

`key_bias` gives every head one learned key whose value is zero: the sink moves there and the first token is free. `sigmoid`
weighs each key by itself, so that no weight has to go anywhere. Both run in Triton on a GPU where no gradient is wanted, in
torch elsewhere.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels.mixers.dense import by_kernel, by_rows, causal, fused, logits


def key_bias(q: Tensor, k: Tensor, v: Tensor, key: Tensor) -> Tensor:
    """key [H, D]: one more key for each head, seen by every query. Returns [H, T, E]."""
    if by_kernel(q, k, v, key):
        from kernels.mixers import weighing_gpu

        return weighing_gpu.key_bias(q, k, v, key)
    seen = F.pad(causal(q.shape[1], q.device), (1, 0), value=True)
    return fused(q, torch.cat((key[:, None], k), dim=1), F.pad(v, (0, 0, 1, 0)), seen)


def key_bias_loop(q: Tensor, k: Tensor, v: Tensor, key: Tensor) -> Tensor:
    """The same query by query: the own key takes its share of the softmax and gives nothing."""
    rows = []
    for t in range(q.shape[1]):
        theirs, own = (torch.exp(logits(q[:, t : t + 1], x)) for x in (k[:, : t + 1], key[:, None]))
        rows.append(theirs @ v[:, : t + 1] / (theirs.sum(dim=-1, keepdim=True) + own))
    return torch.cat(rows, dim=1)


def sigmoid(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Weights sigmoid(logit - log n), n keys seen: begins as near to their mean as a softmax (arXiv 2409.04431, section 3)."""
    if by_kernel(q, k, v):
        from kernels.mixers import weighing_gpu

        return weighing_gpu.sigmoid(q, k, v)
    return by_rows(q, k, v, _each_by_itself)


def _each_by_itself(scores: Tensor, seen: Tensor, counts: Tensor) -> Tensor:
    return torch.sigmoid(scores - torch.log(counts)).masked_fill(~seen, 0.0)


def sigmoid_loop(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The same query by query, from the logistic function as it is written: n e^-logit + 1 below one."""
    rows = []
    for t in range(q.shape[1]):
        weights = 1 / (1 + (t + 1) * torch.exp(-logits(q[:, t : t + 1], k[:, : t + 1])))
        rows.append(weights @ v[:, : t + 1])
    return torch.cat(rows, dim=1)
