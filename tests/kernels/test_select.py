"""Summaries, scores, votes, the descent and the choice: every backend against the spelled-out reference."""

from __future__ import annotations

import importlib
import math
from types import ModuleType

import pytest
import torch
from torch import Tensor

from kernels.select import cpu, reference

SHAPES = [(1, 4, 2, 16, 64), (3, 12, 2, 32, 200), (2, 5, 1, 80, 63), (4, 8, 8, 10, 33), (1, 7, 1, 128, 17)]
"""S, H, KV, D, N."""


@pytest.fixture(params=["cpu", "gpu"])
def backend(request: pytest.FixtureRequest) -> ModuleType:
    if request.param == "gpu":
        pytest.importorskip("triton", reason="triton is not installed (pip install triton; Linux only)")
    return importlib.import_module(f"kernels.select.{request.param}")


def _draw(shape: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    count, heads, kv_heads, size, keys = shape
    generator = torch.Generator().manual_seed(sum(shape))
    q = torch.randn(count, heads, size, generator=generator, dtype=torch.float64)
    k = torch.randn(kv_heads, keys, size, generator=generator, dtype=torch.float64)
    high = torch.randint(1, keys + 1, (count,), generator=generator)
    low = torch.randint(0, 6, (count,), generator=generator)
    low[0], high[0] = 9, 3  # a row with nothing to choose from
    return q, k, low, high


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", reference.KINDS)
def test_block_scores(shape: tuple[int, ...], kind: str, backend: ModuleType) -> None:
    q, k, low, high = _draw(shape)
    expected = reference.summarise(k, 8, kind)
    summary = backend.summarise(k, 8, kind)
    torch.testing.assert_close(summary, expected)
    low, high = low // 8, high // 8
    torch.testing.assert_close(backend.score(q, summary, low, high, kind), reference.score(q, expected, low, high, kind))


@pytest.mark.parametrize("shape", SHAPES[:3], ids=str)
def test_votes_by_mean_and_spread(shape: tuple[int, ...], backend: ModuleType) -> None:
    q, k, low, high = _draw(shape)
    expected, summary = reference.summarise(k, 8, reference.MOMENTS), backend.summarise(k, 8, reference.MOMENTS)
    torch.testing.assert_close(summary, expected)
    asking, low, high = reference.with_spread(q, 0.3), low // 8, high // 8
    torch.testing.assert_close(backend.vote(asking, summary, low, high, 0.3), reference.vote(asking, expected, low, high, 0.3))


def test_a_key_that_stands_out_of_its_block_raises_its_vote() -> None:
    """Two blocks of the same mean: in the second one key holds what seven lack."""
    q, k = torch.zeros(1, 1, 4), torch.zeros(1, 16, 4)
    q[0, 0, 0], k[0, :8, 0], k[0, 12, 0] = 2.0, 1.0, 8.0
    edges = torch.tensor([0]), torch.tensor([2])
    plain = cpu.vote(q, cpu.summarise(k, 8, "mean"), *edges, 0.5)[0, 0]
    spread = cpu.vote(reference.with_spread(q, 0.5), cpu.summarise(k, 8, reference.MOMENTS), *edges, 0.5)[0, 0]
    assert plain[0] == plain[1]
    assert spread[1] > 0.8


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_soft_votes(shape: tuple[int, ...], backend: ModuleType) -> None:
    q, k, low, high = _draw(shape)
    votes = backend.vote(q, k, low, high, 0.3)
    torch.testing.assert_close(votes, reference.vote(q, k, low, high, 0.3))
    given = votes.masked_fill(votes == -math.inf, 0.0).sum(dim=2)
    group = shape[1] // shape[2]
    torch.testing.assert_close(given, torch.where(low < high, float(group), 0.0)[:, None].expand_as(given).double())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_votes_of_parts_are_added(shape: tuple[int, ...], backend: ModuleType) -> None:
    """Also of keys that come divided in two."""
    q, k, low, high = _draw(shape)
    parts = next(n for n in (3, 2, 1) if not shape[4] % n)
    expected = reference.vote(q, k, low, high, 0.3, parts)
    torch.testing.assert_close(backend.vote(q, k, low, high, 0.3, parts), expected)
    assert expected.shape[2] == shape[4] // parts
    keys = reference.divided(k.float())
    got = backend.vote(q.float(), keys, low, high, 0.3, parts)
    torch.testing.assert_close(got.double(), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("size", [1, 2, 8])
def test_the_descent(shape: tuple[int, ...], size: int, backend: ModuleType) -> None:
    q, k, _, high = _draw(shape)
    starts = torch.arange(0, shape[4], size)
    chunks = starts.expand(shape[0], shape[2], -1).clone()
    chunks[:, :, 1::3] = -1
    got = backend.descend(q, k, chunks, size, high)
    torch.testing.assert_close(got, reference.descend(q, k, chunks, size, high))


def test_the_descent_of_one_row_chunks_is_exact(backend: ModuleType) -> None:
    q, k, _, _ = _draw(SHAPES[1])
    chunks, high = torch.arange(200).expand(3, 2, -1), torch.full((3,), 200)
    products = torch.einsum("skgd,knd->skgn", q.view(3, 2, 6, 32), k).amax(dim=2)
    torch.testing.assert_close(backend.descend(q, k, chunks, 1, high), products)


@pytest.mark.parametrize("count", [1, 5, 64])
@pytest.mark.parametrize("columns", [3, 16, 40])
def test_the_choice(count: int, columns: int, backend: ModuleType) -> None:
    generator = torch.Generator().manual_seed(columns)
    scores = torch.randn(3, 2, columns, generator=generator)
    scores[0, 0, 1:] = -math.inf
    scores[1, 1] = -math.inf
    counts, indices = backend.select(scores, count)
    expected_counts, expected = reference.select(scores, count)
    torch.testing.assert_close(counts, expected_counts)
    torch.testing.assert_close(indices, expected)
    assert counts[1, 1] == 0
    assert counts[0, 0] == 1


def test_more_columns_than_one_program_holds(backend: ModuleType) -> None:
    """Every key of 131 072 may be a column: on a GPU torch chooses then. Rows with fewer candidates than wanted stay short."""
    scores = torch.randn(2, 1, 2100, generator=torch.Generator().manual_seed(0))
    scores[1, 0, 7:] = -math.inf
    for got, expected in zip(backend.select(scores, 9), reference.select(scores, 9), strict=True):
        torch.testing.assert_close(got, expected)


def test_a_box_bounds_every_key_inside() -> None:
    q, k, _, _ = _draw(SHAPES[1])
    bound = cpu.score(q, cpu.summarise(k, 8, "minmax"), torch.zeros(3), torch.full((3,), 25), "minmax")
    products = torch.einsum("skgd,knd->skgn", q.view(3, 2, 6, 32), k).amax(dim=2)
    assert bool((bound.repeat_interleave(8, dim=2) >= products - 1e-12).all())


def test_a_query_head_asks_its_own_key_head() -> None:
    """Head h belongs to key head h // G; the released TokenSelect took h % KV."""
    q = torch.zeros(1, 4, 2)
    q[0, 1, 0] = 1.0  # only head 1 asks; G = 2, so its keys are those of key head 0
    k = torch.zeros(2, 3, 2)
    k[0, 1, 0], k[1, 2, 0] = 5.0, 5.0
    scores = cpu.score(q, k, torch.zeros(1), torch.full((1,), 3), "mean")
    assert scores[0, 0].tolist() == [0.0, 5.0, 0.0]
    assert scores[0, 1].tolist() == [0.0, 0.0, 0.0]
