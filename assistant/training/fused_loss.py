"""The tied head and its cross-entropy in one pass over chunks of rows, with an optional early exit distilled beside it.

Knows tensors only. A plain loss on [8192 tokens, 8192 entries] spent half of a CPU step on page faults of 256 MB buffers;
here logits live in one reused buffer, and gradients are formed while they are hot (the idea of Liger-Kernel's fused loss).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

CHUNK = 1024
CUDA_CHUNK = 16_384  # a GPU wants large products, and its memory is not paged


class _FusedHead(Function):
    """Forward computes the losses and all gradients; backward only scales them."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        exit_hidden: Tensor | None,
        head: Tensor,
        targets: Tensor,
        start: int,
        weight: float,
        row_weights: Tensor | None,
        truth: float,
    ) -> tuple[Tensor, Tensor]:
        rows = hidden.shape[0]
        matrix = head.detach().to(hidden.dtype)
        grad_hidden, grad_head = torch.empty_like(hidden), torch.zeros_like(head)
        grad_exit = None if exit_hidden is None else torch.empty_like(exit_hidden)
        total = hidden.new_zeros((), dtype=torch.float32)
        exit_total = torch.zeros_like(total)
        stop = start + (0 if exit_hidden is None else exit_hidden.shape[0])
        chunk = CUDA_CHUNK if hidden.is_cuda else CHUNK
        for low in range(0, rows, chunk):
            high = min(low + chunk, rows)
            part, wanted = hidden[low:high].detach(), targets[low:high].unsqueeze(-1)
            probs = torch.softmax(part @ matrix.t(), dim=-1)
            total += _nll(probs, wanted)
            first, last = max(low, start), min(high, stop)
            if exit_hidden is not None and grad_exit is not None and first < last:
                mine = exit_hidden[first - start : last - start].detach()
                guess = torch.softmax(mine @ matrix.t(), dim=-1)
                exit_total += _nll(guess, targets[first:last].unsqueeze(-1))
                # Cross-entropy and KL to the detached last layer: both gradients are a difference of probabilities.
                guess.sub_(probs[first - low : last - low], alpha=1.0 - truth)
                _subtract_targets(guess, targets[first:last].unsqueeze(-1), truth)
                scale = weight / (stop - start)
                grad_exit[first - start : last - start] = (guess @ matrix) * scale
                grad_head.add_(guess.t() @ mine, alpha=scale)
            _subtract_targets(probs, wanted, 1.0)
            grad_hidden[low:high] = (probs @ matrix) / rows
            if row_weights is not None:
                scales = row_weights[low:high].unsqueeze(-1).to(part.dtype)
                grad_hidden[low:high] *= scales
                part = part * scales
            grad_head.add_(probs.t() @ part, alpha=1.0 / rows)
        ctx.save_for_backward(grad_hidden, grad_head, *(() if grad_exit is None else (grad_exit,)))
        exit_mean = exit_total / max(1, stop - start)
        ctx.mark_non_differentiable(exit_mean)
        return total / rows, exit_mean

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _grad_exit: Tensor) -> tuple[Tensor | None, ...]:
        grad_hidden, grad_head, *rest = ctx.saved_tensors
        grad_exit = rest[0] * grad if rest else None
        return grad_hidden * grad, grad_exit, grad_head * grad, *(None,) * 5


def _nll(probs: Tensor, targets: Tensor) -> Tensor:
    tiny = torch.finfo(torch.float32).tiny
    return -probs.gather(1, targets).float().clamp_min(tiny).log().sum()


def _subtract_targets(probs: Tensor, targets: Tensor, amount: float) -> None:
    rows = torch.arange(len(targets), device=targets.device)
    probs[rows, targets[:, 0]] -= amount  # scatter_add_ on bf16 copies the whole buffer


def head_loss(
    hidden: Tensor,
    head: Tensor,
    targets: Tensor,
    exit_hidden: Tensor | None = None,
    exit_start: int = 0,
    exit_weight: float = 0.0,
    row_weights: Tensor | None = None,
    exit_truth: float = 0.5,
) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy of normed ``hidden`` [N, D] under ``head`` [V, D], and the exit's own for the report.

    ``exit_hidden`` [M, D] belongs to rows ``exit_start`` .. ``exit_start + M``; its loss (``exit_truth`` of it
    cross-entropy, the rest KL to the detached last layer, times ``exit_weight``) reaches the gradients of the first value
    without changing that value. So does ``row_weights`` [N]: how many times a row's gradient counts.
    """
    losses: tuple[Tensor, Tensor] = _FusedHead.apply(  # type: ignore[no-untyped-call]
        hidden, exit_hidden, head, targets, exit_start, exit_weight, row_weights, exit_truth
    )
    return losses
