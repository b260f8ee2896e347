"""Fresh memory is poisoned: what a kernel leaves unwritten, or reads before it wrote it, is no number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor


@pytest.fixture(autouse=True)
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("empty", "empty_like", "empty_strided"):
        monkeypatch.setattr(torch, name, _poisoning(getattr(torch, name)))


def _poisoning(made: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def make(*given: Any, **how: Any) -> Tensor:
        fresh = made(*given, **how)
        if fresh.is_floating_point() or fresh.is_complex():
            fresh.fill_(torch.nan)
        elif fresh.dtype != torch.bool:
            fresh.fill_(torch.iinfo(fresh.dtype).max)
        return fresh

    return make
