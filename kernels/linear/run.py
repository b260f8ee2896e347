"""Linear attention and gated scans on what fits: Triton on a GPU where no gradient is wanted, chunks of torch elsewhere.

Same contracts as in `kernels.linear.reference`. Knows devices; computes nothing.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from torch import Tensor

from kernels import dispatch
from kernels.linear import chunked


def linear(q: Tensor, k: Tensor, v: Tensor, decay: Tensor | None = None, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """See `reference.linear`."""
    found: tuple[Tensor, Tensor] = _backend(q, k, v, decay, state).linear(q, k, v, decay, state)
    return found


def step(q: Tensor, k: Tensor, v: Tensor, decay: Tensor | None, state: Tensor) -> tuple[Tensor, Tensor]:
    """See `reference.step`."""
    found: tuple[Tensor, Tensor] = _backend(q, k, v, decay, state).step(q, k, v, decay, state)
    return found


def scan(x: Tensor, decay: Tensor, state: Tensor | None = None, chunk: int = chunked.CHUNK) -> Tensor:
    """See `reference.scan`; ``chunk`` is that of torch's form."""
    backend = _backend(x, decay, state)
    if backend is chunked:
        return chunked.scan(x, decay, state, chunk)
    found: Tensor = backend.scan(x, decay, state)
    return found


def _backend(*given: Tensor | None) -> ModuleType:
    return importlib.import_module("kernels.linear.gpu") if dispatch.on_triton(*given) else chunked
