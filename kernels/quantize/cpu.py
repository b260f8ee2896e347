"""Quantised keys, values and weights through torch on a CPU; contracts as in `kernels.quantize.reference`.

Few query rows go to the compiled attention, which widens a row of levels where it reads it. Without it int8 keys and values
halve the cache's memory and cost time: no torch kernel multiplies them without widening first. Weights do gain in torch too: it
has an int8 product.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels.attention import compiled, cpu
from kernels.attention.spec import DENSE, Answer, Spec
from kernels.attention.torch_flash import dense, merge, pack
from kernels.quantize.reference import GROUP, MOST, dequantise, packed

__all__ = ["attend", "dequantise", "linear", "quantise"]


def quantise(x: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """See the reference; here every step but the first works in place."""
    groups = x.float().reshape(*x.shape[:-1], -1, GROUP if bits == 4 else x.shape[-1])
    size = groups.abs().amax(dim=-1, keepdim=True).div_(MOST[bits])
    levels = groups.div(torch.where(size > 0, size, 1.0)).round_().to(torch.int8).flatten(-2)
    return (packed(levels) if bits == 4 else levels), size.squeeze(-1)


PIECE = 2048
"""Keys widened at a time: what is widened is still in the cache when it is used."""
FEW_ROWS = 4
WHOLE = 32
"""torch's int8 product reads behind rows that are no multiple of its vectors: garbage or a crash (torch 2.13, 40 and 100)."""


def attend(q: Tensor, k: tuple[Tensor, Tensor], v: tuple[Tensor, Tensor], spec: Spec = DENSE) -> Answer:
    """One plain row goes piece by piece without ever holding all keys wide."""
    found = compiled.attend_levels(q, k, v, spec, k[0].shape[1] - q.shape[1])
    if found is not None:
        return found if spec.sink_logit is None else cpu.with_sink(found, spec.sink_logit)
    if spec != DENSE or q.shape[1] > 1:
        return cpu.attend(q, dequantise(*k, dtype=q.dtype), dequantise(*v, dtype=q.dtype), spec)
    rows, scale = pack(q, k[0].shape[0]), q.shape[2] ** -0.5
    parts = []
    for a in range(0, k[0].shape[1], PIECE):
        keys, values = (dequantise(x[0][:, a : a + PIECE], x[1][:, a : a + PIECE], q.dtype) for x in (k, v))
        parts.append(dense(rows, keys, values, scale, 1))
    out, lse = merge(parts)
    return Answer(out.reshape(q.shape), lse.reshape(q.shape[:2]))


def linear(x: Tensor, levels: Tensor, size: Tensor) -> Tensor:
    """Few rows use torch's int8 product, fast for bfloat16 rows only; more rows widen the weights once."""
    fits = x.shape[0] <= FEW_ROWS and x.shape[1] % WHOLE == 0
    if fits and x.dtype in (torch.float32, torch.bfloat16):
        product = torch._weight_int8pack_mm(x.bfloat16(), levels, size.bfloat16().new_ones(size.shape))
        return (product.float() * size.float()).to(x.dtype)
    exact = torch.promote_types(x.dtype, torch.float32)
    return (F.linear(x, levels.to(x.dtype)).to(exact) * size.to(exact)).to(x.dtype)
