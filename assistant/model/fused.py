"""The fused int8 step as an engine's runner: same calls as `runner.Runner`, one compiled function a pass.

Knows a checkpoint's names, the packed layout and how many cores are free. Weights are int8 by output row (what an int8
checkpoint holds, exactly); activations are rounded to int8 a token, which cost 0.0007 bits/byte of the shipped model
(held-out files of its own corpus), keys and values to half precision.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from assistant.cancel import Cancelled
from assistant.model.checkpoint import Checkpoint
from assistant.model.config import ModelConfig
from assistant.model.kv_cache import Context
from assistant.model.quick import LARGEST_VOCABULARY, Quick
from assistant.model.rope import rope_tables
from assistant.model.threads import Free
from kernels.decode import pack

log = logging.getLogger("sotto.engine")


class FusedContext(Context):
    """One context's keys and values in the layout of the fused step."""

    def __init__(self, shape: pack.Shape) -> None:
        super().__init__()
        self.memory = pack.Memory(shape)

    def _copy(self, other: Any, length: int) -> None:
        self.memory.copy(other.memory, length)


class FusedRunner:
    """``weights`` are `Transformer`'s, by name; a packed copy of them is made (one byte a weight).

    A pass uses as many threads as ``threads`` says, or with 0 as many as there are idle cores at the time.
    """

    def __init__(self, config: ModelConfig, weights: Mapping[str, pack.Floats], threads: int = 1) -> None:
        from kernels.decode import step  # numba is only imported where it will be used

        self._shape = _shape(config)
        cos, sin = (table[:, : config.head_dim // 2] for table in rope_tables(config, config.context))
        self._free = Free(threads)
        self._step = step.Step(pack.pack(self._shape, _named(config, weights), cos, sin), self._free.most)
        self._never = step.NEVER
        self.quick = Quick(config.vocab_size) if config.vocab_size < LARGEST_VOCABULARY else None
        self._leaving: pack.Floats | None = None

    @property
    def threads(self) -> int:
        """At most so many run a pass."""
        return self._free.most

    def context(self) -> FusedContext:
        return FusedContext(self._shape)

    def logits(self, ids: Sequence[int], slot: Context, cancelled: Callable[[], bool], rows: int = 1) -> pack.Floats:
        """Run ``ids`` behind what the slot holds; logits [rows, V] of the last ``rows`` of them. Does not advance the slot.

        Raises `Cancelled`. A ``cancelled`` with ``word`` and ``number`` is read between layers, another one before the pass.
        """
        assert isinstance(slot, FusedContext)
        if cancelled():
            raise Cancelled
        self._step.threads = self._free.now()
        word, number = getattr(cancelled, "word", self._never), getattr(cancelled, "number", -1)
        out = self._step.run(slot.memory, ids, slot.length, rows, word, number, self._leaving)
        if out is None:
            raise Cancelled
        return out

    def early(self, token: int, slot: Context, cancelled: Callable[[], bool], leaving: pack.Floats) -> tuple[pack.Floats, int]:
        """`logits` of one token that may leave behind an earlier layer (see `step.Step.run`), and the layers it took."""
        self._leaving = leaving
        try:
            return self.logits([token], slot, cancelled), self._step.left
        finally:
            self._leaving = None

    def shallow(self, token: int, slot: Context, start: int, cancelled: Callable[[], bool], depth: int) -> pack.Floats:
        """Logits [V] behind layer ``depth`` of one token at place ``start`` of the slot, which does not count it."""
        assert isinstance(slot, FusedContext)
        self._step.threads = self._free.now()
        word, number = getattr(cancelled, "word", self._never), getattr(cancelled, "number", -1)
        out = self._step.run(slot.memory, [token], start, 1, word, number, depth=depth)
        if out is None:
            raise Cancelled
        row: pack.Floats = out[0]
        return row

    def stream(self) -> pack.Floats:
        """[D] the normed stream behind the last layer, of the last row of the last pass."""
        return self._step.stream()


def fits(config: ModelConfig) -> bool:
    """Whether a model of this shape can run here."""
    try:
        _shape(config)
    except ValueError:
        return False
    return importlib.util.find_spec("numba") is not None


def load(checkpoint: Checkpoint, wait: bool = False, threads: int = 1) -> FusedRunner | None:
    """A runner for this checkpoint, if its shape and this machine allow one and its code is compiled; ``wait`` compiles it.

    ``threads`` as in `FusedRunner`.
    """
    try:
        from kernels.decode import step

        if not wait and not step.is_compiled():
            return None
        return FusedRunner(checkpoint.config, checkpoint.weights, threads)
    except (ImportError, ValueError, RuntimeError) as error:  # no numba; a shape that fills no vectors; no folder for the code
        log.warning("the fused step cannot be used, the slower one will be: %s", error)
        return None


def _shape(config: ModelConfig) -> pack.Shape:
    return pack.Shape(
        config.n_layers, config.d_model, config.n_heads, config.n_kv_heads, config.head_dim, config.d_ff, config.vocab_size,
        config.context, config.norm_eps,
    )  # fmt: skip


def _named(config: ModelConfig, weights: Mapping[str, pack.Floats]) -> dict[str, pack.Floats]:
    def plain(name: str) -> pack.Floats:
        return np.asarray(weights[name], np.float32)

    named = {"embed": plain("embed.weight"), "norm": plain("norm.weight")}
    for layer in range(config.n_layers):
        at = f"blocks.{layer}."
        named[f"{layer}.qkv"] = plain(at + "attention.qkv.weight")
        named[f"{layer}.out"] = plain(at + "attention.out.weight")
        named[f"{layer}.gate_up"] = plain(at + "mlp.gate_up.weight")
        named[f"{layer}.down"] = plain(at + "mlp.down.weight")
        named[f"{layer}.norms"] = np.stack((plain(at + "attention_norm.weight"), plain(at + "mlp_norm.weight")))
        if config.qk_norm:
            q, k = plain(at + "attention.q_norm.weight"), plain(at + "attention.k_norm.weight")
            named[f"{layer}.head_norms"] = np.concatenate((np.tile(q, (config.n_heads, 1)), np.tile(k, (config.n_kv_heads, 1))))
    return named
