"""Every mixer against its definition, against what it must equal at its extremes, and against the future it must not see."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from kernels.mixers import (
    agent,
    based,
    dense,
    dynamic_mask,
    flow,
    inline,
    lightning,
    positional,
    rat,
    ring,
    routing,
    s4d,
    shifted,
    sinks,
    softplus,
)  # fmt: skip

# The same sums of some dozen terms of size 1 in another order, in float64.
EXACT = {"rtol": 1e-10, "atol": 1e-10}
HEADS, SIZE = 4, 8
LENGTHS = [1, 7, 16, 33]
Mixer = Callable[[Tensor, Tensor, Tensor], Tensor]


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + sum(shape)), dtype=torch.float64)


def tokens(steps: int) -> tuple[Tensor, Tensor, Tensor]:
    return draw(HEADS, steps, SIZE), draw(HEADS, steps, SIZE, seed=1), draw(HEADS, steps, SIZE, seed=2)


def gates(q: Tensor) -> Tensor:
    return torch.sigmoid(q.flip(-1))  # of a token, so that nothing of its future enters


DECAY = lightning.slopes(HEADS).double()
NEAR = draw(HEADS, inline.NEAR)
KEY = draw(HEADS, SIZE)
WISH = draw(HEADS, SIZE, seed=3), draw(HEADS), torch.ones(HEADS, dtype=torch.float64)
CENTROIDS = draw(HEADS, 3, SIZE)
PLACES = draw(HEADS, 6, SIZE), draw(HEADS, 6, SIZE, seed=1)
OWN: dict[str, tuple[Tensor, ...]] = {"inline": (NEAR,), "dynamic_mask": WISH, "key_bias": (KEY,), "positional": PLACES}


def _routed(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return routing.mix(q, k, v, routing.assign(q, CENTROIDS), 4)


def _masked(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return dynamic_mask.mix(q, k, v, dynamic_mask.wish(v, *WISH), 5)


MIXERS: dict[str, Mixer] = {
    "lightning": lambda q, k, v: lightning.mix(q, k, v, DECAY)[0],
    "based": lambda q, k, v: based.mix(q, k, v)[0],
    "rat": lambda q, k, v: rat.mix(q, k, v, gates(q), 4),
    "dynamic_mask": _masked,
    "routing": _routed,
    "agent": lambda q, k, v: agent.mix(q, k, v, 4),
    "inline": lambda q, k, v: inline.mix(q, k, v, NEAR),
    "flow": flow.mix,
    "softplus": softplus.mix,
    "key_bias": lambda q, k, v: sinks.key_bias(q, k, v, KEY),
    "sigmoid": sinks.sigmoid,
    "shifted": lambda q, k, v: shifted.mix(q, k, v, 6, 2),
    "positional": lambda q, k, v: positional.mix(v, *PLACES),
    "ring": lambda q, k, v: ring.mix(q, k, v, 3),
}

DEFINITIONS: dict[str, Mixer] = {
    "lightning": lambda q, k, v: lightning.square(q, k, v, DECAY),
    "based": based.square,
    "rat": lambda q, k, v: rat.loop(q, k, v, gates(q), 4),
    "dynamic_mask": lambda q, k, v: dynamic_mask.loop(q, k, v, dynamic_mask.wish(v, *WISH), 5),
    "routing": lambda q, k, v: dense.attention(q, k, v, routing.visible(routing.assign(q, CENTROIDS), 4)),
    "agent": lambda q, k, v: agent.loop(q, k, v, 4),
    "inline": lambda q, k, v: inline.square(q, k, v, NEAR),
    "flow": flow.loop,
    "softplus": softplus.loop,
    "key_bias": lambda q, k, v: sinks.key_bias_loop(q, k, v, KEY),
    "sigmoid": sinks.sigmoid_loop,
    "shifted": lambda q, k, v: dense.attention(q, k, v, shifted.visible(HEADS, q.shape[1], 6, 2)),
    "positional": lambda q, k, v: positional.loop(v, *PLACES),
    "ring": dense.attention,
}


@pytest.mark.parametrize("steps", LENGTHS)
@pytest.mark.parametrize("name", DEFINITIONS)
def test_the_fast_form_is_the_definition(name: str, steps: int) -> None:
    torch.testing.assert_close(MIXERS[name](*tokens(steps)), DEFINITIONS[name](*tokens(steps)), **EXACT)


@pytest.mark.parametrize("steps", [1, 16, 33])
@pytest.mark.parametrize("name", DEFINITIONS)
def test_gradients_are_the_definitions(name: str, steps: int) -> None:
    """Of tokens and of a mixer's own weights."""
    given, toward = tokens(steps), draw(HEADS, steps, SIZE, seed=7)
    leaves = [leaf.requires_grad_() for leaf in (*given, *OWN.get(name, ()))]
    grads = [
        torch.autograd.grad((form(*given) * toward).sum(), leaves, allow_unused=True)
        for form in (MIXERS[name], DEFINITIONS[name])
    ]
    for leaf in leaves:
        leaf.requires_grad_(False)
    for got, expected in zip(*grads, strict=True):
        torch.testing.assert_close(got, expected, **EXACT)


@pytest.mark.parametrize("name", MIXERS)
def test_nothing_of_the_future_enters(name: str) -> None:
    q, k, v = tokens(33)
    before = MIXERS[name](q, k, v)
    for at in (1, 16, 30):
        changed = [torch.cat((x[:, :at], 3 * x[:, at:] + 1), dim=1) for x in (q, k, v)]
        torch.testing.assert_close(MIXERS[name](*changed)[:, :at], before[:, :at], **EXACT)


