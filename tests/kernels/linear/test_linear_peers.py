"""Other people's linear attention as oracles: MiniMax's lightning layer in transformers, flash-linear-attention's naive forms.

The naive forms are written down from their definitions: simple gated linear attention with a log gate a head and step, as a
recurrence, as the whole square and chunk by chunk, with queries scaled by D^-0.5 as there.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from kernels.linear import chunked, reference
from kernels.mixers import lightning
from tests.kernels.linear.test_linear import EXACT, problem


def _recurrent(q: Tensor, k: Tensor, v: Tensor, gates: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    outs = []
    for t in range(q.shape[1]):
        state = state * gates[:, t].exp()[:, None, None] + torch.einsum("hd,he->hde", k[:, t], v[:, t])
        outs.append(torch.einsum("hd,hde->he", q[:, t] * q.shape[2] ** -0.5, state))
    return torch.stack(outs, 1), state


def _parallel(q: Tensor, k: Tensor, v: Tensor, gates: Tensor) -> Tensor:
    total = gates.cumsum(1)
    square = (total[:, :, None] - total[:, None, :]).masked_fill(~torch.ones(q.shape[1], q.shape[1]).tril().bool(), -math.inf)
    return ((q * q.shape[2] ** -0.5) @ k.transpose(1, 2) * square.exp()) @ v


def _chunkwise(q: Tensor, k: Tensor, v: Tensor, gates: Tensor, state: Tensor, size: int) -> tuple[Tensor, Tensor]:
    outs = []
    for a in range(0, q.shape[1], size):
        rows = slice(a, a + size)
        total = gates[:, rows].cumsum(1)
        inside = _parallel(q[:, rows], k[:, rows], v[:, rows], gates[:, rows])
        outs.append(inside + (q[:, rows] * q.shape[2] ** -0.5 * total.exp()[:, :, None]) @ state)
        left = (total[:, -1:] - total).exp()[:, :, None]
        state = state * total[:, -1].exp()[:, None, None] + (k[:, rows] * left).transpose(1, 2) @ v[:, rows]
    return torch.cat(outs, 1), state


@pytest.mark.parametrize("steps", [1, 33, 130])
def test_the_naive_forms_of_gated_linear_attention(steps: int) -> None:
    q, k, v, gates, state = problem(steps, "step")
    assert gates is not None
    assert state is not None
    for ours in (reference.linear, chunked.linear):
        out, last = ours(q * q.shape[2] ** -0.5, k, v, gates, state)
        for theirs in (_recurrent(q, k, v, gates, state), _chunkwise(q, k, v, gates, state, 48)):
            torch.testing.assert_close(out, theirs[0], **EXACT)
            torch.testing.assert_close(last, theirs[1], **EXACT)
        torch.testing.assert_close(ours(q * q.shape[2] ** -0.5, k, v, gates)[0], _parallel(q, k, v, gates), **EXACT)


def test_the_lightning_layer_of_transformers() -> None:
    """MiniMax's own layer, blocks and slopes, against ours between its projections."""
    pytest.importorskip("transformers", reason="transformers is not installed")
    from transformers.models.minimax.modeling_minimax import MiniMaxConfig, MiniMaxLightningAttention

    torch.manual_seed(0)
    config = MiniMaxConfig(hidden_size=24, num_attention_heads=4, head_dim=16, num_hidden_layers=3, block_size=16)
    config.layer_types = ["linear_attention"] * 3
    layer = MiniMaxLightningAttention(config, 1).double().eval()
    x = torch.randn(1, 50, 24, dtype=torch.float64)
    with torch.no_grad():
        theirs = layer(x, (torch.empty(0), torch.empty(0)), None)[0]
        q, k, v = layer.act_fn(layer.qkv_proj(x)).view(50, 4, 48).transpose(0, 1).split(16, dim=2)
        decay = -layer.slope_rate.flatten()
        mixed = lightning.mix(q, k, v, decay)[0].transpose(0, 1).reshape(1, 50, 64)
        ours = layer.out_proj(torch.sigmoid(layer.output_gate(x)) * layer.norm(mixed))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)  # its norm is float32
    torch.testing.assert_close(lightning.slopes(4, 1, 3).double(), decay, rtol=1e-4, atol=1e-5)
