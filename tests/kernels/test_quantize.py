"""Quantised keys, values and weights and the fused exit head: every backend against the spelled-out reference."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest
import torch

from kernels.attention import compiled
from kernels.attention import reference as attention
from kernels.attention.spec import Heads, Spec
from kernels.quantize import reference

BACKENDS = ["cpu", "gpu"]


@pytest.fixture(autouse=True)
def torch_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiled code has tests of its own."""
    monkeypatch.setattr(compiled, "_ready", lambda: None)


def _backend(folder: str, name: str) -> ModuleType:
    if name == "gpu":
        pytest.importorskip("triton", reason="triton is not installed (pip install triton; Linux only)")
    return importlib.import_module(f"kernels.{folder}.{name}")


def _rows(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize(("bits", "size"), [(8, 64), (8, 80), (8, 10), (4, 64), (4, 128), (4, 192)])
def test_levels_and_sizes(name: str, bits: int, size: int) -> None:
    backend = _backend("quantize", name)
    x = _rows(2, 5, size).float()
    x[0, 1] = 0.0
    x[1, 2, :4] = torch.tensor([127.0, 0.5, 1.5, -2.5])  # halves: size is 1 in int8, so they go to even levels
    levels, sizes = backend.quantise(x, bits)
    expected, expected_sizes = reference.quantise(x, bits)
    torch.testing.assert_close(sizes, expected_sizes)
    assert torch.equal(levels, expected)
    torch.testing.assert_close(backend.dequantise(levels, sizes), reference.dequantise(expected, expected_sizes))


@pytest.mark.parametrize(("bits", "bound"), [(8, 0.5 / 127), (4, 0.5 / 7)])
def test_an_error_is_half_a_level_at_most(bits: int, bound: float) -> None:
    x = _rows(3, 7, 128).float()
    error = (reference.dequantise(*reference.quantise(x, bits)) - x).abs().reshape(3, 7, 4, 32)
    most = x.abs().reshape(3, 7, 4, 32).amax(-1) if bits == 4 else x.abs().amax(-1, keepdim=True).expand(3, 7, 4)
    assert bool((error.amax(-1) <= most * bound * 1.0001).all())


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("rows", [1, 5])
def test_attention_over_quantised_keys(name: str, bits: int, rows: int) -> None:
    backend = _backend("quantize", name)
    q, (k, v) = _rows(6, rows, 64), _rows(2, 2, 90, 64, seed=1)
    keys, values = reference.quantise(k, bits), reference.quantise(v, bits)
    for spec in (Spec(), Spec(heads=Heads((True, False), 4, 20))):
        expected = reference.attend(q, keys, values, spec)
        got = backend.attend(q, keys, values, spec)
        torch.testing.assert_close(got.out, expected.out, rtol=1e-6, atol=1e-6)  # sizes are float32
        torch.testing.assert_close(got.lse, expected.lse, rtol=1e-6, atol=1e-6)


def test_int8_keys_answer_like_the_real_ones() -> None:
    q, (k, v) = _rows(6, 4, 64), _rows(2, 2, 90, 64, seed=1)
    exact = attention.attend(q, k, v).out
    for bits, bound in ((8, 0.012), (4, 0.2)):  # half a level of 127 (7) over values of up to four deviations, twice
        got = reference.attend(q, reference.quantise(k, bits), reference.quantise(v, bits)).out
        assert float((got - exact).square().mean().sqrt() / exact.square().mean().sqrt()) < bound


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize(("tokens", "inner", "rows"), [(1, 64, 64), (3, 100, 130), (2, 96, 31), (16, 33, 65), (17, 128, 7)])
def test_weight_only_products(name: str, tokens: int, inner: int, rows: int) -> None:
    backend = _backend("quantize", name)
    x, w = _rows(tokens, inner), _rows(rows, inner, seed=1)
    levels, size = reference.quantise(w, 8)
    expected = reference.linear(x, levels, size[:, 0])
    torch.testing.assert_close(backend.linear(x, levels, size[:, 0]), expected, rtol=1e-12, atol=1e-12)
    # torch's CPU product rounds rows to bfloat16: 8 bits, and a sum of `inner` products of size 1.
    tolerance = 2**-8 * 3 * inner**0.5 if name == "cpu" else 1e-4
    got = backend.linear(x.float(), levels, size[:, 0])
    torch.testing.assert_close(got.double(), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("quantised", [False, True])
@pytest.mark.parametrize(("tokens", "inner", "vocabulary"), [(1, 64, 64), (3, 100, 131), (17, 33, 65)])
def test_the_exit_head(name: str, quantised: bool, tokens: int, inner: int, vocabulary: int) -> None:
    backend = _backend("exit_head", name)
    oracle = importlib.import_module("kernels.exit_head.reference")
    x, norm, head = _rows(tokens, inner), _rows(inner, seed=1), _rows(vocabulary, inner, seed=2)
    head[vocabulary // 2] = head[3]  # a tie, which the smaller token wins
    x[0] = 3 * head[3] / norm
    size = None
    if quantised:
        head, sizes = reference.quantise(head, 8)
        size = sizes[:, 0]
    expected = oracle.best(x, norm, head, size)
    got = backend.best(x, norm, head, size)
    assert got[0][0] == expected[0][0] == 3
    assert torch.equal(got[0], expected[0])
    torch.testing.assert_close(got[1:], expected[1:], rtol=1e-10, atol=1e-10)
    logits = (x / (x.square().mean(1, keepdim=True) + 1e-6).sqrt() * norm) @ (
        head if size is None else head.double() * size[:, None]
    ).T
    torch.testing.assert_close(torch.log_softmax(logits.double(), 1).amax(1), expected[1] - expected[2])
