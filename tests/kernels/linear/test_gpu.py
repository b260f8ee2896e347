"""The Triton forms of linear attention and scans, run by Triton's interpreter."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("triton", reason="triton is not installed")

from kernels.linear import gpu, reference
from tests.kernels.linear.test_linear import DECAYS, EXACT, problem, scan_problem


@pytest.mark.parametrize("decays", DECAYS)
@pytest.mark.parametrize(("steps", "size", "width"), [(1, 16, 16), (33, 16, 24), (65, 24, 80), (40, 64, 64)])
def test_linear_equals_the_reference(steps: int, size: int, width: int, decays: str) -> None:
    given = problem(steps, decays, size, width, heads=2)
    for got, expected in zip(gpu.linear(*given), reference.linear(*given), strict=True):
        torch.testing.assert_close(got, expected, **EXACT)


@pytest.mark.parametrize("decays", ["none", "head"])
def test_one_step_equals_the_reference(decays: str) -> None:
    q, k, v, decay, state = problem(1, decays, 24, 40, heads=3)
    given = q[:, 0], k[:, 0], v[:, 0], decay, state
    for got, expected in zip(gpu.step(*given), reference.step(*given), strict=True):
        torch.testing.assert_close(got, expected, **EXACT)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened_first(dtype: torch.dtype) -> None:
    given = [None if each is None else each.to(dtype) for each in problem(40, "head", heads=1)]
    expected, state = reference.linear(*(None if each is None else each.double() for each in given))
    got, last = gpu.linear(*given)
    # The inputs are rounded already; what is left is the output's own rounding and float32 sums.
    assert (got.double() - expected).abs().max() <= torch.finfo(dtype).eps * expected.abs().max()
    torch.testing.assert_close(last.double(), state, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "steps"), [("real", 1), ("real", 31), ("real", 33), ("real", 70), ("complex", 1), ("complex", 33)]
)
def test_the_scan_equals_the_loop(kind: str, steps: int) -> None:
    x, decay, state = scan_problem(steps, kind)
    torch.testing.assert_close(gpu.scan(x, decay, state), reference.scan(x, decay, state), **EXACT)
    alone = gpu.scan(x.transpose(1, 2).contiguous().transpose(1, 2), decay)  # from nothing, and not in one piece
    torch.testing.assert_close(alone, reference.scan(x, decay), **EXACT)


def test_real_numbers_under_complex_decays_and_conjugates() -> None:
    x, decay, state = scan_problem(5, "complex")
    torch.testing.assert_close(gpu.scan(x.real, decay.conj(), state), reference.scan(x.real, decay.conj(), state), **EXACT)
