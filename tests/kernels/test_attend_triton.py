"""The Triton kernel's logic, run by Triton's interpreter in float64 against the reference; needs triton, no GPU."""

from __future__ import annotations

import itertools

import pytest
import torch

from kernels.attention import reference
from tests.kernels.cases import CASES, Case, make

pytest.importorskip("triton", reason="triton is not installed (pip install triton; Linux only)")
from kernels.attention import gpu
from kernels.launch import power

SMALL = {"decode_bm": 16, "decode_bn": 16, "prefill_bm": 16, "prefill_bn": 16}


@pytest.mark.parametrize(("case", "splits"), [(case, 1 + 2 * (number % 2)) for number, case in enumerate(CASES)], ids=str)
def test_the_kernel_equals_the_reference(case: Case, splits: int) -> None:
    problem = make(case)
    expected = reference.attend(*problem.all)
    got = gpu.attend(*problem.all, splits=splits, config=SMALL)
    # float64 through and through; exp and log of the interpreter are numpy's.
    torch.testing.assert_close(got.out, expected.out, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(got.lse, expected.lse, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("splits", [1, 2, 5, 9])
def test_splits_do_not_matter(splits: int) -> None:
    """Nine splits of five tiles: some have nothing to do and must weigh nothing."""
    problem = make(next(case for case in CASES if case.name == "duo-row"))
    expected = reference.attend(*problem.all)
    got = gpu.attend(*problem.all, splits=splits, config=SMALL)
    torch.testing.assert_close(got.out, expected.out, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(got.lse, expected.lse, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_other_precisions(dtype: torch.dtype) -> None:
    problem = make(next(case for case in CASES if case.name == "blocks-duo-chunk"), dtype)
    expected = reference.attend(problem.q.double(), problem.k.double(), problem.v.double(), *problem.all[3:]).out
    got = gpu.attend(*problem.all, config=SMALL).out
    assert got.dtype == dtype
    # One rounding of the answer; the interpreter multiplies half precision in float32.
    torch.testing.assert_close(got.double(), expected, rtol=2 * torch.finfo(dtype).eps, atol=2 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("rows", [1, 3])
def test_a_group_of_forty_eight_heads(rows: int) -> None:
    """One key head for all, as in StarCoder: rows of a large group become several tiles, the group itself is never cut."""
    problem = make(Case("wide-group", heads=48, kv_heads=1, queries=rows, keys=40, size=16))
    expected = reference.attend(*problem.all)
    got = gpu.attend(*problem.all, splits=1, config=SMALL)
    torch.testing.assert_close(got.out, expected.out, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shared", [120 * 1024, 170 * 1024])
@pytest.mark.parametrize("numbers", [gpu.DEFAULTS, {**gpu.DEFAULTS, "prefill_bm": 128, "prefill_bn": 128, "stages": 4}])
def test_a_tile_fits_the_memory_of_a_block(shared: int, numbers: dict[str, int]) -> None:
    for size, each, group, count in itertools.product((64, 128, 256), (2, 4), (1, 6, 48), (0, 1, 16)):
        bm, bn, stages = gpu.tile(numbers, power(count * group) if count else 0, power(group), size * each, shared)
        assert (bm + 2 * bn * stages) * size * each <= shared
        assert bm >= group  # else a row's heads would be left out
        assert min(bm, bn) >= 16  # tensor cores take no less
        assert bm <= max(128, power(group))
    assert gpu.tile(gpu.DEFAULTS, 0, 16, 256, shared) == (64, 64, 2)  # what the numbers were measured for stays


def test_merging_parts() -> None:
    generator = torch.Generator().manual_seed(0)
    outs, lses = torch.randn(4, 3, 5, 10, generator=generator).double(), torch.randn(4, 3, 5, generator=generator).double()
    lses[1, 0], lses[:, 2, 4] = -torch.inf, -torch.inf  # a part without keys, and a row that nobody answered
    outs[:, 2, 4] = 0.0
    got, expected = gpu.merge(outs, lses), reference.merge(outs, lses)
    torch.testing.assert_close(got.out, expected.out)
    torch.testing.assert_close(got.lse, expected.lse)
    assert got.lse[2, 4] == -torch.inf
