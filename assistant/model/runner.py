"""One forward pass of new tokens over a KV cache: what `Transformer.forward` defines, without computing it twice.

Knows weights and a slot. Does not advance the slot, choose tokens or know text. One path for prefill and decode; for one
token nearly all of its time is the call of torch operators, so it is written with few of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from assistant.cancel import Cancelled
from assistant.model.config import ModelConfig
from assistant.model.kv_cache import Context
from assistant.model.rope import Floats, rope_tables
from kernels.attention.cpu import attention


class Slot(Context):
    """The context of `runner.Runner`: one tensor."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        shape = (config.n_layers, 2, config.n_kv_heads, config.context, config.head_dim)
        self.data = torch.empty(shape)
        # Keys and values [1, KV, S, d] of each layer; torch's fused attention wants the batch dimension.
        self.layers: list[tuple[Tensor, Tensor]] = [(layer[0:1], layer[1:2]) for layer in self.data]

    def _copy(self, other: Context, length: int) -> None:
        assert isinstance(other, Slot)
        self.data[..., :length, :] = other.data[..., :length, :]


@dataclass(frozen=True)
class Layer:
    """A block's weights, ``out`` and ``down`` transposed as `torch.addmm` wants them.

    ``head_norm`` [H + KV, d] holds the norm of each query and key head, to apply in one product.
    """

    attention_norm: Tensor
    qkv: Tensor
    head_norm: Tensor | None
    out: Tensor
    mlp_norm: Tensor
    gate_up: Tensor
    down: Tensor


def _layer(weights: Mapping[str, Tensor], index: int, config: ModelConfig) -> Layer:
    def weight(name: str) -> Tensor:
        return weights[f"blocks.{index}.{name}.weight"]

    head_norm = None
    if config.qk_norm:
        q, k = weight("attention.q_norm"), weight("attention.k_norm")
        head_norm = torch.cat((q.expand(config.n_heads, -1), k.expand(config.n_kv_heads, -1)))
    return Layer(
        weight("attention_norm"),
        weight("attention.qkv"),
        head_norm,
        weight("attention.out").t(),
        weight("mlp_norm"),
        weight("mlp.gate_up"),
        weight("mlp.down").t(),
    )


class Runner:
    """``weights`` are `Transformer`'s, by name and by reference: nothing is copied but the norms of the heads."""

    @torch.inference_mode()
    def __init__(self, config: ModelConfig, weights: Mapping[str, Tensor]) -> None:
        self.config = config
        self._heads, self._kv = config.n_heads, config.n_kv_heads
        self._layers = [_layer(weights, i, config) for i in range(config.n_layers)]
        self._embed, self._norm = weights["embed.weight"], weights["norm.weight"]
        half = config.head_dim // 2
        cos, sin = map(torch.from_numpy, rope_tables(config, config.context))
        self._cos = cos.unsqueeze(1)  # [S, 1, d]
        # The sine with the sign of the rotated half folded in: rotate(x) = x cos + swap(x) sin'.
        self._sin = torch.cat((-sin[:, :half], sin[:, half:]), dim=-1).unsqueeze(1)

    def context(self) -> Slot:
        """An empty one."""
        return Slot(self.config)

    @torch.inference_mode()
    def logits(self, ids: Sequence[int], slot: Context, cancelled: Callable[[], bool], rows: int = 1) -> Floats:
        """Run ``ids`` behind what the slot holds; logits [rows, V] of the last ``rows`` of them.

        Writes keys and values behind the slot's end without counting them. ``cancelled`` is asked before every layer; raises
        `Cancelled`.
        """
        assert isinstance(slot, Slot)
        start, end = slot.length, slot.length + len(ids)
        cos, sin = self._cos[start:end], self._sin[start:end]
        x = F.embedding(torch.tensor(ids), self._embed)
        last = len(self._layers) - 1
        for index, (layer, (keys, values)) in enumerate(zip(self._layers, slot.layers, strict=True)):
            if cancelled():
                raise Cancelled
            q = self._project(layer, x, cos, sin, keys[:, :, start:end], values[:, :, start:end])
            if index == last and rows < len(ids):  # earlier rows were needed for their keys and values only
                x, q, start = x[-rows:], q[:, :, -rows:], end - rows
            mixed = attention(q, keys, values, start)
            x = self._finish(layer, x, mixed[0].transpose(0, 1).flatten(1))
        self._normed = self._rms(x, self._norm)
        logits: Floats = F.linear(self._normed, self._embed).numpy()
        return logits

    def stream(self) -> Floats:
        """[D] the normed stream behind the last layer, of the last row of the last pass."""
        stream: Floats = self._normed[-1].numpy()
        return stream

    def _project(self, layer: Layer, x: Tensor, cos: Tensor, sin: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """x [T, D] -> queries [1, H, T, d]; writes keys and values [1, KV, T, d] where they belong."""
        split = self._heads + self._kv
        heads = F.linear(self._rms(x, layer.attention_norm), layer.qkv).view(x.shape[0], -1, self.config.head_dim)
        values.copy_(heads[:, split:].transpose(0, 1))
        qk = heads[:, :split]
        if layer.head_norm is not None:
            qk = F.rms_norm(qk, (self.config.head_dim,), None, self.config.norm_eps) * layer.head_norm
        qk = torch.addcmul(qk * cos, qk.roll(self.config.head_dim // 2, -1), sin)
        keys.copy_(qk[:, self._heads :].transpose(0, 1))
        return qk[:, : self._heads].transpose(0, 1).unsqueeze(0)

    def _finish(self, layer: Layer, x: Tensor, mixed: Tensor) -> Tensor:
        x = torch.addmm(x, mixed, layer.out)
        gate, up = F.linear(self._rms(x, layer.mlp_norm), layer.gate_up).chunk(2, dim=-1)
        return torch.addmm(x, F.silu(gate) * up, layer.down)

    def _rms(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), weight, self.config.norm_eps)
