"""Orthogonal updates, part by part."""

from __future__ import annotations

import pytest
import torch

from assistant.training.muon import Muon, orthogonalise


@pytest.mark.parametrize("shape", [(16, 64), (64, 16), (32, 32)])
def test_singular_values_come_near_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalise(matrix).float())
    assert float(values.min()) > 0.5
    assert float(values.max()) < 1.3  # the quintic of five steps ends within 0.7 .. 1.2, bf16 adds a little


def test_stacked_parts_do_not_mix() -> None:
    generator = torch.Generator().manual_seed(0)
    grad = torch.randn(24, 16, generator=generator)
    grad[16:] *= 1000  # a part with large gradients must not shrink the other's update
    stacked = torch.nn.Parameter(torch.zeros(24, 16))
    stacked.grad = grad
    Muon([{"params": [stacked], "rows": [16, 8]}], lr=1.0).step()
    for part, start, stop in ((grad[:16], 0, 16), (grad[16:], 16, 24)):
        alone = torch.nn.Parameter(torch.zeros_like(part))
        alone.grad = part.clone()
        Muon([{"params": [alone]}], lr=1.0).step()
        torch.testing.assert_close(stacked.detach()[start:stop], alone.detach())
        assert float(alone.detach().abs().max()) > 0.01
