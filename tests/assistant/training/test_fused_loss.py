"""The fused head equals the plain one, losses and gradients, with and without an exit."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from assistant.training import fused_loss


@pytest.mark.parametrize("chunk", [7, 64])
@pytest.mark.parametrize("exit_rows", [None, (0, 10), (11, 20)])
@pytest.mark.parametrize(("weighted", "truth"), [(False, 0.5), (True, 0.2)])
def test_loss_and_gradients(
    monkeypatch: pytest.MonkeyPatch, chunk: int, exit_rows: tuple[int, int] | None, weighted: bool, truth: float
) -> None:
    monkeypatch.setattr(fused_loss, "CHUNK", chunk)
    generator = torch.Generator().manual_seed(0)
    rows, width, vocabulary, weight = 40, 16, 50, 0.3
    hidden = torch.randn(rows, width, generator=generator, requires_grad=True)
    head = torch.randn(vocabulary, width, generator=generator, requires_grad=True)
    targets = torch.randint(vocabulary, (rows,), generator=generator)
    start, stop = exit_rows or (0, 0)
    early = torch.randn(stop - start, width, generator=generator, requires_grad=True) if exit_rows else None

    logits = hidden @ head.t()
    loss = F.cross_entropy(logits, targets)
    row_weights = torch.randint(1, 5, (rows,), generator=generator).float() if weighted else None
    total = loss if row_weights is None else (F.cross_entropy(logits, targets, reduction="none") * row_weights).mean()
    if early is not None:
        mine = early @ head.t()
        hard = F.cross_entropy(mine, targets[start:stop])
        soft = F.kl_div(
            mine.log_softmax(-1), logits[start:stop].detach().log_softmax(-1), reduction="batchmean", log_target=True
        )
        total = total + weight * (truth * hard + (1 - truth) * soft)
    leaves = [t for t in (hidden, head, early) if t is not None]
    expected = torch.autograd.grad(total, leaves)

    fused, exit_loss = fused_loss.head_loss(hidden, head, targets, early, start, weight, row_weights, truth)
    torch.testing.assert_close(fused, loss)
    if early is not None:
        torch.testing.assert_close(exit_loss, hard)
    for mine_grad, plain in zip(torch.autograd.grad(fused, leaves), expected, strict=True):
        torch.testing.assert_close(mine_grad, plain)
