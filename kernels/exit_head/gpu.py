"""RMSNorm, output matrix and the exit's three numbers in one Triton kernel; contract of the reference. Needs triton.

A program owns a tile of the vocabulary and leaves its greatest logit, its token and its sum of exponentials; the tiles' numbers
(a few hundred a row) are joined by torch. The logits never reach memory.
"""

from __future__ import annotations

import torch
import triton
from torch import Tensor

from kernels.exit_head.triton_kernel import best_kernel
from kernels.launch import operands, sums


def best(x: Tensor, norm: Tensor, head: Tensor, size: Tensor | None = None, eps: float = 1e-6) -> tuple[Tensor, Tensor, Tensor]:
    """See the reference."""
    exact = torch.promote_types(x.dtype, torch.float32)
    tiles = triton.cdiv(head.shape[0], 64)
    top, lse = (torch.empty(x.shape[0], tiles, dtype=exact, device=x.device) for _ in range(2))
    token = torch.empty(x.shape[0], tiles, dtype=torch.int64, device=x.device)
    best_kernel[(tiles, triton.cdiv(x.shape[0], 16))](
        x, norm, head, norm if size is None else size, top, token, lse, x.stride(0), head.stride(0), tiles,
        x.shape[0], head.shape[0], eps, K=x.shape[1], BT=16, BV=64, BK=64, SIZED=size is not None, UP=operands(x), ACC=sums(x),
    )  # fmt: skip
    most, which = top.max(dim=1)
    return token.gather(1, which[:, None])[:, 0], most, torch.logsumexp(lse, dim=1)
