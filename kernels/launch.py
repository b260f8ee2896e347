"""What every launch of a Triton kernel must decide: the types it multiplies and sums in, and sizes as powers of two. Needs
triton.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor


def sums(x: Tensor) -> Any:
    """float32; float64 where the logic is checked in float64."""
    return tl.float64 if x.dtype == torch.float64 else tl.float32


def operands(x: Tensor) -> Any:
    """What `tl.dot` multiplies: half precision as it is on a GPU. The interpreter's bfloat16 product is garbage: float32
    there.
    """
    if x.is_cuda and x.dtype in (torch.float16, torch.bfloat16):
        return tl.bfloat16 if x.dtype == torch.bfloat16 else tl.float16
    return sums(x)


def power(number: int) -> int:
    """The next power of two, 16 at least: the shortest side of a product on tensor cores."""
    return max(16, int(triton.next_power_of_2(number)))
