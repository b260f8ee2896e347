"""Muon: momentum whose matrix updates are orthogonalised by a Newton-Schulz iteration (Jordan et al., 2024).

Knows parameters and gradients. A stacked projection (queries over keys over values, gate over up) is orthogonalised part by
part, because the parts are separate maps that merely share one product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

_QUINTIC = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrix: Tensor, steps: int = 5) -> Tensor:
    """The nearest half-orthogonal matrix to ``matrix`` [m, n], roughly: singular values land in about 0.7 .. 1.2."""
    a, b, c = _QUINTIC
    x = matrix.to(torch.bfloat16)
    tall = x.shape[0] > x.shape[1]
    x = x.t() if tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.t()
        x = a * x + (b * gram + c * gram @ gram) @ x
    out: Tensor = x.t() if tall else x
    return out


class Muon(Optimizer):
    """For matrices only. Each group may hold ``rows``: how many output rows each part of its stacked matrices has."""

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, momentum: float = 0.95) -> None:
        super().__init__(groups, {"lr": lr, "momentum": momentum, "rows": None})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        if closure is not None:
            raise NotImplementedError("Muon takes no closure")
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group)

    def _update(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state, grad = self.state[parameter], parameter.grad
        assert grad is not None
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        average = state["momentum"].lerp_(grad, 1 - group["momentum"])
        nesterov = grad.lerp(average, group["momentum"])
        sizes = group["rows"] or [parameter.shape[0]]
        for part, target in zip(torch.split(nesterov, sizes), torch.split(parameter, sizes), strict=True):
            scale = max(1.0, part.shape[0] / part.shape[1]) ** 0.5
            target.add_(orthogonalise(part).to(target.dtype), alpha=-group["lr"] * scale)
