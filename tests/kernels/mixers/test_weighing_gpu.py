"""Softplus, sigmoid and the key without a value in Triton, run by its interpreter, against their definitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

pytest.importorskip("triton", reason="triton is not installed (pip install triton; Linux only)")
from kernels.attention import gpu
from kernels.attention.spec import Spec
from kernels.mixers import sinks, softplus, weighing_gpu
from tests.kernels.mixers.test_mixers import draw

# Sums of at most 130 terms of size 1 in another order, in float64; exp and log of the interpreter are numpy's.
EXACT: dict[str, Any] = {"rtol": 1e-12, "atol": 1e-12}
SMALL = {"decode_bm": 16, "decode_bn": 16}
Mixer = Callable[[Tensor, Tensor, Tensor], Tensor]
KEY = draw(2, 16)
FAST: dict[str, Mixer] = {
    "softplus": lambda q, k, v: weighing_gpu.softplus(q, k, v, softplus.POWER),
    "flat": lambda q, k, v: weighing_gpu.softplus(q, k, v, 1.0),
    "sigmoid": weighing_gpu.sigmoid,
    "key_bias": lambda q, k, v: weighing_gpu.key_bias(q, k, v, draw(2, q.shape[2])),
}
DEFINITIONS: dict[str, Mixer] = {
    "softplus": softplus.loop,
    "flat": lambda q, k, v: softplus.loop(q, k, v, 1.0),
    "sigmoid": sinks.sigmoid_loop,
    "key_bias": lambda q, k, v: sinks.key_bias_loop(q, k, v, draw(2, q.shape[2])),
}
FRONT: dict[str, Mixer] = {
    "softplus": softplus.mix,
    "sigmoid": sinks.sigmoid,
    "key_bias": lambda q, k, v: sinks.key_bias(q, k, v, KEY),
}


class OnGpu(Tensor):
    """Says that it lies on a GPU, as far as a choice goes; Triton's interpreter takes it."""

    is_cuda = True


def noted(calls: list[str], name: str, run: Callable[..., Any]) -> Callable[..., Any]:
    def call(*given: Any) -> Any:
        calls.append(name)
        return run(*given)

    return call


def tokens(steps: int, size: int = 16, width: int = 16, heads: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    return draw(heads, steps, size), draw(heads, steps, size, seed=1), draw(heads, steps, width, seed=2)


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize(
    ("steps", "size", "width"), [(1, 16, 16), (17, 16, 24), (64, 64, 64), (70, 40, 16), (130, 32, 32), (5, 1, 1)]
)
def test_the_kernel_equals_the_definition(name: str, steps: int, size: int, width: int) -> None:
    given = tokens(steps, size, width)
    torch.testing.assert_close(FAST[name](*given), DEFINITIONS[name](*given), **EXACT)


@pytest.mark.parametrize("size", [1e-6, 20.0, 1e3, 1e6])
def test_logits_near_zero_and_far_from_it(size: float) -> None:
    """Beyond 700 the definition's e^logit is no number any more, and below -40 its 1 + e^logit is 1: torch's form is the judge.

    The largest are sharpened to one key or weigh all of the far negative ones, whose softplus is e^-1000000 and less.
    """
    q, k, v = tokens(40)
    for keys in (k, -k.abs()):
        given = size * q.abs(), keys, v
        torch.testing.assert_close(FAST["softplus"](*given), softplus.mix(*given), rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(FAST["sigmoid"](*given), sinks.sigmoid(*given), rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(FAST["key_bias"](*given), sinks.key_bias(*given, draw(2, 16)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", FAST)
def test_other_precisions(name: str, dtype: torch.dtype) -> None:
    given = [x.to(dtype) for x in tokens(40)]
    got, expected = FAST[name](*given), DEFINITIONS[name](*(x.double() for x in given))
    assert got.dtype == dtype
    # The inputs are rounded already; what is left is the answer's own rounding, and float32 logits three times as steep.
    assert (got.double() - expected).abs().max() <= max(4 * torch.finfo(dtype).eps, 1e-5)


@pytest.mark.parametrize("splits", [1, 2])
@pytest.mark.parametrize("rows", [1, 5])
def test_the_last_rows_of_a_longer_text_by_heads_that_share_keys(rows: int, splits: int) -> None:
    """As in decoding: two splits of three tiles, and the lse that goes with such weights."""
    q, (_, k, v) = draw(4, 40, 16), tokens(40)
    wide_k, wide_v = (x.repeat_interleave(2, dim=0) for x in (k, v))
    got = gpu.attend(q[:, -rows:], k, v, softplus=(torch.tensor(16.0).log().item(), 3.0), splits=splits, config=SMALL)
    torch.testing.assert_close(got.out, softplus.loop(q, wide_k, wide_v)[:, -rows:], rtol=1e-6, atol=1e-6)
    got = gpu.attend(q[:, -rows:], k, v, sigmoid=True, splits=splits, config=SMALL)
    torch.testing.assert_close(got.out, sinks.sigmoid_loop(q, wide_k, wide_v)[:, -rows:], **EXACT)
    weights = sinks.sigmoid_loop(q, wide_k, torch.ones_like(wide_v))[:, -rows:, 0]
    torch.testing.assert_close(got.lse, weights.log(), **EXACT)
    each = draw(4, rows)
    got = gpu.attend(q[:, -rows:], k, v, Spec(sink_logit=each), splits=splits, config=SMALL)
    without = gpu.attend(q[:, -rows:], k, v, splits=splits, config=SMALL)
    torch.testing.assert_close(got.out, without.out * torch.sigmoid(without.lse - each)[..., None], **EXACT)
    torch.testing.assert_close(got.lse, torch.logaddexp(without.lse, each), **EXACT)


def test_weights_that_stand_alone_take_no_share() -> None:
    for spec, how in ((Spec(sink_logit=torch.zeros(2)), None), (Spec(), (1.0, 1.0))):
        with pytest.raises(ValueError, match="each key by itself"):
            gpu.attend(*tokens(3), spec, softplus=how, sigmoid=True)


@pytest.mark.parametrize("name", FRONT)
def test_triton_runs_on_a_gpu_where_no_gradient_is_wanted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = [x.as_subclass(OnGpu) for x in tokens(20)]
    expected = DEFINITIONS[name](*tokens(20))
    through: list[str] = []
    monkeypatch.setattr(weighing_gpu, name, noted(through, name, getattr(weighing_gpu, name)))
    torch.testing.assert_close(FRONT[name](*given).as_subclass(Tensor), expected, **EXACT)
    assert through == [name]
    given[0].requires_grad_()
    out = FRONT[name](*given)
    assert through == [name]
    assert out.requires_grad
