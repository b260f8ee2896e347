"""What a choice asks of keys, as compiled code: scores, votes and descents of few rows against the spelled-out reference."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from kernels.attention import compiled as attention
from kernels.select import compiled, cpu, reference

SHAPES = [(1, 12, 2, 128, 700), (3, 5, 1, 96, 63), (2, 8, 8, 32, 33), (4, 7, 1, 256, 130), (1, 6, 2, 64, 1)]
"""S, H, KV, D, N: groups of 6, 5, 1, 7 and 3."""


@pytest.fixture(scope="module", autouse=True)
def code() -> None:
    if not attention.compile_now():
        pytest.skip("numba cannot compile here: a CPU that does not convert half precision, or no folder for the code")


def _draw(shape: tuple[int, ...], dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Keys lie in a longer buffer full of NaN; the last of several rows has nothing to choose from."""
    count, heads, kv_heads, size, keys = shape
    generator = torch.Generator().manual_seed(sum(shape))
    q = torch.randn(count, heads, size, generator=generator).to(dtype)
    held = torch.full((kv_heads, keys + 5, size), math.nan, dtype=dtype)
    held[:, :keys] = torch.randn(kv_heads, keys, size, generator=generator).to(dtype)
    low = torch.randint(0, 6, (count,), generator=generator).clamp(max=keys - 1)
    high = torch.maximum(torch.randint(1, keys + 1, (count,), generator=generator), low + 1)
    if count > 1:
        high[-1] = 0
    return q, held[:, :keys], low, high


def _equal(got: Tensor | None, exact: Tensor) -> None:
    assert got is not None
    torch.testing.assert_close(got.double(), exact, rtol=2e-5, atol=2e-5)


@torch.no_grad()
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_answers_are_the_references(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    q, k, low, high = _draw(shape, dtype)
    wide = q.double(), k.double()
    _equal(compiled.score(q, k, low, high), reference.score(*wide, low, high, "mean"))
    _equal(compiled.vote(q, k, low, high, 0.3), reference.vote(*wide, low, high, 0.3))
    for size in (1, 2, 8, 16):
        chunks = torch.arange(0, shape[4], size).expand(shape[0], shape[2], -1).clone()
        chunks[:, :, 1::3] = -1
        _equal(compiled.descend(q, k, chunks, size, high), reference.descend(*wide, chunks, size, high))


@torch.no_grad()
def test_a_box_is_bounded_by_both_of_its_corners() -> None:
    q, k, low, high = _draw(SHAPES[0], torch.float32)
    summary = reference.summarise(k, 8, "minmax")
    exact = reference.score(q.double(), summary.double(), low // 8, high // 8, "minmax")
    _equal(cpu.score(q, summary, low // 8, high // 8, "minmax"), exact)


@torch.no_grad()
def test_no_key_outside_is_read() -> None:
    """Scores and votes stop at both ends: what lies beyond them holds NaN."""
    q, k, _, _ = _draw(SHAPES[0], torch.float32)
    low, high = torch.tensor([67]), torch.tensor([641])
    expected = reference.vote(q.double(), k.double(), low, high, 0.1)
    k[:, :67] = k[:, 641:] = math.nan
    _equal(compiled.vote(q, k, low, high, 0.1), expected)
    scores = compiled.score(q, k, low, high)
    assert scores is not None
    assert not bool(scores.isnan().any())
    assert bool((scores[..., :67] == -math.inf).all() and (scores[..., 641:] == -math.inf).all())


def test_what_it_leaves_to_torch() -> None:
    q, k, low, high = _draw(SHAPES[0], torch.float32)
    with torch.no_grad():
        assert compiled.score(q, k, low, high) is not None
        assert compiled.score(q.double(), k.double(), low, high) is None
        assert compiled.score(q.expand(9, -1, -1), k, low.expand(9), high.expand(9)) is None
        assert compiled.score(q[..., :40], k[..., :40], low, high) is None
    assert compiled.score(q, k, low, high) is not None
    assert compiled.score(q.requires_grad_(), k, low, high) is None
