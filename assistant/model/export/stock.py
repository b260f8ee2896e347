"""Our tensors under stock names: fused projections split, Qwen3's shape when queries and keys are normed, else Llama's.

Knows a `ModelConfig` and weights by name; does not know files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from assistant.model.config import ModelConfig


def family(config: ModelConfig) -> str:
    """Both transformers and GGUF call the two architectures so."""
    return "qwen3" if config.qk_norm else "llama"


def block_parts(config: ModelConfig, weights: Mapping[str, Tensor], layer: int) -> Iterator[tuple[str, Tensor]]:
    """(part, tensor) of one block, matrices as [out, in]."""
    prefix = f"blocks.{layer}."
    heads = [heads * config.head_dim for heads in (config.n_heads, config.n_kv_heads, config.n_kv_heads)]
    q, k, v = torch.split(weights[prefix + "attention.qkv.weight"], heads)
    gate, up = weights[prefix + "mlp.gate_up.weight"].chunk(2)
    yield "attention_norm", weights[prefix + "attention_norm.weight"]
    yield from (("q", q), ("k", k), ("v", v))
    yield "out", weights[prefix + "attention.out.weight"]
    if config.qk_norm:
        yield from ((part, weights[f"{prefix}attention.{part}.weight"]) for part in ("q_norm", "k_norm"))
    yield "mlp_norm", weights[prefix + "mlp_norm.weight"]
    yield from (("gate", gate), ("up", up))
    yield "down", weights[prefix + "mlp.down.weight"]


def named(config: ModelConfig, weights: Mapping[str, Tensor], names: Mapping[str, str]) -> Iterator[tuple[str, Tensor]]:
    """Every tensor under a format's names; ``names`` maps each part, "embed" and "norm" to a name with ``{layer}`` in it."""
    yield names["embed"], weights["embed.weight"]
    for layer in range(config.n_layers):
        for part, tensor in block_parts(config, weights, layer):
            yield names[part].format(layer=layer), tensor
    yield names["norm"], weights["norm.weight"]
