"""The heads that act calms are those that read code better so: tried alone, judged together, kept, used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from assistant.model.hf import act_heads, heads
from assistant.model.hf.calibrate import main
from assistant.model.hf.engine import HubEngine
from assistant.model.hf.load import load
from assistant.model.hf.runner import HubRunner
from assistant.model.race import places
from tests.assistant.model.hf import tiny

Engines = Callable[[str], HubEngine]
FAMILIES = ("llama", "qwen2", "qwen3", "starcoder2", "deepseek", "codellama", "gemma", "gpt2")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights have no sinks: keys that draw a little more than others will do."""
    monkeypatch.setattr(act_heads, "OPTIONS", {"least": 0, "stretch": 16, "every": 2, "most": 0.015, "share": 0.0})
    monkeypatch.setattr(act_heads, "LENGTH", 160)
    monkeypatch.setattr(act_heads, "MOST_TEXTS", 2)


def runner(engine: HubEngine) -> HubRunner:
    assert isinstance(engine.hub_runner, HubRunner)
    return engine.hub_runner


def texts(engine: HubEngine, count: int = 2, length: int = 160) -> list[list[int]]:
    ids = engine.tokenizer.encode(tiny.TEXT * 20)
    return [ids[at * length : (at + 1) * length] for at in range(count)]


@pytest.mark.parametrize("family", FAMILIES)
def test_heads_are_kept_that_save_for_sure(family: str, engine: Engines) -> None:
    it = engine(family)
    layers, shared = act_heads.shape(runner(it))
    found = act_heads.search(runner(it), texts(it))
    assert (len(found.flags), len(found.flags[0])) == (layers, shared)
    none = [[False] * shared for _ in range(layers)]
    first, last = texts(it)
    dense = act_heads.read(runner(it), [first], none)
    kept = [list(row) for row in none]
    for layer in range(layers):
        for head in range(shared):
            one = [list(row) for row in none]
            one[layer][head] = True
            saved = dense - act_heads.read(runner(it), [first], one)
            assert found.alone[layer][head] == pytest.approx(float(saved.mean()), abs=1e-7)
            kept[layer][head] = act_heads.surely(saved)
    before, after = (act_heads.read(runner(it), [last], flags) for flags in (none, kept))
    assert found.flags == (kept if act_heads.surely(before - after) else none)
    assert found.chosen == sum(map(sum, kept))
    assert np.log(found.judged) == pytest.approx([before.mean(), after.mean()], abs=1e-6)
    if family != "starcoder2":  # whose own window leaves nothing to calm
        assert any(saved != 0 for row in found.alone for saved in row)


def test_a_gain_within_its_error_is_none() -> None:
    sure, chance = np.array([0.1, 0.2, 0.1, 0.2], np.float32), np.array([0.5, -0.4, 0.4, -0.4], np.float32)
    assert act_heads.surely(sure)
    assert not act_heads.surely(chance)
    assert not act_heads.surely(-sure)
    assert not act_heads.surely(np.zeros(4, np.float32))


def test_a_head_that_reads_worse_for_what_it_sees_is_found(engine: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    """What each head costs is told by hand; two help alone, and the judging texts agree or not."""
    it = engine("llama")
    costs = {(0, 1): 0.2, (1, 0): 0.1, (1, 1): -0.3}
    judging = texts(it)[1]
    together = 1.0

    def read(_: HubRunner, some: list[list[int]], flags: heads.Flags) -> np.ndarray:
        saved = sum(gain for (layer, head), gain in costs.items() if flags[layer][head])
        return np.full(50, 3.0 - saved * (together if some[0] == judging else 1.0), np.float32)

    monkeypatch.setattr(act_heads, "read", read)
    found = act_heads.search(runner(it), texts(it))
    assert found.flags == [[False, True], [True, False]]
    assert found.judged == pytest.approx((np.exp(3.0), np.exp(2.7)))
    together = -1.0
    assert act_heads.search(runner(it), texts(it)).flags == [[False, False], [False, False]]


def test_a_larger_model_reads_fewer_texts(engine: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    it = engine("llama")
    monkeypatch.setattr(act_heads, "MOST_TEXTS", 8)
    assert act_heads.affordable(it, runner(it), 4) == 8
    monkeypatch.setattr(act_heads, "MOST_FLOPS", {"cpu": 1.0})
    assert act_heads.affordable(it, runner(it), 4) == 2


def test_search_and_use(
    checkpoint: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "LARGEST", 2000)
    (tmp_path / "code").mkdir()
    for number in range(4):
        (tmp_path / "code" / f"m{number}.py").write_text(tiny.TEXT.replace("items", f"items_{number}") * 3)
    asked = ["--model", str(checkpoint("qwen2")), "--attention", "act", "--out", str(tmp_path)]
    assert main([*asked, "--path", str(tmp_path / "code")]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["keyHeads"], told["attention"], len(told["perplexity"])) == (4, "act", 2)
    engine, info = load(checkpoint("qwen2"), lambda: None, "act", tmp_path)
    flags = heads.read(tmp_path, info.sha256)["act"]
    assert sum(map(sum, flags)) == told["calmed"]
    assert [dict(layer.options)["heads"] for layer in runner(engine)._plan_of("act").layers] == [tuple(row) for row in flags]
    (tmp_path / "empty").mkdir()
    assert main([*asked, "--path", str(tmp_path / "empty")]) == 1
    assert "too little Python" in json.loads(capsys.readouterr().out.splitlines()[-1])["error"]
