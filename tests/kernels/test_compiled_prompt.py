"""Compiled attention of rows with lists of their own, of prompts on the matrix unit, and with a key for many, by definition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

pytest.importorskip("numba", reason="numba is not installed")

from kernels.attention import compiled, compiled_each, compiled_prompt, cpu, reference
from kernels.attention.spec import DENSE, Answer, Blocks, Heads, Spec
from kernels.policies.base import Pool, Problem, _with_pool

SHAPES = [
    (12, 2, 128, 20, 300),
    (4, 4, 64, 17, 100),
    (8, 1, 96, 9, 259),
    (6, 2, 256, 11, 130),
    (2, 2, 32, 1, 1),
    (24, 1, 64, 5, 37),
]
"""Query heads, key heads, their size, query rows, keys."""
EXACT: dict[str, Any] = {"rtol": 2e-5, "atol": 2e-5}
HALF: dict[str, Any] = {"rtol": 0.0, "atol": 0.02}
"""float32's sums; numbers of about one, of which bfloat16 keeps eight bits, weights and answers rounded once each."""


@pytest.fixture(autouse=True)
def code() -> None:
    if not compiled.compile_now():
        pytest.skip("attention cannot be compiled here")


def unit() -> None:
    if not compiled.matrix_unit():
        pytest.skip("this CPU has no matrix unit, or the system does not lend it")


