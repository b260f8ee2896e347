"""Our attention as transformers sees it: the policies of kernels/policies on the keys that our own cache returns.

Knows the arguments transformers gives an attention function, and the layers of the context that is being run. No mask is made
or read: a query row's place follows from how many keys there are, a ring's rows say theirs.
"""

from __future__ import annotations

import functools
import itertools
import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import AttentionInterface

from assistant.model.hf.layers import HeldLayer
from kernels.attention.spec import Heads, Spec
from kernels.policies.base import EVERY_KEY, Problem

log = logging.getLogger("sotto.engine")
_COUNT = itertools.count()
_NUMBER = re.compile(r"\d+")


@functools.lru_cache(maxsize=64)
def _base(scale: float, softcap: float, kv_heads: int, window: int) -> Spec:
    """What a model itself demands, as one object for all its steps: plans and compiled code are found by it."""
    heads = Heads((False,) * kv_heads, sink=0, window=window) if window else None
    return Spec(scale=scale, softcap=softcap, heads=heads)


class Attention:
    """One engine's attention function, under a ``name`` of its own that a model is loaded with."""

    def __init__(self) -> None:
        self.name = f"sotto_{next(_COUNT)}"
        self.layers: Sequence[HeldLayer] = ()
        self._told: list[tuple[str, str]] = []
        AttentionInterface.register(self.name, self.attend)  # no mask function goes with it: transformers makes no mask

    def attend(
        self,
        module: torch.nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        scaling: float | None = None,
        dropout: float = 0.0,
        sliding_window: int | None = None,
        softcap: float | None = None,
        s_aux: Tensor | None = None,
        **others: Any,
    ) -> tuple[Tensor, None]:
        """query [1, H, T, d], key and value [1, KV, N, d], the queries being the newest rows; returns [1, T, H, d]."""
        layer = self.layers[int(module.layer_idx)]  # type: ignore[arg-type]
        window = sliding_window if sliding_window is not None and sliding_window < layer.length else None
        base = _base(scaling or query.shape[-1] ** -0.5, softcap or 0.0, key.shape[1], window or 0)
        base = base if s_aux is None else replace(base, sink_logit=s_aux)
        width = value.shape[-1]
        values = value if width == query.shape[-1] else F.pad(value, (0, query.shape[-1] - width))
        held = layer.positions
        rows = None
        if held is not None:
            held = held.to(query.device)
            rows = torch.arange(layer.length - query.shape[2], layer.length, device=query.device)
        found = layer.policy.attend(Problem(query[0], key[0], values[0], base, rows, held))
        return found.out[None, :, :, :width].transpose(1, 2).contiguous(), None

    def tell(self) -> None:
        """Log what the layers of the last pass did, and why, once for each change."""
        reasons = [layer.policy.reason for layer in self.layers]
        kinds = [(layer.policy.name, _NUMBER.sub("#", layer.policy.reason)) for layer in self.layers]
        if kinds == self._told or not any(reasons):
            return
        if not self._told and set(reasons) == {EVERY_KEY}:
            return  # as a model does by itself
        self._told = kinds
        firsts = [i for i in range(len(kinds)) if i == 0 or kinds[i] != kinds[i - 1]]
        ends = [*firsts[1:], len(kinds)]
        said = (f"layers {i}-{end - 1}: {reasons[i]}" for i, end in zip(firsts, ends, strict=True))
        log.info("attention: %s", "; ".join(said))
