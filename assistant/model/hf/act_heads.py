"""Which key heads are better calibrated (ACT, arXiv 2406.15765, section 4): each is tried alone, on code of the user's own.

Half of the texts choose: a head is kept where the tokens become likelier without doubt. The other half judges all kept heads
together; where they do not help there, again without doubt, none is kept. Knows a loaded model and token ids; keeps nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from assistant.model.hf.engine import HubEngine
from assistant.model.hf.heads import Flags
from assistant.model.hf.runner import HubRunner, HubSlot, Way
from assistant.model.mixture import Floats
from assistant.types import EngineError
from kernels.policies import registry

LENGTH = 2048
"""Tokens of a text; sinks are found from the second stretch (256) on."""
MOST_TEXTS, LEAST_TEXTS = 8, 2
MOST_FLOPS = {"cpu": 1e14, "cuda": math.inf}
"""Half an hour of a core: a larger model reads fewer texts."""
OPTIONS: dict[str, Any] = {}
"""What the policy is made with beside its heads: its defaults."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """``flags`` [layers][KV]; ``alone`` [layers][KV] nats a token that each head saves on the texts that choose.

    ``judged``: perplexity of the texts that judge, dense and with the ``chosen`` heads (before these were given up, or not).
    """

    flags: list[list[bool]]
    chosen: int
    alone: list[list[float]]
    judged: tuple[float, float]


def nats(logits: Floats, following: Sequence[int]) -> Floats:
    """[len(following)] what each next token costs under the rows of ``logits`` [T, V]."""
    rows = torch.from_numpy(logits[: len(following)])
    costs: Floats = torch.nn.functional.cross_entropy(rows, torch.tensor(following), reduction="none").numpy()
    return costs


def affordable(engine: HubEngine, runner: HubRunner, heads: int) -> int:
    """How many texts the search may read on the model's device; an even number."""
    parameters = sum(weight.numel() for weight in runner.model.parameters())
    one = 2 * parameters * length(engine) * (heads / 2 + 2)  # half of them are read once a head
    most = MOST_FLOPS.get(str(runner.model.device.type), math.inf)
    return MOST_TEXTS if math.isinf(most) else max(LEAST_TEXTS, min(MOST_TEXTS, int(most / one) // 2 * 2))


def length(engine: HubEngine) -> int:
    """Tokens of a text."""
    return min(LENGTH, engine.context)


def shape(runner: HubRunner) -> tuple[int, int]:
    """Layers, and key heads of each."""
    config = runner.model.config.get_text_config(decoder=True)
    return int(config.num_hidden_layers), int(getattr(config, "num_key_value_heads", None) or config.num_attention_heads)


def search(runner: HubRunner, texts: Sequence[Sequence[int]], say: Say = lambda text: None) -> Found:
    """Try every head on the first half of ``texts``, what is kept on the second. Raises `EngineError`."""
    if runner.way is not Way.OURS:
        raise EngineError(f"this model's heads cannot be calibrated: {runner.way.value}")
    layers, shared = shape(runner)
    choosing, judging = texts[: len(texts) // 2], texts[len(texts) // 2 :]
    none = [[False] * shared for _ in range(layers)]
    dense = read(runner, choosing, none)
    flags, alone = [list(row) for row in none], [[0.0] * shared for _ in range(layers)]
    for layer in range(layers):
        for head in range(shared):
            say(f"trying head {layer * shared + head + 1} of {layers * shared}")
            one = [list(row) for row in none]
            one[layer][head] = True
            saved = dense - read(runner, choosing, one)
            alone[layer][head] = float(saved.mean())
            flags[layer][head] = surely(saved)
    say("judging what was kept")
    before, after = read(runner, judging, none), read(runner, judging, flags)
    judged = math.exp(float(before.mean())), math.exp(float(after.mean()))
    return Found(flags if surely(before - after) else none, sum(map(sum, flags)), alone, judged)


def surely(saved: Floats) -> bool:
    """Whether the mean is above 0 by more than its standard error."""
    return bool(saved.mean() > saved.std() / math.sqrt(len(saved)))


@torch.inference_mode()
def read(runner: HubRunner, texts: Sequence[Sequence[int]], flags: Flags) -> Floats:
    """Nats of all tokens of the texts but the first ones, with the heads of ``flags`` calibrated."""
    found = []
    for ids in texts:
        slot = runner.context("dense")
        assert isinstance(slot, HubSlot)
        for layer, row in zip(slot.layers, flags, strict=True):
            if any(row):
                layer.policy = registry.make("act", heads=tuple(row), **OPTIONS)
        for start in range(0, len(ids), runner.chunk):
            piece = ids[start : start + runner.chunk]
            logits = runner.logits(piece, slot, bool, len(piece))
            slot.advance(piece)
            found.append(nats(logits, ids[start + 1 : start + len(piece) + 1]))
    joined: Floats = np.concatenate(found)
    return joined
