"""Which key heads must see everything, by optimisation (DuoAttention, arXiv 2410.10819, section 3.2): a gate for each head.

A head's answer is its gate times full attention plus the rest times attention to a sink and a window. The gates are trained,
nothing else: the stream behind the last layer must stay as it is where a passkey that stands far up is repeated, and every gate
costs. What stays open retrieves. The texts are random tokens with passkeys in them, so that nothing but looking back helps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from assistant.model.hf.engine import HubEngine
from assistant.model.hf.runner import HubRunner, HubSlot, Way
from assistant.model.hf.watching import as_logits
from assistant.types import EngineError
from kernels.attention.cpu import visible
from kernels.attention.spec import Answer, Heads, Spec
from kernels.policies.base import Policy, Problem

RATE, PRICE = 0.02, 0.05
"""Learning rate, and the price of all gates open, in parts of the stream's own size."""
KEYS, KEY = 5, 16
"""Passkeys of a text and the tokens of one."""
SINK_SHARE, WINDOW_SHARE = 16, 4
"""A streaming head sees a sixteenth of the text from its beginning and a quarter before it."""
LENGTHS, STEPS = {"cpu": 512, "cuda": 4096}, {"cpu": 80, "cuda": 400}
MOST_FLOPS = {"cpu": 2e14, "cuda": math.inf}
"""An hour of a core."""


@dataclass
class Gated(Policy):
    """Both kinds of attention, mixed by ``gate`` [KV]; gradients reach it. For one pass over a whole text."""

    sink: int = 0
    window: int = 0
    gate: Tensor | None = None
    name: str = field(default="gated", init=False)

    def attend(self, problem: Problem, prefer: str = "") -> Answer:
        kv, group = len(problem.k), problem.q.shape[0] // len(problem.k)
        out = _attention(problem, problem.base)
        if self.gate is not None and problem.base.heads is None:
            streaming = _attention(problem, Spec(problem.base.scale, Heads((False,) * kv, self.sink, self.window)))
            open_ = self.gate.to(out.dtype).repeat_interleave(group)[:, None, None]
            out = open_ * out + (1 - open_) * streaming
        return Answer(out, out.new_zeros(out.shape[:2]))


def _attention(problem: Problem, spec: Spec) -> Tensor:
    """Under the mask of ``spec``, by operators that gradients pass."""
    group, base = problem.q.shape[0] // len(problem.k), problem.base
    keys, values = (x.repeat_interleave(group, dim=0) for x in (problem.k, problem.v))
    mask = visible(spec, len(problem.k), problem.rows().cpu(), problem.held().cpu()).to(problem.q.device)
    mask = mask.repeat_interleave(problem.q.shape[0] // len(mask), dim=0)
    if not base.softcap and base.sink_logit is None:
        scale = base.scale or None
        return F.scaled_dot_product_attention(problem.q[None], keys[None], values[None], mask[None], scale=scale)[0]
    logits = as_logits(problem.q @ keys.transpose(1, 2), problem).masked_fill(~mask, -math.inf)
    if base.sink_logit is not None:
        extra = base.sink_logit.to(logits.dtype)[:, None, None].expand(-1, logits.shape[1], 1)
        return torch.softmax(torch.cat((logits, extra), dim=2), dim=2)[:, :, :-1] @ values
    return torch.softmax(logits, dim=2) @ values


@dataclass(frozen=True)
class Found:
    """``gates`` [layers, KV] from 0 (streams) to 1 (sees everything), and the loss of each step."""

    gates: Tensor
    losses: list[float]


def affordable(runner: HubRunner, length: int, steps: int) -> bool:
    """Whether the training ends in reasonable time on the model's device."""
    parameters: int = sum(weight.numel() for weight in runner.model.parameters())
    most: float = MOST_FLOPS.get(str(runner.model.device.type), math.inf)
    return 6 * parameters * length * steps <= most


def plan(engine: HubEngine, runner: HubRunner) -> tuple[int, int]:
    """Tokens of a text and steps, on the model's device."""
    device = runner.model.device.type
    return min(engine.context, LENGTHS.get(device, 512)), STEPS.get(device, 80)


def optimise(
    engine: HubEngine, runner: HubRunner, length: int, steps: int, say: Callable[[str], None] = lambda text: None, seed: int = 0
) -> Found:
    """Train the gates of all layers. Raises `EngineError` where the model's attention cannot be replaced."""
    if runner.way is not Way.OURS:
        raise EngineError(f"this model's heads cannot be gated: {runner.way.value}")
    config = runner.model.config.get_text_config(decoder=True)
    shape = int(config.num_hidden_layers), int(getattr(config, "num_key_value_heads", None) or config.num_attention_heads)
    gates = torch.ones(shape, device=runner.model.device, requires_grad=True)
    optimizer = torch.optim.Adam([gates], lr=RATE)
    chance = torch.Generator().manual_seed(seed)
    losses = []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = RATE * min(1.0, (step + 1) / 5, (steps - step) / (0.2 * steps))
        ids = passkeys(engine, length, chance)
        with torch.no_grad():
            whole = _stream(runner, ids, None)
        size = whole.float().square().mean()
        loss = (_stream(runner, ids, gates) - whole).float().square().mean() / size + PRICE * gates.abs().mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        with torch.no_grad():
            gates.clamp_(0.0, 1.0)
        losses.append(float(loss.detach()))
        say(f"training the gates: step {step + 1} of {steps}, loss {losses[-1]:.3f}")
    return Found(gates.detach().float().cpu(), losses)


def passkeys(engine: HubEngine, length: int, chance: torch.Generator) -> list[int]:
    """Random tokens with `KEYS` passkeys among them, all of which are repeated at the end, in another order."""
    plain = torch.tensor([i for i, spelled in enumerate(engine.tokenizer.token_bytes) if spelled])
    keys, size = max(1, min(KEYS, length // 64)), min(KEY, length // 16)
    ids = plain[torch.randint(len(plain), (length - keys * size,), generator=chance)]
    secret = plain[torch.randint(len(plain), (keys, size), generator=chance)]
    room = (len(ids) - size) // keys
    for number in range(keys):
        start = number * room + int(torch.randint(max(1, room - size), (1,), generator=chance))
        ids[start : start + size] = secret[number]
    order = torch.randperm(keys, generator=chance)
    found: list[int] = torch.cat((ids, secret[order].flatten())).tolist()
    return found


def _stream(runner: HubRunner, ids: list[int], gates: Tensor | None) -> Tensor:
    """What the output layer sees of the rows that repeat passkeys."""
    slot = runner.context("dense")
    assert isinstance(slot, HubSlot)
    sink, window = len(ids) // SINK_SHARE, len(ids) // WINDOW_SHARE
    for number, layer in enumerate(slot.layers):
        layer.policy = Gated(sink=sink, window=window, gate=None if gates is None else gates[number])
    return runner.stream_of(ids, slot, min(KEYS * KEY, len(ids) // 4))
