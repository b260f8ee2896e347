"""Passes on a GPU: bfloat16, keys and values where they stay, and a CUDA graph for each number of rows from 1 to 8.

Knows weights and a device. The same code runs on a CPU without graphs, which is how it is tested where there is no GPU: all
but the capture. A pass of few rows looks at every place of the context and masks those behind it, so that nothing in it
depends on the length, and one recorded graph serves all of them. Cancels are seen between passes.
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

FEW = 8
"""Rows up to which a pass is recorded: one, or drafts to verify."""


@dataclass
class Recorded:
    """A pass with its places for input and output; ``graph`` is None on a CPU, where it is computed each time."""

    ids: Tensor
    positions: Tensor
    logits: Tensor
    normed: Tensor
    graph: torch.cuda.CUDAGraph | None


class StaticContext(Context):
    """Keys and values [L, 2, KV, S, d] that never move, and the passes that were recorded with their addresses."""

    def __init__(self, config: ModelConfig, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__()
        shape = (config.n_layers, 2, config.n_kv_heads, config.context, config.head_dim)
        # Zeros: what is masked is multiplied by zero, and must be a number.
        self.data = torch.zeros(shape, device=device, dtype=dtype)
        self.passes: dict[int, Recorded] = {}

    def _copy(self, other: Context, length: int) -> None:
        assert isinstance(other, StaticContext)
        self.data[..., :length, :] = other.data[..., :length, :]


class CudaRunner:
    """``weights`` are `Transformer`'s, by name; they are copied to the device."""

    @torch.inference_mode()
    def __init__(
        self, config: ModelConfig, weights: Mapping[str, Tensor], device: str = "cuda", dtype: torch.dtype = torch.bfloat16
    ) -> None:
        self.config, self._device, self._dtype = config, torch.device(device), dtype
        self._weights = {name: tensor.to(self._device, dtype) for name, tensor in weights.items()}
        self._cos, self._sin = (
            torch.from_numpy(table).to(self._device).unsqueeze(1) for table in rope_tables(config, config.context)
        )
        self._places = torch.arange(config.context, device=self._device)
        self._last: Tensor | None = None

    def context(self) -> StaticContext:
        """An empty one."""
        return StaticContext(self.config, self._device, self._dtype)

    @torch.inference_mode()
    def logits(self, ids: Sequence[int], slot: Context, cancelled: Callable[[], bool], rows: int = 1) -> Floats:
        """See `runner.Runner.logits`; ``cancelled`` is asked before the pass. Raises `Cancelled`."""
        assert isinstance(slot, StaticContext)
        if cancelled():
            raise Cancelled
        given = torch.tensor(ids, device=self._device)
        positions = torch.arange(slot.length, slot.length + len(ids), device=self._device)
        if len(ids) <= FEW:
            found = slot.passes.get(len(ids)) or self._record(slot, len(ids))
            found.ids.copy_(given)
            found.positions.copy_(positions)
            if found.graph is not None:
                found.graph.replay()
            else:
                self._fill(slot, found)
            logits, normed = found.logits[-rows:], found.normed
        else:
            normed = self._forward(given, positions, slot.data[..., : slot.length + len(ids), :])
            logits = F.linear(normed[-rows:], self._weights["embed.weight"])
        self._last = normed[-1]
        result: Floats = logits.float().cpu().numpy()
        return result

    def stream(self) -> Floats:
        """[D] the normed stream behind the last layer, of the last row of the last pass."""
        assert self._last is not None
        stream: Floats = self._last.float().cpu().numpy()
        return stream

    def _record(self, slot: StaticContext, rows: int) -> Recorded:
        """A pass of so many rows over this context. Its trial runs write to places that are about to be written again."""
        shape, device = self.config, self._device
        made = Recorded(
            torch.zeros(rows, dtype=torch.long, device=device),
            torch.arange(slot.length, slot.length + rows, device=device),
            torch.empty(rows, shape.vocab_size, device=device, dtype=self._dtype),
            torch.empty(rows, shape.d_model, device=device, dtype=self._dtype),
            None,
        )
        slot.passes[rows] = made
        if device.type == "cuda":
            side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):  # what is made at a first call must not be recorded
                for _ in range(2):
                    self._fill(slot, made)
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self._fill(slot, made)
            made.graph = graph
        return made

    def _fill(self, slot: StaticContext, made: Recorded) -> None:
        made.normed.copy_(self._forward(made.ids, made.positions, slot.data))
        made.logits.copy_(F.linear(made.normed, self._weights["embed.weight"]))

    def _forward(self, ids: Tensor, positions: Tensor, data: Tensor) -> Tensor:
        """ids [T] at ``positions`` [T], whose keys and values go into data [L, 2, KV, S, d] -> the normed stream [T, D]."""
        shape = self.config
        cos, sin = self._cos[positions], self._sin[positions]
        visible = self._places[: data.shape[-2]] <= positions[:, None]
        x = F.embedding(ids, self._weights["embed.weight"])
        for layer in range(shape.n_layers):
            heads = F.linear(self._rms(x, layer, "attention_norm"), self._weight(layer, "attention.qkv"))
            parts = [shape.n_heads, shape.n_kv_heads, shape.n_kv_heads]
            q, k, v = torch.split(heads.view(len(ids), -1, shape.head_dim), parts, 1)
            q, k = (self._turn(self._head_norm(part, layer, name), cos, sin) for part, name in ((q, "q_norm"), (k, "k_norm")))
            keys, values = data[layer]
            keys.index_copy_(1, positions, k.transpose(0, 1))
            values.index_copy_(1, positions, v.transpose(0, 1))
            mixed = F.scaled_dot_product_attention(
                q.transpose(0, 1)[None], keys[None], values[None], attn_mask=visible, enable_gqa=True
            )
            x = x + F.linear(mixed[0].transpose(0, 1).flatten(1), self._weight(layer, "attention.out"))
            gate, up = F.linear(self._rms(x, layer, "mlp_norm"), self._weight(layer, "mlp.gate_up")).chunk(2, dim=-1)
            x = x + F.linear(F.silu(gate) * up, self._weight(layer, "mlp.down"))
        return F.rms_norm(x, (shape.d_model,), self._weights["norm.weight"], shape.norm_eps)

    def _weight(self, layer: int, name: str) -> Tensor:
        return self._weights[f"blocks.{layer}.{name}.weight"]

    def _rms(self, x: Tensor, layer: int, name: str) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), self._weight(layer, name), self.config.norm_eps)

    def _head_norm(self, heads: Tensor, layer: int, name: str) -> Tensor:
        return self._rms(heads, layer, f"attention.{name}") if self.config.qk_norm else heads

    def _turn(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Turn each pair (i, i + d / 2) of x [T, H, d] by its position's angle, in float32."""
        low, high = x.float().chunk(2, dim=-1)
        turned = x.float() * cos + torch.cat((-high, low), dim=-1) * sin
        return turned.to(x.dtype)