@pytest.mark.parametrize("name", MIXERS)
def test_gradients_are_finite_and_reach_the_values(name: str) -> None:
    q, k, v = (x.requires_grad_() for x in tokens(12))
    MIXERS[name](q, k, v).square().sum().backward()
    assert v.grad is not None
    assert v.grad.isfinite().all()
    assert (v.grad.abs().sum(dim=(0, 2)) > 0).all()


@pytest.mark.parametrize("devices", [1, 2, 3, 4, 7])
def test_the_ring_is_attention_whatever_its_size(devices: int) -> None:
    torch.testing.assert_close(ring.mix(*tokens(33), devices), dense.attention(*tokens(33)), **EXACT)


def test_at_their_extremes_they_are_plain_attention() -> None:
    q, k, v = tokens(17)
    expected = dense.attention(q, k, v)
    single = torch.zeros(HEADS, 17, dtype=torch.long)
    for name, got in {
        "rat, chunks of one": rat.mix(q, k, v, gates(q), 1),
        "agent, one block": agent.mix(q, k, v, 17),
        "dynamic mask, all keys, no bias": dynamic_mask.mix(q, k, v, torch.zeros(HEADS, 17), 17),
        "routing, one centroid": routing.mix(q, k, v, single, 17),
        "shifted, one group": shifted.mix(q, k, v, 34, 0),
    }.items():
        torch.testing.assert_close(got, expected, **EXACT, msg=name)


def test_dynamic_mask_keeps_the_most_wanted_keys() -> None:
    bias = torch.tensor([[3.0, 1.0, 2.0, 5.0]])
    assert dynamic_mask.visible(bias, 2)[0].int().tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]]


def test_of_keys_that_are_wanted_alike_the_earlier_are_kept() -> None:
    bias = torch.tensor([[0.0, 0.0, 0.0, 1.0, 0.0]])
    kept = [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [1, 0, 0, 1, 0], [1, 0, 0, 1, 0]]
    assert dynamic_mask.visible(bias, 2)[0].int().tolist() == kept


@pytest.mark.parametrize("name", ["softplus", "sigmoid", "key_bias", "dynamic_mask"])
def test_more_rows_than_one_stretch_and_a_prompt_cut_anywhere(name: str) -> None:
    q, k, v = tokens(dense.ROWS + 40)
    whole = MIXERS[name](q, k, v)
    torch.testing.assert_close(whole, DEFINITIONS[name](q, k, v), **EXACT)
    for rows in (dense.ROWS - 1, dense.ROWS, dense.ROWS + 1):
        torch.testing.assert_close(MIXERS[name](q[:, :rows], k[:, :rows], v[:, :rows]), whole[:, :rows], **EXACT)


def test_texts_of_a_batch_share_the_weights_of_positions() -> None:
    v = draw(3 * HEADS, 20, SIZE)
    each = [positional.mix(text, *PLACES) for text in v.split(HEADS)]
    torch.testing.assert_close(positional.mix(v, *PLACES), torch.cat(each), **EXACT)


def test_a_decode_step_is_the_last_row() -> None:
    q, k, v = tokens(20)
    whole, state = lightning.mix(q, k, v, DECAY)
    _, before = lightning.mix(q[:, :-1], k[:, :-1], v[:, :-1], DECAY)
    out, after = lightning.step(q[:, -1], k[:, -1], v[:, -1], DECAY, before)
    torch.testing.assert_close((out, after), (whole[:, -1], state), **EXACT)
    whole, state = based.mix(q, k, v)
    _, before = based.mix(q[:, :-1], k[:, :-1], v[:, :-1])
    torch.testing.assert_close(based.step(q[:, -1], k[:, -1], v[:, -1], before), (whole[:, -1], state), **EXACT)
    bias = dynamic_mask.wish(v, *WISH)
    torch.testing.assert_close(dynamic_mask.step(q[:, -1], k, v, bias, 5), dynamic_mask.mix(q, k, v, bias, 5)[:, -1], **EXACT)


def test_sharpening_moves_weight_to_the_strongest_and_rows_sum_to_one() -> None:
    q, k, _ = tokens(33)
    each = torch.eye(33, dtype=torch.float64).expand(HEADS, -1, -1)
    plain, sharp = softplus.mix(q, k, each, 1), softplus.mix(q, k, each, 3)
    for weights in (plain, sharp):
        torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]), rtol=1e-6, atol=1e-6)
    assert (sharp.max(-1).values >= plain.max(-1).values - 1e-9).all()
    assert (sharp.argmax(-1) == plain.argmax(-1)).all()


def test_logits_far_below_zero_still_have_weights() -> None:
    q, k, v = (x.float() for x in tokens(33))
    out = softplus.mix(9 * q.abs(), -9 * k.abs(), torch.ones_like(v))  # e^-2000
    torch.testing.assert_close(out, torch.ones_like(v))


def system(channels: int = 5, states: int = 3) -> s4d.System:
    log_decay, angle = s4d.linear_poles(channels, states)
    read = torch.complex(draw(channels, states), draw(channels, states, seed=1))
    return s4d.System(draw(channels) - 2, log_decay.double(), angle.double(), read, draw(channels, seed=4))


@pytest.mark.parametrize("steps", LENGTHS)
def test_s4d_as_convolution_recurrence_and_steps(steps: int) -> None:
    x, state = draw(2, steps, 5), torch.zeros(2, 5, 3, dtype=torch.complex128)
    expected = s4d.loop(x, system())
    torch.testing.assert_close(s4d.mix(x, system()), expected, **EXACT)
    rows = []
    for t in range(steps):
        out, state = s4d.step(x[:, t], system(), state)
        rows.append(out)
    torch.testing.assert_close(torch.stack(rows, 1), expected, **EXACT)
