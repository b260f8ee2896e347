"""Quantised keys, values and weights as Triton kernels; contracts as in `kernels.quantize.reference`. Needs triton.

int8 attention is fused (the kernel of `kernels.attention.gpu` scales logits and weights); int4 is widened by a kernel of its
own first, which saves memory but no traffic.
"""

from __future__ import annotations

import torch
import triton
from torch import Tensor

from kernels.attention import gpu
from kernels.attention.spec import DENSE, Answer, Spec
from kernels.launch import operands, sums
from kernels.quantize.reference import GROUP, MOST
from kernels.quantize.triton_kernel import linear_kernel, quantise_kernel, widen_kernel


def quantise(x: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """See the reference."""
    flat, size = x.contiguous().view(-1, x.shape[-1]), x.shape[-1]
    four = bits == 4
    levels = torch.empty(*x.shape[:-1], size // 2 if four else size, dtype=torch.uint8 if four else torch.int8, device=x.device)
    sizes = torch.empty(*x.shape[:-1], size // GROUP if four else 1, dtype=torch.float32, device=x.device)
    width = triton.next_power_of_2(size // 2 if four else size)
    quantise_kernel[(flat.shape[0],)](flat, levels, sizes, D=size, BD=width, SPAN=GROUP, MOST=MOST[bits], FOUR=four)
    return levels, sizes


def dequantise(levels: Tensor, size: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """levels [KV, N, D or D / 2], sizes [KV, N, groups] -> [KV, N, D]."""
    four = levels.dtype == torch.uint8
    width = levels.shape[2] * (2 if four else 1)
    x = torch.empty(*levels.shape[:2], width, dtype=dtype, device=levels.device)
    widen_kernel[(levels.shape[1], levels.shape[0])](
        levels, size, x, levels.stride(0), levels.stride(1), size.stride(0), size.stride(1), x.stride(0),
        D=width, BD=triton.next_power_of_2(width), SPAN=width // size.shape[2], FOUR=four,
    )  # fmt: skip
    return x


def attend(q: Tensor, k: tuple[Tensor, Tensor], v: tuple[Tensor, Tensor], spec: Spec = DENSE) -> Answer:
    """int8: levels go into the kernel as they are."""
    if k[0].dtype == torch.int8:
        return gpu.attend(q, k[0], v[0], spec, scales=(k[1][..., 0].contiguous(), v[1][..., 0].contiguous()))
    return gpu.attend(q, dequantise(*k, dtype=q.dtype), dequantise(*v, dtype=q.dtype), spec)


def linear(x: Tensor, levels: Tensor, size: Tensor) -> Tensor:
    """x [T, K], levels [N, K] int8, size [N]. See the reference."""
    tokens, rows = x.shape[0], levels.shape[0]
    out = torch.empty(tokens, rows, dtype=x.dtype, device=x.device)
    linear_kernel[(triton.cdiv(rows, 64), triton.cdiv(tokens, 16))](
        x, levels, size, out, x.stride(0), levels.stride(0), out.stride(0), tokens, rows,
        K=x.shape[1], BT=16, BN=64, BK=64, UP=operands(x), ACC=sums(x),
    )  # fmt: skip
    return out
