"""From how many keys on each policy is faster than dense on this CPU, while tokens are written and while a prompt is read: what
`--freeze` writes down.

Knows the policies by name and how a step is raced; the numbers are read by `kernels.policies.registry.make`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch.nn import functional as F

from kernels.bench.measure import Step, race
from kernels.bench.on_cpu import STEPS, USUAL, Layer, go_back, step_of
from kernels.policies.base import NEVER, Policy, Problem
from kernels.policies.registry import POLICIES, make

LADDER = (1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768)
FASTER = 1.03
"""A policy must win by more than the clock's noise."""
NOT_FOR_SPEED = ("dense", "act")
"""ACT reads every key and then some, for better answers; it is on wherever it is asked for."""
ROUNDS = 7
WIDE = 1536, 8960
"""The weights [in, out] that a layer reads between two attentions: neither keys nor code are in the nearest caches then, and a
policy of many small operators is slower than in a race of its own.
"""
PASS, PASSES = 64, 3
"""Tokens that the engine reads of a prompt in one pass, and passes of a race."""


def breaks_even(ratios: Mapping[int, Sequence[float]]) -> int:
    """``ratios``: for each length by how much a policy beat dense, once for each precision. The first length from which on it
    won every time; `NEVER` if it did not at the last.
    """
    found = NEVER
    for length in sorted(ratios, reverse=True):
        if min(ratios[length]) < FASTER:
            break
        found = length
    return found


def measured(say: Callable[[str], None], ladder: Sequence[int] = LADDER, rounds: int = ROUNDS) -> dict[str, int]:
    """{policy: keys}, each policy at its default budget; those that choose do so at every token."""
    ratios: dict[str, dict[int, list[float]]] = {name: {} for name in POLICIES if name not in NOT_FOR_SPEED}
    for length in ladder:
        for dtype in (torch.bfloat16, torch.float32):
            say(f"where policies break even: {length} keys, {dtype}")
            for race_ in (_steps, _prompts):  # who loses while writing is not asked to read
                names = [name for name, found in ratios.items() if min(found.get(length, [FASTER])) >= FASTER]
                times = race_(length, dtype, rounds, names)
                for name in names:
                    ratios[name].setdefault(length, []).append(times["dense"] / times[name])
    return {name: breaks_even(found) for name, found in ratios.items()}


def _contenders(names: Sequence[str]) -> dict[str, Policy]:
    return {name: make(name, least=0, **USUAL.get(name, {})) for name in ("dense", *names)}


def _steps(length: int, dtype: torch.dtype, rounds: int, names: Sequence[str]) -> dict[str, float]:
    """Milliseconds of a decode step of these and of dense."""
    layer, made = Layer.random(length, STEPS + 1, dtype), _contenders(names)
    contenders = {name: step_of(layer, policy, length) for name, policy in made.items()}
    return race(contenders, range(1, STEPS + 1), rounds, lambda: go_back(layer, made, length), _weights(dtype))


def _prompts(length: int, dtype: torch.dtype, rounds: int, names: Sequence[str]) -> dict[str, float]:
    """Milliseconds of a pass over `PASS` tokens of a prompt, behind ``length`` keys that were read before."""
    layer, made = Layer.random(length, PASS * (PASSES + 1), dtype), _contenders(names)

    def reading(policy: Policy) -> Step:
        def run(number: int) -> object:
            end = length + PASS * (number + 1)
            rows = layer.q[:, PASS * number : PASS * (number + 1)]
            return policy.attend(Problem(rows, layer.k[:, :end], layer.v[:, :end]))

        return run

    contenders = {name: reading(policy) for name, policy in made.items()}

    def go_back_a_prompt() -> None:
        for name, policy in made.items():
            policy.crop(length)
            contenders[name](0)

    return race(contenders, range(1, PASSES + 1), rounds, go_back_a_prompt, _weights(dtype))


def _weights(dtype: torch.dtype) -> Callable[[], object]:
    x, weights = torch.randn(1, WIDE[0]).to(dtype), torch.randn(WIDE[1], WIDE[0]).to(dtype)
    return lambda: F.linear(x, weights)
