"""The bench's mixers on a GPU: what each runs there beside torch's form of the same mixer and, where attention under a mask is
the same, beside torch's fused kernel.

A mixer is first compared with its torch form in float64 on the CPU, which the tests compare with the definition. Knows mixers
and tensors; does not know how time is taken.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from kernels import dispatch
from kernels.bench.measure import TOLERANCE, Verdict
from kernels.bench.small import Part, Run
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
)

H, D = 4, 128
BLOCK, CHUNK, GROUP, SINKS, WIDTH, CENTROIDS, FEATURES, STATES, DEVICES = 64, 16, 1024, 4, 256, 16, 16, 16, 4
JUDGED = 1024
"""Tokens that are compared; all of ``length`` are timed."""
FORMS = 4096
"""Tokens up to which torch's forms are run: a square of 16 384 holds 2 GB for these heads."""
LONGEST = 16384
"""Those that look at every token before take 50 times longer over 131 072."""

Mixer = Callable[..., Tensor]
"""(q, k, v [H, T, D], what the mixer has of its own) -> [H, T, D]."""


@functools.lru_cache(maxsize=1)
def _groups(steps: int, device: torch.device) -> Tensor:
    return shifted.visible(H, steps, GROUP, SINKS, device)


def _s4d(q: Tensor, k: Tensor, v: Tensor, *own: Tensor) -> Tensor:
    return s4d.mix(v, s4d.System(own[0], own[1], own[2], torch.view_as_complex(own[3]), own[4]))


MIXERS: dict[str, Mixer] = {
    "lightning": lambda q, k, v, decay: lightning.mix(q, k, v, decay)[0],
    "based": lambda q, k, v: based.mix(q[..., :FEATURES], k[..., :FEATURES], v)[0],
    "flow": flow.mix,
    "inline": inline.mix,
    "rat": lambda q, k, v, gate: rat.mix(q, k, v, gate, CHUNK),
    "dynamic_mask": lambda q, k, v, bias: dynamic_mask.mix(q, k, v, bias, WIDTH),
    "routing": lambda q, k, v, clusters: routing.mix(q, k, v, clusters, WIDTH, CENTROIDS),
    "agent": lambda q, k, v: agent.mix(q, k, v, BLOCK),
    "softplus": softplus.mix,
    "sigmoid": sinks.sigmoid,
    "key_bias": sinks.key_bias,
    "s4d": _s4d,
    "shifted": lambda q, k, v: shifted.mix(q, k, v, GROUP, SINKS),
    "positional": lambda q, k, v, *maps: positional.mix(v, *maps),
    "ring": lambda q, k, v: ring.mix(q, k, v, DEVICES),
}
FUSED: dict[str, Mixer] = {
    "routing": lambda q, k, v, clusters: dense.fused(q, k, v, routing.visible(clusters, WIDTH)),
    "shifted": lambda q, k, v: dense.fused(q, k, v, _groups(q.shape[1], q.device)),
    "positional": lambda q, k, v, *maps: _plain(*positional.sides(v, *maps), v),
    "ring": lambda q, k, v: _plain(q, k, v),
}


def part(name: str, length: int, dtype: torch.dtype, device: torch.device) -> Iterator[Part]:
    """The mixer called ``name`` over ``length`` tokens; nothing beyond `LONGEST`."""
    if length > LONGEST:
        return
    mixer, given, few = MIXERS[name], _given(name, length, dtype, device), _given(name, min(length, JUDGED), dtype, device)
    in_torch = [x.float() for x in given] if name == "s4d" else given  # torch has no half transform of any length
    forms: dict[str, Run] = {}
    if length <= FORMS:
        forms["torch"] = partial(_by_torch, mixer, *in_torch)
        if name in FUSED:
            forms["fused"] = partial(FUSED[name], *given)
    yield Part("mixer", name, partial(mixer, *given), forms, _verdict(name, few))


def _verdict(name: str, given: list[Tensor]) -> Verdict:
    """Sums over all tokens are kept in half precision by some of torch's forms too: twice their error is still right."""
    exact = MIXERS[name](*(x.cpu().double() if x.is_floating_point() else x.cpu() for x in given))
    wide = [x.float() for x in given] if name == "s4d" else given
    ours, theirs = (x.cpu().double() - exact for x in (MIXERS[name](*given), _by_torch(MIXERS[name], *wide)))
    relative, usual = (float(x.square().mean().sqrt() / exact.square().mean().sqrt()) for x in (ours, theirs))
    return Verdict(float(ours.abs().max()), relative <= max(TOLERANCE[given[0].dtype], 2 * usual))


def _by_torch(mixer: Mixer, *given: Tensor) -> Tensor:
    with dispatch.only_torch():
        return mixer(*given)


def _plain(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    found: Tensor = torch.nn.functional.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True)[0]
    return found


def _given(name: str, length: int, dtype: torch.dtype, device: torch.device) -> list[Tensor]:
    """q, k, v and what the mixer has of its own, drawn: clusters and wishes too, so that nobody chooses otherwise."""
    generator = torch.Generator().manual_seed(length)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    own: dict[str, Callable[[], list[Tensor]]] = {
        "lightning": lambda: [lightning.slopes(H)],
        "inline": lambda: [0.1 * draw(H, inline.NEAR)],
        "rat": lambda: [torch.sigmoid(draw(H, length, D) + 2)],
        "dynamic_mask": lambda: [draw(H, length)],
        "routing": lambda: [torch.randint(CENTROIDS, (H, length), generator=generator)],
        "key_bias": lambda: [draw(H, D)],
        "positional": lambda: [draw(H, D, D) * D**-0.5, draw(H, D, D) * D**-0.5],
        "s4d": lambda: [draw(D) - 3, *s4d.linear_poles(D, STATES), draw(D, STATES, 2), draw(D)],
    }
    kept = name in ("s4d", "routing")  # a system stays in float32, clusters are numbers
    drawn = [x if kept else x.to(dtype) for x in own.get(name, list)()]
    return [x.to(device) for x in (*(draw(H, length, D).to(dtype) for _ in range(3)), *drawn)]
