"""A checkpoint whose heads fill vectors runs on the compiled attention, and answers as it does on torch's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assistant.model.hf.load import load
from assistant.types import GenerateRequest, Part
from kernels.attention import compiled
from kernels.attention.spec import Answer
from tests.assistant.model.hf import tiny


@pytest.mark.parametrize("family", ["qwen3", "starcoder2"])
@pytest.mark.parametrize("attention", ["dense", "sink_window"])
def test_it_answers_as_torch_does(family: str, attention: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """starcoder2's layers have a window of their own; its 160 tokens are more than it and than the policy's."""
    if not compiled.compile_now():
        pytest.skip("numba cannot compile here")
    sizes: dict[str, Any] = {"hidden_size": 128, "head_dim": 32}
    engine, _ = load(tiny.make(tmp_path / family, family, **sizes), lambda: None)
    request = GenerateRequest((Part(text=tiny.TEXT * 2, keep="end"),), 24, heal=False, budget_ms=1e9, attention=attention)
    answered: list[bool] = []
    attend = compiled._attend

    def watched(*given: Any) -> Answer | None:
        found = attend(*given)
        answered.append(found is not None)
        return found

    monkeypatch.setattr(compiled, "_attend", watched)
    ours = "".join(chunk.text for chunk in engine.generate(request))
    assert sum(answered) >= 40  # two layers, most of 24 steps
    engine.forget()
    monkeypatch.setattr(compiled, "_ready", lambda: None)
    assert "".join(chunk.text for chunk in engine.generate(request)) == ours
