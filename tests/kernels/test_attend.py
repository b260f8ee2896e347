"""Every path of attention against the spelled-out reference, and the reference against torch and by hand."""

from __future__ import annotations

import math

import pytest
import torch

from kernels.attention import compiled, cpu, reference
from kernels.attention.spec import Answer, query_positions
from tests.kernels.cases import CASES, Case, Problem, make


@pytest.fixture(autouse=True)
def torch_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiled code, which takes some of these cases where it is there, has tests of its own."""
    monkeypatch.setattr(compiled, "_ready", lambda: None)


def _close(got: Answer, expected: Answer, tolerance: float) -> None:
    torch.testing.assert_close(got.out.double(), expected.out.double(), rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(got.lse.double(), expected.lse.double(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_the_cpu_path_equals_the_reference(case: Case, dtype: torch.dtype) -> None:
    expected = reference.attend(*make(case).all)
    # Sums of at most 200 products of size 1 in another order: 1e-13 in float64, 2e-5 in float32 leave a factor of ten.
    _close(cpu.attend(*make(case, dtype).all), expected, 1e-13 if dtype == torch.float64 else 2e-5)


@pytest.mark.parametrize("case", [case for case in CASES if not case.softcap], ids=str)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_errs_no_more_than_torch(case: Case, dtype: torch.dtype) -> None:
    """flash-attention's own rule: at most twice the error of torch's unfused path at the same precision, plus one rounding."""
    exact, half = make(case), make(case, dtype)
    expected = reference.attend(half.q.double(), half.k.double(), half.v.double(), *exact.all[3:]).out
    held = torch.arange(case.keys) if exact.k_positions is None else exact.k_positions
    rounded = torch.nan_to_num(expected.to(dtype).double() - expected).abs().max()
    unfused = _unfused(half, held, case)
    got = cpu.attend(*half.all).out.double()
    assert not got.isnan().any()
    assert (got - expected).abs().max() <= 2 * (unfused - expected).abs().max() + 2 * rounded + 1e-6


def _unfused(problem: Problem, held: torch.Tensor, case: Case) -> torch.Tensor:
    """Softmax of half-precision logits, as eager attention computes it."""
    q, k, v, spec, rows, _, lengths = problem.all
    ones = torch.ones_like(k, dtype=torch.float64)
    # The mask is the reference's own: a zero key gives equal logits, so a weight is there or is not.
    seen = reference.visible(spec, k.shape[0], query_positions(q.shape[1], k.shape[1]) if rows is None else rows, held)
    if lengths is not None:
        seen &= reference._sequence(lengths.queries, q.shape[1])[:, None] == reference._sequence(lengths.keys, k.shape[1])
    group = q.shape[0] // k.shape[0]
    keys, values, seen = (x.repeat_interleave(group, 0) for x in (k.nan_to_num(), v.nan_to_num(), seen))
    logits = q @ keys.transpose(1, 2) * (spec.scale or q.shape[2] ** -0.5)
    if spec.key_bias is not None:
        logits = logits + spec.key_bias.repeat_interleave(group, 0)[:, None].to(q.dtype)
    logits = logits.masked_fill(~seen, -math.inf)
    if spec.sink_logit is not None:
        logits = torch.cat((logits, spec.sink_logit[:, None, None].to(q.dtype).expand(-1, q.shape[1], 1)), 2)
    weights = torch.softmax(logits, -1).nan_to_num()[..., : ones.shape[1]]
    return (weights @ values).double()
