"""Softplus, sigmoid and the key without a value on a GPU: the attention kernel, asked to weigh its logits in their way.

Same contracts as in `kernels.mixers.softplus` and `sinks`, forward only. Importing it needs triton. What the kernel does with
such a wish is said at `kernels.attention.gpu.attend`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kernels import dispatch
from kernels.attention import gpu
from kernels.attention.spec import Spec


def softplus(q: Tensor, k: Tensor, v: Tensor, power: float) -> Tensor:
    """See `softplus.mix`. Weights far below a row's largest are not cut off: here they cost nothing."""
    config = dispatch.frozen(q.device, "attend")
    return gpu.attend(q, k, v, softplus=(math.log(q.shape[2]), power), config=config).out


def sigmoid(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """See `sinks.sigmoid`."""
    return gpu.attend(q, k, v, sigmoid=True, config=dispatch.frozen(q.device, "attend")).out


def key_bias(q: Tensor, k: Tensor, v: Tensor, key: Tensor) -> Tensor:
    """See `sinks.key_bias`: a key that everybody sees and that has no value is a sink logit of each row."""
    exact = torch.promote_types(q.dtype, torch.float32)
    sinks = torch.linalg.vecdot(q.to(exact), key.to(exact)[:, None]) * q.shape[2] ** -0.5
    return gpu.attend(q, k, v, Spec(sink_logit=sinks), config=dispatch.frozen(q.device, "attend")).out
