"""Twin runs: every variant gets the same FLOPs, is measured on the same files, and leaves one line of figures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.model.config import PRESETS, ModelConfig
from assistant.training import ablate, corpus, rows, tokenizer
from assistant.training.corpus import Document
from assistant.training.run import RECIPES, is_dev
from tests.assistant.training.conftest import document


def test_variants_are_told_apart_by_one_choice_alone(
    tmp_path: Path, vocabulary: Path, store: object, shape: ModelConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(RECIPES["tiny"], batch_tokens=512, micro_tokens=512, length=128, long_length=128, compile=False)
    monkeypatch.setitem(PRESETS, "tiny", shape)
    monkeypatch.setitem(RECIPES, "tiny", small)
    docs = [document(i) for i in range(12)]
    watched = next(name for name in (f"watched_{i}.py" for i in range(10_000)) if is_dev(name))
    docs.append(Document("package", "MIT", watched, docs[0].text))
    (tmp_path / "corpus-tiny").mkdir()
    corpus.write(docs, tmp_path / "corpus-tiny" / "train.jsonl", corpus.Report(files=len(docs)))
    run = tmp_path / "tiny"
    run.mkdir()
    (run / "tokenizer.json").write_text(vocabulary.read_text())
    rows.encode(docs[:12], tokenizer.load(vocabulary), run / "tokens")
    assert ablate.main(["base", "no-exits", "no-fim", "--cache", str(tmp_path), "--tokens", "3e3", "--seeds", "1"]) == 0
    lines = [json.loads(line) for line in (tmp_path / "ablate" / "ablations.jsonl").read_text().splitlines()]
    assert [line["variant"] for line in lines] == ["base", "no-exits", "no-fim"]
    assert len({line["flops"] for line in lines}) == 1
    assert len({line["bits_per_byte"] for line in lines}) == 3
    assert all(1 < line["bits_per_byte"] < 8 for line in lines)
