"""Other people's mixers as oracles: Dynamic Mask Attention as transformers' Doge computes it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from kernels.mixers import dynamic_mask
from tests.kernels.mixers.test_mixers import HEADS, SIZE, WISH, tokens

doge: Any = pytest.importorskip("transformers.models.doge.modeling_doge", reason="transformers is not installed")


@pytest.mark.parametrize("width", [1, 5, 32, 33])
def test_the_dynamic_mask_of_doge(width: int) -> None:
    steps = 33
    q, k, v = tokens(steps)
    bias = dynamic_mask.wish(v, *WISH)
    causal = torch.ones(1, 1, steps, steps, dtype=torch.bool).tril()
    mask = doge.DogeAttention.prepare_dynamic_mask(
        None, torch.zeros(1, steps, SIZE, dtype=torch.float64), bias[None], width, causal
    )
    module = SimpleNamespace(num_key_value_groups=1, training=False)
    theirs, _ = doge.eager_attention_forward(module, q[None], k[None], v[None], mask, SIZE**-0.5)
    ours = dynamic_mask.mix(q, k, v, bias, width).transpose(0, 1)
    assert ours.shape == (steps, HEADS, SIZE)
    torch.testing.assert_close(ours, theirs[0], rtol=1e-5, atol=1e-6)  # their softmax is float32