def problem(shape: tuple[int, ...], dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    heads, kv_heads, d, rows, keys = shape
    generator = torch.Generator().manual_seed(keys)
    sizes = (heads, rows), (kv_heads, keys), (kv_heads, keys)
    q, k, v = (torch.randn(*size, d, generator=generator).to(dtype) for size in sizes)
    return q, k, v


def lists(shape: tuple[int, ...], size: int, rows_each: int) -> Blocks:
    """Up to five blocks in any order for each stretch of rows; some have none."""
    _, kv_heads, _, rows, keys = shape
    generator = torch.Generator().manual_seed(size)
    many, blocks = -(-rows // rows_each), -(-keys // size)
    drawn = [torch.randperm(blocks, generator=generator)[:5] for _ in range(many * kv_heads)]
    indices = torch.stack(drawn).view(many, kv_heads, -1)
    counts = torch.randint(0, indices.shape[2] + 1, (many, kv_heads), generator=generator)
    return Blocks(size, tuple(min(s * rows_each, rows) for s in range(many + 1)), counts, indices)


def specs(shape: tuple[int, ...]) -> Iterator[Spec]:
    kv_heads = shape[1]
    some, none = tuple(head % 2 == 0 for head in range(kv_heads)), (False,) * kv_heads
    yield Spec(blocks=lists(shape, 16, 1))
    yield Spec(heads=Heads(none, 10, 40), blocks=lists(shape, 64, 3))
    yield Spec(scale=0.3, heads=Heads(some, 16, 16), blocks=lists(shape, 32, 2))


def same(got: Answer | None, given: tuple[Tensor, Tensor, Tensor], spec: Spec, tolerance: dict[str, Any]) -> None:
    assert got is not None
    q, k, v = (x.double() for x in given)
    exact = reference.attend(q, k, v, spec)
    torch.testing.assert_close(got.out.double(), exact.out, **tolerance)
    torch.testing.assert_close(got.lse.double(), exact.lse, **tolerance)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shape", SHAPES)
def test_rows_with_lists_of_their_own(shape: tuple[int, ...], threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    given = problem(shape, torch.float32)
    for spec in specs(shape):
        same(compiled_each.attend(*given, spec, shape[4] - shape[3]), given, spec, EXACT)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shape", SHAPES)
def test_prompts_on_the_matrix_unit(shape: tuple[int, ...], threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    unit()
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    given, kv_heads = problem(shape, torch.bfloat16), shape[1]
    some = tuple(head % 2 == 0 for head in range(kv_heads))
    near = [
        DENSE,
        Spec(heads=Heads((False,) * kv_heads, 20, 50)),
        Spec(heads=Heads(some, 4, 33)),
        Spec(heads=Heads(some, 0, 1)),
    ]
    for spec in (*near, *specs(shape)):
        same(compiled_prompt.attend(*given, spec, shape[4] - shape[3]), given, spec, HALF)


def test_a_prompt_of_several_calls() -> None:
    unit()
    shape = (4, 2, 32, 2 * compiled_prompt.MOST_ROWS + 7, 700)
    given = problem(shape, torch.bfloat16)
    spec = Spec(heads=Heads((False, True), 16, 100), blocks=lists(shape, 16, 200))
    same(compiled_prompt.attend(*given, spec, shape[4] - shape[3]), given, spec, HALF)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_row_in_a_crowd_answers_as_it_does_alone(dtype: torch.dtype) -> None:
    shape = (12, 2, 64, 6, 200)
    q, k, v = problem(shape, dtype)
    blocks = lists(shape, 16, 1)
    heads = Heads((False, False), 5, 30)
    crowd = cpu.attend(q, k, v, Spec(heads=heads, blocks=blocks))
    for row in range(shape[3]):
        own = Spec(heads=heads, blocks=Blocks(16, (0, 1), blocks.counts[row : row + 1], blocks.indices[row : row + 1]))
        end = shape[4] - shape[3] + row + 1
        alone = cpu.attend(q[:, row : row + 1], k[:, :end], v[:, :end], own)
        tolerance = EXACT if dtype == torch.float32 else HALF
        torch.testing.assert_close(alone.out, crowd.out[:, row : row + 1], **tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_nobody_sees_is_not_read(dtype: torch.dtype) -> None:
    shape = (4, 2, 64, 40, 400)
    q, k, v = problem(shape, dtype)
    blocks = Blocks(16, (0, 40), torch.tensor([[1, 1]]), torch.tensor([[[9], [9]]]))
    spec = Spec(heads=Heads((False, False), 5, 30), blocks=blocks)
    seen = torch.zeros(400, dtype=torch.bool)
    seen[:5] = seen[9 * 16 : 10 * 16] = seen[400 - 40 - 29 :] = True
    exact = reference.attend(q.double(), k.double(), v.double(), spec)
    k[:, ~seen], v[:, ~seen] = torch.nan, torch.nan
    got = cpu.attend(q, k, v, spec)
    torch.testing.assert_close(got.out.double(), exact.out, **(EXACT if dtype == torch.float32 else HALF))


def test_a_cache_longer_than_its_keys_and_rows_between_heads() -> None:
    """Keys are a slice of a longer buffer, queries and values lie as a model's projections leave them."""
    unit()
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(40, 12, 64, generator=generator).bfloat16().transpose(0, 1)
    k, v = (torch.randn(300, 2, 64, generator=generator).bfloat16().transpose(0, 1)[:, :210] for _ in range(2))
    same(compiled_prompt.attend(q, k, v, DENSE, 170), (q, k, v), DENSE, HALF)


def test_large_scores_of_both_signs() -> None:
    unit()
    q, k, v = problem((4, 2, 64, 33, 150), torch.bfloat16)
    spec = Spec(scale=20.0)
    exact = reference.attend(q.double(), k.double(), v.double(), spec)
    got = compiled_prompt.attend(q, k, v, spec, 117)
    assert got is not None
    torch.testing.assert_close(got.out.double(), exact.out, rtol=0, atol=0.05)
    torch.testing.assert_close(got.lse.double(), exact.lse, rtol=1e-4, atol=1e-2)


def test_what_it_leaves_to_others() -> None:
    q, k, v = problem((4, 2, 64, 40, 100), torch.bfloat16)
    bias = torch.zeros(2, 100)
    assert compiled_prompt.attend(q, k, v, Spec(softcap=5.0), 60) is None
    assert compiled_prompt.attend(q, k, v, Spec(key_bias=bias), 60) is None
    assert compiled_prompt.attend(q.float(), k.float(), v.float(), DENSE, 60) is None
    assert compiled_prompt.attend(q, k, v, Spec(blocks=Blocks(8, (0, 40), torch.ones(1, 2), torch.zeros(1, 2, 1))), 60) is None
    assert compiled_each.attend(q, k, v, DENSE, 60) is None
    wanted = q.detach().requires_grad_()
    assert compiled_prompt.attend(wanted, k, v, DENSE, 60) is None


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [32, 128, 256])
def test_one_key_that_stands_for_many(size: int, dtype: torch.dtype, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step's key heads of which one pools, against a key with the bias log(count) put in front."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    q, k, v = problem((12, 2, size, 1, 5000), dtype)
    counts = torch.tensor([[0], [700]])
    keys, values = problem((2, 2, size, 1, 1), torch.float32)[1:]
    spec = Spec(heads=Heads((True, False), 4, 300))
    got = compiled.attend(q, k, v, spec, 4999, (counts, keys, values))
    assert got is not None
    found = compiled.attend(q, k, v, spec, 4999)
    assert found is not None
    exact = _with_pool(found, Problem(q, k, v), Pool(keys, values, counts, 4))
    torch.testing.assert_close(got.lse, exact.lse, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(got.out, exact.out, **(EXACT if dtype == torch.float32 else HALF))
    assert not torch.equal(got.lse[6:], found.lse[6:])
    assert torch.equal(got.lse[:6], found.lse[:6])


def test_sums_in_double_precision_are_left_to_others() -> None:
    q, k, v = problem((4, 2, 64, 1, 100), torch.float32)
    mean = torch.ones(2, 1, 64, dtype=torch.float64)
    assert compiled.attend(q, k, v, DENSE, 99, (torch.ones(2, 1, dtype=torch.int64), mean, mean)) is None
