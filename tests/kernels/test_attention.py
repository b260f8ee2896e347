"""The CPU attention against the spelled-out reference: odd shapes, grouped heads, and garbage behind the cache's end."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from kernels.attention import cpu, reference

SHAPES = [
    # heads, kv_heads, queries, start, capacity, head_dim
    (3, 1, 1, 0, 1, 64),
    (3, 1, 1, 62, 1024, 64),
    (4, 2, 1, 63, 64, 16),
    (4, 4, 1, 7, 9, 8),
    (3, 1, 63, 0, 63, 64),
    (3, 1, 5, 60, 80, 64),
    (4, 2, 17, 1, 33, 10),
    (6, 2, 64, 129, 200, 32),
]


def _id(shape: tuple[int, ...]) -> str:
    return "H{}-KV{}-T{}-start{}-S{}-d{}".format(*shape)


def _inputs(shape: tuple[int, ...], batch: tuple[int, ...] = ()) -> tuple[Tensor, Tensor, Tensor]:
    heads, kv_heads, queries, start, capacity, dim = shape
    generator = torch.Generator().manual_seed(sum(shape))
    q = torch.randn(*batch, heads, queries, dim, generator=generator)
    k, v = torch.randn(2, *batch, kv_heads, capacity, dim, generator=generator)
    k[..., start + queries :, :] = math.nan  # a cache's unwritten end: whoever reads it answers NaN
    v[..., start + queries :, :] = math.nan
    return q, k, v


@pytest.mark.parametrize("shape", SHAPES, ids=_id)
@pytest.mark.parametrize("batch", [(), (1,), (2,)], ids=str)
def test_equals_the_reference(shape: tuple[int, ...], batch: tuple[int, ...]) -> None:
    q, k, v = _inputs(shape, batch)
    expected = reference.attention(q, k, v, start=shape[3])
    got = cpu.attention(q, k, v, start=shape[3])
    # fp32 sums of up to 200 products in another order, values of size 1: 200 * 6e-8 leaves a factor of ten at 1e-4 * 1.
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES, ids=_id)
def test_takes_views_of_a_larger_tensor(shape: tuple[int, ...]) -> None:
    """The engine hands over slices of a fused projection, which are not contiguous."""
    q, k, v = _inputs(shape)
    wide = torch.cat((q, q), dim=-1).transpose(-3, -2).contiguous()
    view = wide[..., : q.shape[-1]].transpose(-3, -2)
    torch.testing.assert_close(cpu.attention(view, k, v, shape[3]), cpu.attention(q, k, v, shape[3]), rtol=1e-4, atol=1e-5)


def test_a_later_key_changes_no_earlier_query() -> None:
    q, k, v = _inputs((3, 1, 5, 0, 5, 16))
    before = cpu.attention(q, k, v)
    k[..., 3, :], v[..., 3, :] = 9.0, 9.0
    after = cpu.attention(q, k, v)
    torch.testing.assert_close(after[..., :3, :], before[..., :3, :], rtol=0, atol=0)
    assert not torch.allclose(after[..., 3:, :], before[..., 3:, :])
