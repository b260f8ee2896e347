"""Flash-linear-attention's own naive forms as oracles, where `pip install fla-core einops` was done; none needs a GPU.

Their files are loaded one by one: the package itself wants a GPU's driver when it is imported. They compute in float32.
`test_linear_peers` has the same definitions written down anew, for machines without it.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from kernels.attention import cpu
from kernels.attention import reference as attention
from kernels.attention.spec import Answer, Heads, Spec
from kernels.linear import chunked, reference
from kernels.mixers import based, lightning
from tests.kernels.linear.test_linear import problem, scan_problem

CLOSE = {"rtol": 2e-4, "atol": 2e-4}  # sums of up to 128 products in float32


def naive(op: str) -> Any:
    """The module of fla/ops/OP/naive.py."""
    pytest.importorskip("einops", reason="einops is not installed")
    try:
        path = importlib.metadata.distribution("fla-core").locate_file(f"fla/ops/{op}/naive.py")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("flash-linear-attention is not installed (pip install fla-core einops)")
    spec = importlib.util.spec_from_file_location(f"naive_{op}", str(path))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def turned(*tensors: Tensor) -> list[Tensor]:
    """[H, T, ...] -> [1, T, H, ...], as they write it."""
    return [x.transpose(0, 1)[None].float() for x in tensors]


@pytest.mark.parametrize("ours", [reference.linear, chunked.linear], ids=["reference", "chunked"])
@pytest.mark.parametrize("steps", [1, 64, 128])
def test_simple_gated_linear_attention(ours: Callable[..., tuple[Tensor, Tensor]], steps: int) -> None:
    q, k, v, gates, state = problem(steps, "step")
    theirs = naive("simple_gla")
    out, last = ours(q * q.shape[2] ** -0.5, k, v, gates, state)
    for form in (theirs.naive_recurrent_simple_gla, theirs.naive_chunk_simple_gla):
        expected, state_there = form(*turned(q, k, v, gates), initial_state=state[None].float(), output_final_state=True)
        torch.testing.assert_close(out.float(), expected[0].transpose(0, 1), **CLOSE)
        torch.testing.assert_close(last.float(), state_there[0], **CLOSE)
    alone, _ = ours(q * q.shape[2] ** -0.5, k, v, gates)
    torch.testing.assert_close(
        alone.float(), theirs.naive_parallel_simple_gla(*turned(q, k, v, gates))[0][0].transpose(0, 1), **CLOSE
    )


def test_linear_attention_without_a_gate() -> None:
    q, k, v, _, state = problem(128, "none")
    out, last = chunked.linear(q * q.shape[2] ** -0.5, k, v, None, state)
    expected, state_there = naive("linear_attn").naive_recurrent_linear_attn(
        *turned(q, k, v), initial_state=state[None].float(), output_final_state=True
    )
    torch.testing.assert_close(out.float(), expected[0].transpose(0, 1), **CLOSE)
    torch.testing.assert_close(last.float(), state_there[0], **CLOSE)


def test_retention_is_lightning_with_other_slopes() -> None:
    q, k, v, _, _ = problem(100, "none")
    decay = torch.log(1 - 2.0 ** (-5.0 - torch.arange(3, dtype=torch.float64)))
    out, _ = lightning.mix(q * q.shape[2] ** -0.5, k, v, decay)
    torch.testing.assert_close(
        out[None].float(), naive("retention").naive_retention(q[None], k[None], v[None]).float(), **CLOSE
    )


def test_based() -> None:
    q, k, v, _, _ = problem(100, "none")
    theirs = naive("based").naive_parallel_based(q[None], k[None], v[None])[0]
    torch.testing.assert_close(based.mix(q, k, v)[0], theirs, rtol=1e-5, atol=1e-5)  # it adds 1e-6 to the denominator


@pytest.mark.parametrize("ours", [reference.scan, chunked.scan], ids=["reference", "chunked"])
def test_the_gated_scan_of_hgrn(ours: Callable[..., Tensor]) -> None:
    x, decay, state = scan_problem(100, "real")
    expected, _ = naive("hgrn").naive_recurrent_hgrn(x, decay.log(), initial_state=state.float())
    torch.testing.assert_close(ours(x, decay, state).float(), expected.float(), **CLOSE)


@pytest.mark.parametrize("ours", [attention.attend, cpu.attend], ids=["reference", "cpu"])
@pytest.mark.parametrize("window", [None, 9])
def test_softmax_attention_with_a_window_and_sinks(ours: Callable[..., Answer], window: int | None) -> None:
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(heads, 50, 16, generator=generator, dtype=torch.float64) for heads in (6, 2, 2))
    sinks = torch.linspace(-2, 2, 6, dtype=torch.float64)
    expected = naive("attn").naive_parallel_attn(*turned(q, k, v), window_size=window, sink_bias=sinks.float())
    out = expected[0] if isinstance(expected, tuple) else expected
    heads = None if window is None else Heads((False, False), 0, window)
    torch.testing.assert_close(ours(q, k, v, Spec(heads=heads, sink_logit=sinks)).out.float(), out[0].transpose(0, 1), **CLOSE)
