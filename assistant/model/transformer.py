"""The decoder, top down: blocks over a residual stream, one tied head.

Knows tensors and a `ModelConfig`. Does not know text, sampling, caches or exits' policies: attention over a cache is
handed in as a function, and any layer's residual stream can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assistant.model.config import ModelConfig
from assistant.model.rope import rope_tables
from kernels.attention.cpu import attention

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(q [B, H, T, d], k and v [B, KV, T, d]) -> [B, H, T, d]; the new keys and values go in, a cache may add older ones."""


class RMSNorm(nn.Module):
    """Root-mean-square norm (arXiv 1910.07467), over the last dimension."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.eps)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair (i, i + d/2) of x [..., T, d] by its position's angle; cos and sin [T, d]."""
    low, high = x.chunk(2, dim=-1)
    return x * cos.to(x.dtype) + torch.cat((-high, low), dim=-1) * sin.to(x.dtype)


class Attention(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.split = (config.n_heads, config.n_kv_heads, config.n_kv_heads)
        self.head_dim = config.head_dim
        self.qkv = nn.Linear(config.d_model, sum(self.split) * config.head_dim, bias=False)
        self.out = nn.Linear(config.n_heads * config.head_dim, config.d_model, bias=False)
        self.q_norm = RMSNorm(config.head_dim, config.norm_eps) if config.qk_norm else None
        self.k_norm = RMSNorm(config.head_dim, config.norm_eps) if config.qk_norm else None

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, attend: Attend) -> Tensor:
        heads = self.qkv(x).unflatten(-1, (-1, self.head_dim)).transpose(-3, -2)
        q, k, v = heads.split(self.split, dim=-3)
        if self.q_norm is not None and self.k_norm is not None:
            q, k = self.q_norm(q), self.k_norm(k)
        mixed = attend(rotate(q, cos, sin), rotate(k, cos, sin), v)
        out: Tensor = self.out(mixed.transpose(-3, -2).flatten(-2))
        return out


class MLP(nn.Module):
    """SwiGLU (arXiv 2002.05202); gate and up share one product."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate_up = nn.Linear(config.d_model, 2 * config.d_ff, bias=False)
        self.down = nn.Linear(config.d_ff, config.d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        out: Tensor = self.down(F.silu(gate) * up)
        return out


class Block(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.d_model, config.norm_eps)
        self.attention = Attention(config)
        self.mlp_norm = RMSNorm(config.d_model, config.norm_eps)
        self.mlp = MLP(config)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, attend: Attend) -> Tensor:
        x = x + self.attention(self.attention_norm(x), cos, sin, attend)
        out: Tensor = x + self.mlp(self.mlp_norm(x))
        return out


class Transformer(nn.Module):
    cos: Tensor
    sin: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab_size, config.d_model)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.norm = RMSNorm(config.d_model, config.norm_eps)
        cos, sin = map(torch.from_numpy, rope_tables(config, config.context))
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def logits(self, hidden: Tensor) -> Tensor:
        """The tied head: residual stream [..., D] of any layer -> [..., V]. Exits share it, norm and all."""
        return F.linear(self.norm(hidden), self.embed.weight)

    def hidden(self, tokens: Tensor, exits: Sequence[int] = ()) -> tuple[Tensor, dict[int, Tensor]]:
        """tokens [B, T] from position 0 -> the last residual stream [B, T, D], and those after the layers in ``exits``."""
        length = tokens.shape[-1]
        cos, sin = self.cos[:length], self.sin[:length]
        x = self.embed(tokens)
        kept: dict[int, Tensor] = {}
        for depth, block in enumerate(self.blocks, start=1):
            x = block(x, cos, sin, attention)
            if depth in exits:
                kept[depth] = x
        return x, kept

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens [B, T] -> logits [B, T, V]; no cache: the definition that the engine is checked against."""
        return self.logits(self.hidden(tokens)[0])
