"""The bench's mixers: every one has its row, and a wrong answer is seen before anything is timed."""

from __future__ import annotations

import pytest
import torch

from kernels import dispatch
from kernels.bench import mixers

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", mixers.MIXERS)
def test_every_mixer_and_its_forms_answer_alike(name: str) -> None:
    (part,) = mixers.part(name, 40, torch.float32, CPU)
    assert part.verdict.right
    assert "torch" in part.forms
    for run in part.forms.values():
        torch.testing.assert_close(run(), part.run(), rtol=1e-4, atol=1e-4)


def test_a_wrong_answer_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right = mixers.MIXERS["agent"]

    def off(*given: torch.Tensor) -> torch.Tensor:
        """Wrong where Triton would be asked."""
        return right(*given) * (1.0 if dispatch._ONLY_TORCH.get() or given[0].dtype == torch.float64 else 1.01)

    monkeypatch.setitem(mixers.MIXERS, "agent", off)
    (part,) = mixers.part("agent", 40, torch.float32, CPU)
    assert not part.verdict.right


def test_texts_that_would_take_minutes_have_no_rows() -> None:
    assert list(mixers.part("ring", 2 * mixers.LONGEST, torch.float32, CPU)) == []
