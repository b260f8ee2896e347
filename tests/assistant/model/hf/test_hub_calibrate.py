"""Heads that retrieve are found from random tokens, kept by the checkpoint's identity, and used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from assistant.model.hf import heads
from assistant.model.hf.calibrate import Watched, main, retrieving
from assistant.model.hf.load import load
from assistant.types import GenerateRequest, Part
from kernels.policies.base import Problem
from tests.assistant.model.hf import tiny


def test_a_head_that_looks_where_it_last_saw_the_token_is_seen_to() -> None:
    """Keys that say the token before them, queries that say the token itself: an induction head, made by hand."""
    segment, width = 16, 64
    codes = torch.nn.functional.normalize(torch.randn(segment, width, generator=torch.Generator().manual_seed(1)), dim=1)
    tokens = codes.repeat(4, 1)
    before = torch.cat((torch.zeros(1, width), tokens[:-1]))
    watched = Watched(segment=segment)
    q, k = torch.stack((tokens, tokens)) * 400, torch.stack((before, tokens))
    for start in range(0, 64, 24):  # in pieces, as a prompt comes
        end = min(64, start + 24)
        watched.attend(Problem(q[:, start:end], k[:, :end], k[:, :end]))
    assert watched.induction is not None
    assert watched.echo is not None
    induction, echo = watched.induction / 48, watched.echo / 48
    assert induction[0] > 0.3  # shared with the earlier repeats
    assert induction[1] < 0.05
    assert echo[1] > 0.3
    assert echo[0] < 0.05


def test_the_strongest_heads_are_kept() -> None:
    induction = torch.tensor([[0.9, 0.1], [0.2, 0.3]])
    echo = torch.tensor([[0.0, 0.8], [0.0, 0.0]])
    assert retrieving(induction, echo, 0.5) == [[True, True], [False, True]]


def test_calibrate_and_use(checkpoint: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", str(checkpoint("qwen2")), "--attention", "razor", "--out", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["keyHeads"], told["attention"]) == (4, "razor")
    assert 1 <= told["retrieving"] <= 3
    engine, info = load(checkpoint("qwen2"), lambda: None, "razor", tmp_path)
    flags = heads.read(tmp_path, info.sha256)["razor"]
    assert sum(map(sum, flags)) == told["retrieving"]
    assert [dict(layer.options)["full"] for layer in engine.hub_runner._plan_of("razor").layers] == [tuple(f) for f in flags]  # type: ignore[attr-defined]
    request = GenerateRequest((Part(text=tiny.TEXT),), 4, budget_ms=1e9)
    assert "".join(chunk.text for chunk in engine.generate(request))


def test_what_cannot_be_calibrated_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert main(["--model", str(tmp_path), "--attention", "duo", "--out", str(tmp_path)]) == 1
    assert "transformers loads" in json.loads(capsys.readouterr().out)["error"]
    (tmp_path / "abc.json").write_text("[]")
    assert heads.read(tmp_path, "abc") == heads.read(None, "abc") == {}
