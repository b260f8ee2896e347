"""Other people's attention as oracles: torch's SDPA, and transformers' eager attention with its own masks."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from kernels.attention import cpu, reference
from kernels.attention.spec import Answer, Heads, Spec

Attend = Callable[..., Answer]


def _draw(heads: int, kv_heads: int, rows: int, keys: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(heads + keys)
    q = torch.randn(heads, rows, size, generator=generator, dtype=torch.float64)
    k, v = torch.randn(2, kv_heads, keys, size, generator=generator, dtype=torch.float64)
    return q, k, v


@pytest.mark.parametrize("path", [reference.attend, cpu.attend], ids=["reference", "cpu"])
@pytest.mark.parametrize(
    ("heads", "kv_heads", "rows", "keys", "size"), [(4, 4, 9, 9, 16), (6, 2, 5, 40, 64), (7, 1, 1, 33, 96)]
)
def test_torch(path: Attend, heads: int, kv_heads: int, rows: int, keys: int, size: int) -> None:
    q, k, v = _draw(heads, kv_heads, rows, keys, size)
    mask = torch.ones(rows, keys, dtype=torch.bool).tril(keys - rows)
    expected = F.scaled_dot_product_attention(q[None], k[None], v[None], attn_mask=mask, enable_gqa=True)[0]
    torch.testing.assert_close(path(q, k, v).out, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("path", [reference.attend, cpu.attend], ids=["reference", "cpu"])
@pytest.mark.parametrize("family", ["qwen3", "gpt_oss", "gemma2"])
def test_transformers_eager(path: Attend, family: str) -> None:
    """Qwen3's plain attention, gpt-oss's sink logits, Gemma 2's capped logits; windows by transformers' own rule."""
    pytest.importorskip("transformers", reason="transformers is not installed")
    eager = importlib.import_module(f"transformers.models.{family}.modeling_{family}").eager_attention_forward
    q, k, v = _draw(6, 2, 7, 30, 32)
    sinks = torch.linspace(-2, 2, 6, dtype=torch.float64)
    module = SimpleNamespace(num_key_value_groups=3, training=False, sinks=sinks)
    distance = torch.arange(23, 30)[:, None] - torch.arange(30)
    for window in (1000, 9):
        mask = torch.zeros(7, 30, dtype=torch.float64).masked_fill((distance < 0) | (distance >= window), -math.inf)
        more = {"softcap": 20.0} if family == "gemma2" else {}
        theirs, _ = eager(module, q[None], k[None], v[None], mask[None, None], scaling=0.2, dropout=0.0, **more)
        spec = Spec(
            scale=0.2,
            heads=Heads((False, False), 0, window),
            sink_logit=sinks if family == "gpt_oss" else None,
            softcap=20.0 if family == "gemma2" else 0.0,
        )
        ours = path(q, k, v, spec).out.transpose(0, 1)
        # gpt-oss subtracts a maximum, Gemma takes its softmax in float32.
        torch.testing.assert_close(ours, theirs[0].double(), rtol=1e-5, atol=1e-6)
