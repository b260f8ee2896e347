"""Chunked and Triton forms of linear attention and gated scans against the step by step ones, and those by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from kernels.linear import chunked, reference, run

# Sums of at most 200 products of size 1 in another order.
EXACT: dict[str, Any] = {"rtol": 1e-11, "atol": 1e-11}
LENGTHS = [1, 2, 31, 32, 33, 63, 64, 65, 200]
DECAYS = ["none", "head", "step"]


def problem(steps: int, decays: str, size: int = 16, width: int = 24, heads: int = 3) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(steps)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    shape = {"none": (), "head": (heads,), "step": (heads, steps)}[decays]
    decay = -draw(*shape).abs() if shape else None
    return draw(heads, steps, size), draw(heads, steps, size), draw(heads, steps, width), decay, draw(heads, size, width)


def test_the_reference_by_hand() -> None:
    q = k = torch.tensor([[[1.0], [2.0], [1.0]]], dtype=torch.float64)
    v = torch.tensor([[[1.0], [1.0], [3.0]]], dtype=torch.float64)
    out, state = reference.linear(q, k, v, torch.log(torch.tensor([0.5], dtype=torch.float64)))
    # S: 1, then 0.5 + 2 = 2.5, then 1.25 + 3 = 4.25; read with 1, 2, 1.
    assert out.flatten().tolist() == pytest.approx([1.0, 5.0, 4.25])
    assert state.item() == pytest.approx(4.25)


def test_without_decay_it_is_causal_attention_without_softmax() -> None:
    q, k, v, _, _ = problem(33, "none")
    torch.testing.assert_close(reference.linear(q, k, v)[0], (q @ k.transpose(1, 2)).tril() @ v, **EXACT)


@pytest.mark.parametrize("decays", DECAYS)
@pytest.mark.parametrize("steps", LENGTHS)
@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_chunked_equals_step_by_step(steps: int, decays: str, chunk: int) -> None:
    given = problem(steps, decays)
    for got, expected in zip(chunked.linear(*given, chunk=chunk), reference.linear(*given), strict=True):
        torch.testing.assert_close(got, expected, **EXACT)


@pytest.mark.parametrize("decays", DECAYS)
def test_step_after_step_equals_all_at_once(decays: str) -> None:
    q, k, v, decay, state = problem(70, decays)
    whole, last = reference.linear(q, k, v, decay, state)
    rows = []
    for t in range(70):
        out, state = chunked.step(q[:, t], k[:, t], v[:, t], decay[:, t] if decays == "step" else decay, state)
        rows.append(out)
    torch.testing.assert_close(torch.stack(rows, 1), whole, **EXACT)
    torch.testing.assert_close(state, last, **EXACT)


class _OnGpu(Tensor):
    """Says that it lies on a GPU, as far as a choice goes."""

    is_cuda = True


@pytest.mark.parametrize(("on_gpu", "learns", "has", "chosen"), [
    (True, False, True, "gpu"), (True, True, True, "chunked"), (True, False, False, "chunked"), (False, False, True, "chunked"),
])  # fmt: skip
def test_triton_runs_where_there_is_a_gpu_and_no_gradient(
    on_gpu: bool, learns: bool, has: bool, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run.dispatch, "has_triton", lambda: has)
    monkeypatch.setattr(run.importlib, "import_module", lambda name: name)
    q = torch.zeros(1, 1, 4).as_subclass(_OnGpu) if on_gpu else torch.zeros(1, 1, 4)
    found = run._backend(q, torch.zeros(1, requires_grad=learns), None)
    assert (found if isinstance(found, str) else found.__name__) == f"kernels.linear.{chosen}"
    with torch.no_grad():
        assert (run._backend(q) is chunked) == (chosen == "chunked" and not learns)


@pytest.mark.parametrize("decays", DECAYS)
def test_a_stretch_cut_in_two_goes_on_from_the_state(decays: str) -> None:
    q, k, v, decay, state = problem(100, decays)
    whole, last = chunked.linear(q, k, v, decay, state)
    parts = []
    for rows in (slice(0, 37), slice(37, 100)):
        own = decay[:, rows] if decays == "step" else decay
        out, state = chunked.linear(q[:, rows], k[:, rows], v[:, rows], own, state)
        parts.append(out)
    torch.testing.assert_close(torch.cat(parts, 1), whole, **EXACT)
    torch.testing.assert_close(state, last, **EXACT)


def test_a_strong_decay_neither_overflows_nor_spoils_the_gradient() -> None:
    q, k, v, decay, _ = problem(128, "step")
    decay = (decay * 100).requires_grad_()
    out, _ = chunked.linear(q, k, v, decay)
    out.sum().backward()
    assert out.isfinite().all()
    assert decay.grad is not None
    assert decay.grad.isfinite().all()


def scan_problem(steps: int, kind: str) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(steps)
    dtype = torch.complex128 if kind == "complex" else torch.float64
    x, state = (torch.randn(2, *shape, 5, generator=generator, dtype=dtype) for shape in ((steps,), ()))
    size = torch.rand(2, steps, 5, generator=generator, dtype=torch.float64)
    angle = torch.rand(2, steps, 5, generator=generator, dtype=torch.float64)
    return x, torch.polar(size, angle) if kind == "complex" else size, state


@pytest.mark.parametrize("kind", ["real", "complex"])
@pytest.mark.parametrize("steps", LENGTHS)
@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_the_chunked_scan_equals_the_loop(steps: int, kind: str, chunk: int) -> None:
    x, decay, state = scan_problem(steps, kind)
    torch.testing.assert_close(chunked.scan(x, decay, state, chunk), reference.scan(x, decay, state), **EXACT)


def test_a_scan_in_half_precision_rounds_once() -> None:
    x, decay, state = (each.bfloat16() for each in scan_problem(200, "real"))
    got = chunked.scan(x, decay, state)
    exact = reference.scan(x.double(), decay.double(), state.double())
    assert got.dtype == torch.bfloat16
    assert bool(((got.double() - exact).abs() <= exact.abs() * 2**-8 + 1e-5).all())


def test_the_scan_passes_gradients_on() -> None:
    x, decay, state = (each.requires_grad_() for each in scan_problem(40, "real"))
    assert torch.autograd.gradcheck(lambda *given: chunked.scan(*given, chunk=16), (x, decay, state))
