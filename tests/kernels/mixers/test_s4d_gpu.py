"""S4D in Triton, run by its interpreter, against the recurrence token by token."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

pytest.importorskip("triton", reason="triton is not installed (pip install triton; Linux only)")
from kernels.mixers import s4d, s4d_gpu
from tests.kernels.mixers.test_mixers import draw, system
from tests.kernels.mixers.test_weighing_gpu import OnGpu, noted

# Sums of some hundred products of size 1 in another order, in float64.
EXACT: dict[str, Any] = {"rtol": 1e-11, "atol": 1e-11}
TURN = s4d_gpu.CHUNK * s4d_gpu.CHUNKS


@pytest.mark.parametrize(
    ("texts", "steps", "channels", "states"),
    [(1, 1, 1, 1), (2, 33, 2, 3), (1, 32, 1, 16), (1, 70, 1, 17), (1, TURN, 1, 2), (1, TURN + 33, 1, 3)],
)
def test_whole_texts_equal_the_recurrence(texts: int, steps: int, channels: int, states: int) -> None:
    x, own = draw(texts, steps, channels), system(channels, states)
    torch.testing.assert_close(s4d_gpu.mix(x, own), s4d.loop(x, own), **EXACT)


def test_states_that_hardly_decay_are_carried_from_turn_to_turn() -> None:
    """A decay of e^-0.0001 a step over a turn and a bit: the first token is still heard."""
    decay, angle = torch.tensor([[-5.2]]).double(), torch.tensor([[0.01]]).double()
    slow = s4d.System(torch.tensor([-4.0]).double(), decay, angle, draw(1, 1) + 0j, draw(1))
    x = torch.zeros(1, TURN + 50, 1, dtype=torch.float64)
    x[:, 0] = 1.0
    got = s4d_gpu.mix(x, slow)
    torch.testing.assert_close(got, s4d.loop(x, slow), **EXACT)
    assert got[0, -s4d_gpu.CHUNK :].abs().max() > 0.5 * got[0, 1 : s4d_gpu.CHUNK].abs().max()


def test_a_strong_decay_forgets_and_is_no_nan() -> None:
    """e^(-e^8 / 2) is 0 in a double."""
    own = system(1, 3)
    strong = s4d.System(torch.full((1,), 8.0).double(), own.log_decay, own.angle, own.read, own.skip)
    x = draw(1, 40, 1)
    expected = s4d.loop(x, strong)
    for form in (s4d_gpu.mix, s4d.mix):
        torch.testing.assert_close(form(x, strong), expected, **EXACT)


@pytest.mark.parametrize(("channels", "states"), [(1, 1), (5, 3), (70, 16)])
def test_token_after_token_equals_the_whole(channels: int, states: int) -> None:
    x, own = draw(2, 4, channels), system(channels, states)
    state = torch.complex(draw(2, states, channels), draw(2, states, channels, seed=1)).transpose(1, 2)  # not in one piece
    other = state
    for t in range(4):
        out, state = s4d_gpu.step(x[:, t], own, state)
        expected, other = s4d.step(x[:, t], own, other)
        torch.testing.assert_close((out, state), (expected, other), **EXACT)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_other_precisions(dtype: torch.dtype) -> None:
    """As when a model runs in half precision: the system stays in float32."""
    own, x = system(1, 3), draw(1, 40, 1).to(dtype)
    single = s4d.System(*(part.to(torch.complex64 if part.is_complex() else torch.float32) for part in vars(own).values()))
    expected = s4d.loop(x.double(), own)
    bound = max(torch.finfo(dtype).eps, 2e-6) * expected.abs().max()
    for form in (s4d_gpu.mix, s4d.mix):
        got = form(x, single)
        assert got.dtype == dtype
        assert (got.double() - expected).abs().max() <= bound
    for next_of in (s4d_gpu.step, s4d.step):
        state = torch.zeros(1, 1, 3, dtype=torch.complex64)
        for t in range(3):
            out, state = next_of(x[:, t], single, state)
            assert (out.double() - expected[:, t]).abs().max() <= bound
        assert (out.dtype, state.dtype) == (dtype, torch.complex64)


def test_triton_runs_on_a_gpu_where_no_gradient_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    own, x, state = system(1, 3), draw(1, 4, 1).as_subclass(OnGpu), torch.zeros(1, 1, 3, dtype=torch.complex128)
    through: list[str] = []
    for name in ("mix", "step"):
        monkeypatch.setattr(s4d_gpu, name, noted(through, name, getattr(s4d_gpu, name)))

    def both() -> tuple[Tensor, Tensor]:
        return s4d.mix(x, own).as_subclass(Tensor), s4d.step(x[:, 0], own, state)[0].as_subclass(Tensor)

    whole, first = both()
    torch.testing.assert_close((whole, first), (s4d.loop(draw(1, 4, 1), own), whole[:, 0]), **EXACT)
    assert through == ["mix", "step"]
    own.log_dt.requires_grad_()
    assert all(out.requires_grad for out in both())
    assert through == ["mix", "step"]
    wide = system(1, s4d.ON_TRITON + 1)  # more states than shared memory holds
    s4d.mix(x, wide)
    assert through == ["mix", "step"]
