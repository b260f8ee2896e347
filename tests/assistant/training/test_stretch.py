"""The toy with a long memory: rows with definitions and calls, positions spread over the whole length, a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest
import torch

from assistant.model import checkpoint
from assistant.model.transformer import Block
from assistant.training import stretch
from tests.assistant.model import tiny

FILES = ["import os\n\n\ndef first(items):\n    return items[0] if items else None\n" * 40]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.build(tmp_path_factory.mktemp("source") / "tiny")


def test_what_is_asked_for_was_defined_before(source: Path) -> None:
    tokenizer = checkpoint.load(source).tokenizer
    tokens, weights = stretch.Rows(tokenizer, FILES, 3).draw(400, 4)
    assert tokens.shape == weights.shape == (401,)
    text = b"".join(tokenizer.token_bytes[i] for i in tokens.tolist()).decode()
    asked = weights == stretch.ASKED_WEIGHT
    assert bool(asked.any())
    calls = [line for line in text.splitlines() if line.endswith(")") and "_" in line and not line.startswith((" ", "def"))]
    assert calls
    assert all(f"def {call}: ..." in text[: text.rindex(call)] for call in calls)


def test_positions_go_up_and_reach_far(source: Path) -> None:
    rows = stretch.Rows(checkpoint.load(source).tokenizer, FILES, 0)
    places = [rows.places(100) for _ in range(20)]
    assert all(bool((one.diff() >= 1).all()) for one in places)
    assert all(int((one.diff() > 1).sum()) < stretch.PARTS for one in places)
    assert max(int(one[-1]) for one in places) > stretch.LENGTH // 2
    assert max(int(one[-1]) for one in places) < stretch.LENGTH


def test_far_text_counts_for_many_and_definitions_for_one(source: Path) -> None:
    rows = stretch.Rows(checkpoint.load(source).tokenizer, FILES, 0)
    places = torch.arange(200)
    weights = torch.full((200,), stretch.PLAIN)
    weights[10] = stretch.DEFINED
    added = rows.crowd(places, weights)
    assert bool((added[torch.ones(200, 200, dtype=torch.bool).triu(1)] == -torch.inf).all())
    assert added[150, 10] == added[150, 149] == 0
    assert 0 < added[150, 11] == added[199, 0]


def test_attention_is_made_sharper_in_the_weights(source: Path) -> None:
    model = checkpoint.load(source).transformer()
    attention = cast(Block, model.blocks[0]).attention
    x, (cos, sin) = torch.randn(5, model.config.d_model), (torch.ones(5, 1), torch.zeros(5, 1))
    seen = []

    def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        seen.append((q, k, v))
        return q

    for norms in (True, False):
        if not norms:
            attention.q_norm = attention.k_norm = None
        attention(x, cos, sin, attend)
        stretch.sharpen(model, 1.5)
        attention(x, cos, sin, attend)
        (q, k, v), (sharper, same_k, same_v) = seen[-2:]
        torch.testing.assert_close(sharper, 1.5 * q)
        torch.testing.assert_close((same_k, same_v), (k, v))


def test_a_checkpoint_is_stretched_once_and_loads_in_transformers(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stretch, "texts", lambda: FILES)
    monkeypatch.setattr(stretch, "ROW", 128)
    monkeypatch.setattr(stretch, "LONG_ROW", 256)
    monkeypatch.setattr(stretch, "NEEDLES", 2)
    arguments = ["--model", str(source), "--out", str(tmp_path), "--steps", "4"]
    assert stretch.main(arguments) == 0
    ran = capsys.readouterr()
    folder = Path(json.loads(ran.out.splitlines()[-1])["model"])
    assert "step 4 of 4" in ran.err
    config = json.loads((folder / "config.json").read_text())
    assert (config["max_position_embeddings"], config["rope_theta"]) == (stretch.LENGTH, stretch.THETA)
    from assistant.model.hf.load import load

    _, info = load(folder, lambda: None)
    assert info.family in ("qwen3", "llama")
    assert stretch.main(arguments) == 0
    assert "step" not in capsys.readouterr().err
    assert stretch.main(["--model", str(tmp_path / "none"), "--out", str(tmp_path)]) == 1
