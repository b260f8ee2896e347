"""Gates of heads are trained: the loss falls, the gates stay between 0 and 1, what they say is kept and used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from assistant.model.hf import gates, heads
from assistant.model.hf.calibrate import main
from assistant.model.hf.engine import HubEngine
from assistant.model.hf.load import load
from assistant.model.hf.runner import HubRunner
from assistant.types import EngineError, GenerateRequest, Part
from kernels.attention.reference import attend
from kernels.attention.spec import Heads, Spec
from kernels.policies.base import Problem
from tests.assistant.model.hf import tiny

Engines = Callable[[str], HubEngine]


def runner(engine: HubEngine) -> HubRunner:
    assert isinstance(engine.hub_runner, HubRunner)
    return engine.hub_runner


@pytest.mark.parametrize("base", [Spec(0.3), Spec(softcap=4.0, sink_logit=torch.linspace(-1, 1, 4))], ids=["plain", "capped"])
def test_a_gate_mixes_both_kinds_of_attention_and_takes_a_gradient(base: Spec) -> None:
    torch.manual_seed(0)
    problem = Problem(torch.randn(4, 40, 8), torch.randn(2, 40, 8), torch.randn(2, 40, 8), base)
    gate = torch.tensor([1.0, 0.25], requires_grad=True)
    out = gates.Gated(sink=2, window=9, gate=gate).attend(problem).out
    dense = attend(problem.q, problem.k, problem.v, base).out
    near = attend(
        problem.q,
        problem.k,
        problem.v,
        Spec(base.scale, Heads((False, False), 2, 9), None, None, base.sink_logit, base.softcap),
    )
    torch.testing.assert_close(out[:2], dense[:2])
    torch.testing.assert_close(out[2:], 0.25 * dense[2:] + 0.75 * near.out[2:])
    out[2:].sum().backward()  # type: ignore[no-untyped-call]
    assert gate.grad is not None
    assert gate.grad[0] == 0 != gate.grad[1]


def test_passkeys_are_repeated_at_the_end(engine: Engines) -> None:
    it = engine("llama")
    ids = gates.passkeys(it, 256, torch.Generator().manual_seed(0))
    assert len(ids) == 256
    keys, size = 4, 16
    for number in range(keys):
        start = len(ids) - (number + 1) * size
        key = ids[start : start + size]
        assert any(ids[at : at + size] == key for at in range(len(ids) - keys * size))


@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2"])
def test_the_loss_falls_and_the_gates_are_bounded(family: str, engine: Engines) -> None:
    it = engine(family)
    found = gates.optimise(it, runner(it), 128, 14)
    assert found.losses[-1] < found.losses[0]
    assert bool((found.gates >= 0).all() and (found.gates <= 1).all())
    assert bool((found.gates < 1).any())
    assert found.gates.shape == (2, 4 if family == "gpt2" else 2)
    again = gates.optimise(it, runner(it), 128, 14)
    torch.testing.assert_close(again.gates, found.gates)
    assert "".join(chunk.text for chunk in it.generate(GenerateRequest((Part(text=tiny.TEXT),), 4, budget_ms=1e9)))


def test_a_head_that_nothing_is_lost_without_is_shut(checkpoint: Callable[[str], Path]) -> None:
    """The second layer's output is made zero: whatever its heads see, the stream stays the same."""
    it, _ = load(checkpoint("llama"), lambda: None)
    runner(it).model.model.layers[1].self_attn.o_proj.weight.zero_()
    found = gates.optimise(it, runner(it), 128, 50)
    assert bool((found.gates[1] < 0.3).all())
    assert bool((found.gates[0] > found.gates[1] + 0.1).any())


def test_calibrated_gates_are_kept_and_used(
    checkpoint: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(gates.STEPS, "cpu", 12)
    monkeypatch.setitem(gates.LENGTHS, "cpu", 128)
    assert main(["--model", str(checkpoint("qwen2")), "--attention", "duo", "--out", str(tmp_path)]) == 0
    ran = capsys.readouterr()
    told = json.loads(ran.out.splitlines()[-1])
    assert (told["by"], told["keyHeads"], told["retrieving"]) == ("gates", 4, 2)
    assert told["loss"][1] < told["loss"][0]
    assert "step 12 of 12" in ran.err
    engine, info = load(checkpoint("qwen2"), lambda: None, "duo", tmp_path)
    flags = heads.read(tmp_path, info.sha256)["duo"]
    order = sorted((gate for layer in told["gates"] for gate in layer), reverse=True)
    for layer, layer_flags in zip(told["gates"], flags, strict=True):
        assert all(gate >= order[1] - 1e-3 for gate, flag in zip(layer, layer_flags, strict=True) if flag)
    plan = runner(engine)._plan_of("duo")
    assert [dict(layer.options)["full"] for layer in plan.layers] == [tuple(layer) for layer in flags]


def test_a_model_too_large_for_this_processor_is_calibrated_by_scores_and_says_so(
    checkpoint: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(gates.MOST_FLOPS, "cpu", 1.0)
    assert main(["--model", str(checkpoint("qwen2")), "--attention", "duo", "--out", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["by"] == "scores"
    assert "a GPU does it in minutes" in told["why"]


def test_a_class_whose_attention_cannot_be_replaced_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tiny.FAMILIES, "mamba", tiny.Family("MambaConfig", "gpt2", "<|endoftext|>", config={"state_size": 4}))
    it, _ = load(tiny.make(tmp_path, "mamba"), lambda: None)
    with pytest.raises(EngineError, match="cannot be gated"):
        gates.optimise(it, runner(it), 64, 2)
