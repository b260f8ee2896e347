"""Votes of any number of rows and the best columns as compiled code: the reference's numbers, and a row's own in any crowd."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from kernels.attention import compiled as attention
from kernels.policies.base import Problem
from kernels.policies.block_select import BlockSelect
from kernels.select import compiled, cpu, reference

KINDS = ["bfloat16", "bfloat16 without a matrix unit", "float32", "float32 divided"]
SHAPES = [
    (37, 12, 2, 256, 704, 2), (20, 8, 8, 32, 33, 3), (9, 7, 1, 512, 131, 1), (40, 8, 1, 128, 1000, 4), (1, 4, 2, 64, 1, 1),
    (70, 10, 2, 96, 90, 2),
]  # fmt: skip
"""S, H, KV, D, N, parts: groups of 1 to 8; one or several rows together, whole tiles and not."""


@pytest.fixture(scope="module", autouse=True)
def code() -> None:
    if not attention.compile_now():
        pytest.skip("numba cannot compile here: a CPU that does not convert half precision, or no folder for the code")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if "without" in request.param:
        monkeypatch.setattr(attention, "matrix_unit", lambda: 0)
    if request.param == "float32 divided" and not attention.matrix_unit():
        pytest.skip("this CPU has no matrix unit, or the system does not lend it")
    return str(request.param)


def _draw(shape: tuple[int, ...], kind: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Keys lie in a longer buffer full of NaN; some of several rows have nothing to choose from."""
    count, heads, kv_heads, size, keys, parts = shape
    generator = torch.Generator().manual_seed(sum(shape))
    dtype = torch.bfloat16 if "bfloat16" in kind else torch.float32
    q = torch.randn(count, heads, size, generator=generator).to(dtype)
    drawn = torch.randn(kv_heads, keys // parts * parts, size, generator=generator).to(dtype)
    drawn = reference.divided(drawn) if "divided" in kind else drawn
    held = torch.full((kv_heads, keys + 5, drawn.shape[2]), math.nan, dtype=drawn.dtype)
    held[:, : drawn.shape[1]] = drawn
    low = torch.randint(0, 6, (count,), generator=generator).clamp(max=keys - 1)
    high = torch.maximum(torch.randint(1, keys + 1, (count,), generator=generator), low + 1)
    high[1::5] = 0
    return q, held[:, : drawn.shape[1]], low, high


def _vote(q: Tensor, k: Tensor, low: Tensor, high: Tensor, parts: int) -> Tensor:
    found = compiled.vote(q, k, low, high, 0.3, parts)
    assert found is not None
    return found


@torch.no_grad()
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_votes_are_the_references_and_a_row_alone_has_the_same_to_the_last_bit(shape: tuple[int, ...], kind: str) -> None:
    q, k, low, high = _draw(shape, kind)
    parts = shape[5]
    got = _vote(q, k, low, high, parts)
    wide = reference.joined(q, k).double()
    exact = reference.vote(q.double(), wide, low, high, 0.3, parts)
    torch.testing.assert_close(got.double(), exact, rtol=5e-5, atol=5e-5)
    for row in range(0, shape[0], 3):
        known = max(parts, -(-int(high[row]) // parts) * parts)  # alone it knows no keys behind its last
        one = slice(row, row + 1)
        alone = _vote(q[one], k[:, :known], low[one], high[one], parts)
        assert torch.equal(alone, got[one, :, : known // parts])


@torch.no_grad()
def test_no_key_outside_moves_a_vote(kind: str) -> None:
    q, k, _, _ = _draw(SHAPES[0], kind)
    low, high = torch.full((37,), 67), torch.full((37,), 641)
    expected = _vote(q, k, low, high, 1)
    k[:, :67] = k[:, 641:] = math.nan
    assert torch.equal(_vote(q, k, low, high, 1), expected)
    assert bool((expected[..., :67] == -math.inf).all() and (expected[..., 641:] == -math.inf).all())


@torch.no_grad()
def test_threads_share_a_vote(kind: str) -> None:
    q, k, low, high = _draw((150, 12, 2, 256, 704, 2), kind)
    expected, threads = _vote(q, k, low, high, 2), torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert torch.equal(_vote(q, k, low, high, 2), expected)
    finally:
        torch.set_num_threads(threads)


@torch.no_grad()
def test_torch_votes_where_compiled_code_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """By some rows at a time, of divided keys as well."""
    q, k, low, high = _draw(SHAPES[0], "float32")
    exact = reference.vote(q.double(), k.double(), low, high, 0.3, 2)
    torch.testing.assert_close(cpu.vote(q.double(), k.double(), low, high, 0.3, 2), exact)
    monkeypatch.setattr(attention, "available", lambda: False)
    for keys in (k, reference.divided(k)):
        assert compiled.vote(q, keys, low, high, 0.3, 2) is None
        torch.testing.assert_close(cpu.vote(q, keys, low, high, 0.3, 2).double(), exact, rtol=5e-5, atol=5e-5)


def test_dividing_keeps_sixteen_bits() -> None:
    x = torch.randn(3, 40, 64, generator=torch.Generator().manual_seed(0))
    joined = reference.joined(torch.zeros(1, 1, 64), reference.divided(x))
    assert float(((joined - x).abs() / x.abs()).max()) <= 2.0**-16


@pytest.mark.parametrize("columns", [1, 15, 16, 40, 333])
@pytest.mark.parametrize("count", [1, 5, 64, 333])
def test_the_best_columns(columns: int, count: int) -> None:
    scores = torch.randn(6, 2, columns, generator=torch.Generator().manual_seed(columns))
    scores[0, 0, 1:] = -math.inf
    scores[1, 1] = -math.inf
    scores[2] = scores[2].round()  # many are equal: the first are kept
    scores[3], scores[3, :, ::2] = 0.0, -0.0
    scores[4] *= 1e-30
    scores[5, 0, -1] = math.inf
    found = compiled.select(scores, count)
    assert found is not None
    for got, expected in zip(found, reference.select(scores, count), strict=True):
        assert torch.equal(got, expected)


@torch.inference_mode()
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_row_of_a_prompt_chooses_what_it_would_choose_alone(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(1)
    q, k, v = (torch.randn(heads, 1400, 32, generator=generator).to(dtype) for heads in (6, 2, 2))

    def policy() -> BlockSelect:
        return BlockSelect(blocks=12, block=16, sink=16, window=64, refresh=8, alike=1.1)

    crowd = policy().plan(Problem(q[:, 1000:], k, v)).spec.blocks
    assert crowd is not None
    alone = policy()
    for row in range(1000, 1400, 7):
        blocks = alone.plan(Problem(q[:, row : row + 1], k[:, : row + 1], v[:, : row + 1])).spec.blocks
        assert blocks is not None
        assert torch.equal(blocks.counts[0], crowd.counts[row - 1000])
        assert torch.equal(blocks.indices[0], crowd.indices[row - 1000])
