"""Linear attention and gated scans on a GPU: lays out the work and starts the Triton kernels. Importing it needs triton.

Same contracts as in `kernels.linear.reference`, forward only: training goes through `kernels.linear.chunked`.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.linear.triton_kernel import linear_kernel, scan_kernel

CHUNK = 32
"""Steps of a chunk: with D = E = 128 in float32 the state takes half of a multiprocessor's registers."""


def linear(q: Tensor, k: Tensor, v: Tensor, decay: Tensor | None = None, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """See `reference.linear`; the returned state is float32, or float64 where the queries are."""
    heads, steps, size = q.shape
    width, wide = v.shape[2], torch.float64 if q.dtype == torch.float64 else torch.float32
    gates = q.new_zeros(heads, dtype=wide) if decay is None else decay.to(wide).contiguous()
    held = q.new_zeros(heads, size, width, dtype=wide) if state is None else state.to(wide).contiguous()
    out, last = torch.empty_like(v, memory_format=torch.contiguous_format), torch.empty_like(held)
    block = min(64, max(16, triton.next_power_of_2(width)))
    linear_kernel[(heads, triton.cdiv(width, block))](
        q.contiguous(), k.contiguous(), v.contiguous(), gates, held, out, last, steps, D=size, E=width,
        BD=max(16, triton.next_power_of_2(size)), BE=block, C=CHUNK, PER_STEP=gates.dim() == 2,
        WIDE=tl.float64 if wide == torch.float64 else tl.float32,
        PRECISION="tf32" if q.dtype in (torch.float16, torch.bfloat16) else "tf32x3", num_stages=1,
    )  # fmt: skip
    return out, last


def step(q: Tensor, k: Tensor, v: Tensor, decay: Tensor | None, state: Tensor) -> tuple[Tensor, Tensor]:
    """See `reference.step`: a chunk of one row, one launch."""
    out, held = linear(q[:, None], k[:, None], v[:, None], decay, state)
    return out[:, 0], held


def scan(x: Tensor, decay: Tensor, state: Tensor | None = None) -> Tensor:
    """See `reference.scan`. Complex numbers take twice the registers, so a program takes half as many channels."""
    heads, steps, channels = x.shape
    kind = torch.promote_types(x.dtype, decay.dtype) if decay.is_complex() else x.dtype
    held = x.new_zeros(heads, channels, dtype=kind) if state is None else state
    out = torch.empty(x.shape, dtype=kind, device=x.device)
    block = min(32 if kind.is_complex else 64, triton.next_power_of_2(channels))
    scan_kernel[(heads, triton.cdiv(channels, block))](
        *(_parts(each, kind) for each in (x, decay, held, out)), steps, C=channels, BC=block, L=CHUNK,
        COMPLEX=kind.is_complex, WIDE=tl.float64 if kind in (torch.float64, torch.complex128) else tl.float32,
    )  # fmt: skip
    return out


def _parts(x: Tensor, kind: torch.dtype) -> Tensor:
    """As the kernel reads it: in one piece, complex numbers as two real ones."""
    return torch.view_as_real(x.to(kind).resolve_conj().contiguous()) if kind.is_complex else x.contiguous()
