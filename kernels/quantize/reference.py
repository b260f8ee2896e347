"""int8 and int4 keys and values, and int8 weights, spelled out. Symmetric levels: no zero point, so a zero stays a zero.

A row's dims share one size in int8; in int4 every `GROUP` dims do, and a byte holds dim j below and dim j + D / 2 above.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kernels.attention import reference
from kernels.attention.spec import DENSE, Answer, Spec

GROUP = 32
"""Dims that share an int4 size: 16 levels need a narrow range; one size a row loses 4 dB on post-RoPE keys."""
MOST = {8: 127, 4: 7}


def quantise(x: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """x [..., D] -> levels int8 [..., D] or packed uint8 [..., D / 2], sizes float32 [..., 1] or [..., D / GROUP].

    Level = round to even(x / size), size = greatest magnitude / 127 (or 7). int4 wants D to be a multiple of 2 * GROUP.
    """
    groups = x.float().reshape(*x.shape[:-1], -1, GROUP if bits == 4 else x.shape[-1])
    size = groups.abs().amax(dim=-1, keepdim=True) / MOST[bits]
    levels = torch.round(groups / torch.where(size > 0, size, 1.0)).to(torch.int8).flatten(-2)
    return (packed(levels) if bits == 4 else levels), size.squeeze(-1)


def packed(levels: Tensor) -> Tensor:
    """Two levels of int4 a byte, [..., D] -> [..., D / 2]."""
    low, high = (levels + 8).to(torch.uint8).chunk(2, dim=-1)
    return low | (high << 4)


def dequantise(levels: Tensor, size: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """The values that levels stand for, [..., D]. Packed int4 is told by its uint8."""
    if levels.dtype == torch.uint8:
        levels = torch.cat((levels & 15, levels >> 4), dim=-1).to(torch.int8) - 8
    exact = torch.promote_types(dtype, torch.float32)
    if size.shape[-1] == 1:
        return (levels * size.to(exact)).to(dtype)
    return (levels.to(exact).reshape(*size.shape, -1) * size[..., None].to(exact)).flatten(-2).to(dtype)


def attend(q: Tensor, k: tuple[Tensor, Tensor], v: tuple[Tensor, Tensor], spec: Spec = DENSE) -> Answer:
    """`reference.attend` over quantised keys and values (levels, sizes): what is stored is what is looked at."""
    return reference.attend(q, dequantise(*k, dtype=q.dtype), dequantise(*v, dtype=q.dtype), spec)


def linear(x: Tensor, levels: Tensor, size: Tensor) -> Tensor:
    """x [T, K] times int8 weights [N, K] with a size for each row [N] -> [T, N]: weight-only, x keeps its precision."""
    exact = torch.promote_types(x.dtype, torch.float32)
    return ((x.to(exact) @ levels.to(exact).T) * size.to(exact)).to(x.dtype)
