"""The shape of a model, as plain numbers: what a checkpoint's config.json holds, and the presets that training starts from.

Knows nothing of tensors, files or text.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any


class ConfigError(ValueError):
    """A shape that cannot be built, or a config.json that does not describe one."""


@dataclass(frozen=True)
class ModelConfig:
    """A Llama-shaped decoder: RMSNorm, RoPE, grouped-query attention, SwiGLU, tied embeddings.

    With ``qk_norm`` it is Qwen3's shape (an RMSNorm over each head of queries and keys before RoPE), so that an export
    to transformers is a stock class either way. ``exits`` counts layers from the input: exit 2 reads the residual
    stream after the second block.
    """

    vocab_size: int
    d_model: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    d_ff: int
    context: int
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-6
    qk_norm: bool = True
    exits: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("vocab_size", "d_model", "n_layers", "n_heads", "n_kv_heads", "head_dim", "d_ff", "context"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ConfigError(f"{name} must be a positive integer, not {value!r}")
        if self.n_heads % self.n_kv_heads:
            raise ConfigError(f"{self.n_heads} query heads cannot share {self.n_kv_heads} key/value heads evenly")
        if self.head_dim % 2:
            raise ConfigError(f"RoPE turns pairs of numbers: head_dim {self.head_dim} must be even")
        if any(not 0 < e < self.n_layers for e in self.exits):
            raise ConfigError(f"exits {self.exits} must lie between layer 1 and {self.n_layers - 1}")

    @property
    def n_params(self) -> int:
        """Parameters, the tied embedding counted once."""
        heads = (self.n_heads + 2 * self.n_kv_heads) * self.head_dim
        attention = self.d_model * (heads + self.n_heads * self.head_dim)
        norms = 2 * self.d_model + (2 * self.head_dim if self.qk_norm else 0)
        block = attention + 3 * self.d_model * self.d_ff + norms
        return self.vocab_size * self.d_model + self.n_layers * block + self.d_model

    def flops_per_token(self, length: int) -> float:
        """Training FLOPs a token at that sequence length: 6 a weight, 12 a layer, width and mean key (PaLM, appendix B)."""
        width = self.n_heads * self.head_dim
        return 6.0 * self.n_params + 12.0 * self.n_layers * width * (length / 2)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "exits": list(self.exits)}

    @classmethod
    def from_json(cls, data: Any) -> ModelConfig:
        """Read what `to_json` wrote; unknown keys belong to the checkpoint around it and are ignored."""
        if not isinstance(data, dict):
            raise ConfigError("a model's config must be a JSON object")
        known = {f.name: data[f.name] for f in fields(cls) if f.name in data}
        if "exits" in known:
            known["exits"] = tuple(known["exits"])
        try:
            return cls(**known)
        except TypeError as error:
            raise ConfigError(f"the model's config is incomplete: {error}") from error


PRESETS: dict[str, ModelConfig] = {
    # 3.9 M parameters, 40 % of them in the 8k embedding: what 1e15 FLOPs of a 2-core CPU can fill.
    "tiny": ModelConfig(
        vocab_size=8192,
        d_model=192,
        n_layers=6,
        n_heads=3,
        n_kv_heads=1,
        head_dim=64,
        d_ff=512,
        context=1024,
        exits=(2, 4),
    ),
    # 46 M parameters, deep and thin: 3e17 FLOPs, about 20 minutes of one H200-class GPU.
    "small": ModelConfig(
        vocab_size=8192,
        d_model=512,
        n_layers=16,
        n_heads=8,
        n_kv_heads=2,
        head_dim=64,
        d_ff=1280,
        context=2048,
        exits=(4, 8, 12),
    ),
}
