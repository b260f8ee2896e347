"""What attention looks at is a setting: each policy on a checkpoint, per request and per layer, and what is said about it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from assistant.model.hf.engine import HubEngine
from assistant.model.hf.load import load
from assistant.model.hf.plans import AttentionPlan
from assistant.model.hf.runner import HubRunner, HubSlot, Way
from assistant.types import EngineError, GenerateRequest, Part
from kernels.cache.ring import Ring
from kernels.policies import registry
from tests.assistant.model.hf import tiny

Engines = Callable[[str], HubEngine]
TEXT = tiny.TEXT * 3
FREE = [name for name in registry.POLICIES if name not in registry.CALIBRATED]


def ask(text: str, attention: str = "", tokens: int = 16) -> GenerateRequest:
    return GenerateRequest((Part(text=text, keep="end"),), tokens, heal=False, budget_ms=1e9, attention=attention)


def answer(engine: HubEngine, request: GenerateRequest) -> tuple[str, int]:
    chunks = list(engine.generate(request))
    return "".join(chunk.text for chunk in chunks), chunks[-1].reused_tokens


def runner(engine: HubEngine) -> HubRunner:
    found = engine.hub_runner
    assert isinstance(found, HubRunner)
    return found


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Budgets far below a prompt of 200 tokens, so that something is left out."""
    made = registry.make
    sizes: dict[str, dict[str, object]] = {
        "sink_window": {"sink": 4, "window": 24},
        "block_select": {"sink": 4, "window": 16, "blocks": 3, "block": 8},
        "token_select": {"sink": 4, "window": 16, "tokens": 24},
        "hip": {"sink": 4, "window": 16, "stages": ((16, 64), (8, 32))},
        "act": {"stretch": 16, "every": 2, "most": 0.02},
    }
    monkeypatch.setattr(registry, "make", lambda name, **options: made(name, **{"least": 0, **sizes.get(name, {}), **options}))


@pytest.mark.parametrize("name", FREE)
def test_a_budget_above_the_prompt_is_dense(name: str, engine: Engines) -> None:
    assert answer(engine("qwen2"), ask(TEXT, name))[0] == answer(engine("qwen2"), ask(TEXT))[0]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", [name for name in FREE if name != "dense"])
def test_a_small_budget_answers_the_same_cached_and_fresh(name: str, checkpoint: Callable[[str], Path]) -> None:
    it, _ = load(checkpoint("llama"), lambda: None)
    dense, _ = answer(it, ask(TEXT))
    fresh, none = answer(it, ask(TEXT, name))
    again, reused = answer(it, ask(TEXT, name))
    assert (none, again) == (0, fresh)
    assert reused > 100
    assert fresh != dense  # random weights look everywhere: what is left out matters
    assert answer(it, ask(TEXT))[0] == dense  # contexts of its own


@pytest.mark.usefixtures("small")
def test_a_ring_keeps_no_more_than_it_shows_and_begins_anew_where_it_must(checkpoint: Callable[[str], Path]) -> None:
    it, _ = load(checkpoint("llama"), lambda: None, "sink_window")
    runner(it).tight = True
    it.release()
    long = tiny.TEXT * 7
    first, _ = answer(it, ask(long))
    slot = it._pool.take(it.tokenizer.encode("x"))
    assert isinstance(slot, HubSlot)
    assert all(isinstance(layer.held, Ring) for layer in slot.layers)
    other, reused = answer(it, ask(tiny.TEXT))
    assert reused == 0
    again, _ = answer(it, ask(long))
    assert again == first
    it.forget()
    assert answer(it, ask(tiny.TEXT))[0] == other


@pytest.mark.usefixtures("small")
def test_layers_may_differ_and_the_log_says_what_they_do(
    checkpoint: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    it, _ = load(checkpoint("llama"), lambda: None)
    with caplog.at_level(logging.INFO, "sotto.engine"):
        mixed, _ = answer(it, ask(TEXT, "sink_window,1=dense"))
    told = [record.getMessage() for record in caplog.records]
    assert any(
        "layers 0-0: 2 of 2 key heads see 4 first and 24 newest, by construction nothing between" in text for text in told
    )
    assert any("it is forgotten; layers 1-1: every key" in text for text in told)
    assert len(told) <= 3  # once for each change, not once a token
    assert len({mixed, answer(it, ask(TEXT))[0], answer(it, ask(TEXT, "sink_window"))[0]}) == 3


@pytest.mark.usefixtures("small")
def test_a_layer_that_its_model_limits_keeps_its_own_window(
    checkpoint: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    it, _ = load(checkpoint("starcoder2"), lambda: None)
    with caplog.at_level(logging.INFO, "sotto.engine"):
        assert answer(it, ask(TEXT, "block_select"))[0] == answer(it, ask(TEXT))[0]
    assert any("the model itself limits this layer to a window" in record.getMessage() for record in caplog.records)


def test_a_wrong_name_is_refused_with_the_right_ones(engine: Engines) -> None:
    with pytest.raises(EngineError, match=r"knows no 'sparse'; choose from dense, sink_window"):
        answer(engine("llama"), ask("x", "sparse"))
    with pytest.raises(EngineError, match=r"cannot be read at '0:dense'"):
        answer(engine("llama"), ask("x", "hip,0:dense"))
    with pytest.raises(EngineError, match=r"sotto model calibrate --attention duo"):
        answer(engine("llama"), ask("x", "duo"))


@pytest.mark.parametrize(
    ("setting", "said"),
    [("duo", r"run: sotto model calibrate --attention duo --model .*llama"), ("sparse", "choose from dense"), ("hip,x", "'x'")],
)
def test_a_setting_that_cannot_be_followed_is_dense_and_told(
    setting: str, said: str, checkpoint: Callable[[str], Path]
) -> None:
    it, info = load(checkpoint("llama"), lambda: None, setting)
    assert re.search(said, info.note)
    assert info.note.endswith("so it is dense")
    assert answer(it, ask(TEXT)) == answer(load(checkpoint("llama"), lambda: None)[0], ask(TEXT))


def test_a_setting_that_is_followed_needs_no_word(checkpoint: Callable[[str], Path], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "sotto.engine"):
        it, info = load(checkpoint("llama"), lambda: None, "hip,0=block_select")
        assert info.note == ""
        answer(it, ask(TEXT))
    least = registry.breaks_even("block_select")
    told = [record.getMessage() for record in caplog.records if record.getMessage().endswith(": dense")]
    assert told == [f"attention: layers 0-0: positions below {least}: dense; layers 1-1: never faster on CPUs: dense"]


def test_what_a_policy_is_known_to_lose_is_told_once(
    checkpoint: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "sotto.engine"):
        it, _ = load(checkpoint("llama"), lambda: None, "sink_window")
        for attention in ("", "dense", "sink_window", "token_select"):
            answer(it, ask("x", attention, 2))
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert "names defined there are not found" in told[0]


def test_a_mixer_that_the_checkpoint_was_not_trained_with_is_dense_and_the_log_says_so(
    checkpoint: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    it, _ = load(checkpoint("llama"), lambda: None)
    with caplog.at_level(logging.WARNING, "sotto.engine"):
        assert answer(it, ask(TEXT, "lightning"))[0] == answer(it, ask(TEXT))[0]
        answer(it, ask(TEXT, "lightning"))
    assert [record.getMessage() for record in caplog.records] == [
        "attention: lightning mixes by weights of its own, which this checkpoint was not trained for: dense"
    ]
    plan = AttentionPlan.read("token_select,0=s4d,2=s4d", 3, {})
    assert [layer.name for layer in plan.layers] == ["dense", "token_select", "dense"]
    assert plan.mixers == ("s4d",)


def test_a_setting_may_name_every_mixer_there_is() -> None:
    files = {path.stem for path in Path(str(registry.__file__)).parents[1].joinpath("mixers").glob("*.py")}
    theirs = {name for name in files - {"dense", "sinks", "triton_kernel"} if not name.endswith("gpu")}
    assert set(registry.MIXERS) == theirs | {"key_bias", "sigmoid"}
    assert len(registry.MIXERS) == 15


def test_calibrated_heads_go_to_their_layers() -> None:
    plan = AttentionPlan.read("duo,2=dense", 3, {"duo": [[True, False], [False, False], [True, True]]})
    assert [layer.name for layer in plan.layers] == ["duo", "duo", "dense"]
    assert dict(plan.layers[1].options) == {"full": (False, False)}
    calmed = AttentionPlan.read("act", 2, {"act": [[True, False], [False, False]]})
    assert [dict(layer.options) for layer in calmed.layers] == [{"heads": (True, False)}, {"heads": (False, False)}]
    assert AttentionPlan.read("act", 2, {}).layers[0].options == ()


@pytest.mark.parametrize(
    ("config", "shape", "way"),
    [
        ("GPTJConfig", {"n_embd": 32, "n_layer": 2, "n_head": 4, "rotary_dim": 4, "n_positions": 512}, Way.CACHE),
        ("JambaConfig", {"attn_layer_offset": 1, "attn_layer_period": 2, "num_experts": 4}, Way.THEIRS),
        ("MambaConfig", {"state_size": 4}, Way.ALONE),
    ],
)
def test_a_class_that_takes_less_of_ours_answers_as_it_would_alone(
    config: str, shape: dict[str, int], way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tiny.Family(config, "gpt2", "<|endoftext|>", config=shape)
    monkeypatch.setitem(tiny.FAMILIES, config, told)
    it, info = load(tiny.make(tmp_path, config), lambda: None, "hip")
    assert runner(it).way is way
    assert info.note == f"`attention` can only be dense with this model: {way.value}; so it is dense"
    ids = it.tokenizer.encode(tiny.TEXT)
    said, _ = answer(it, ask(tiny.TEXT))
    assert (
        b"".join(it.tokenizer.token_bytes[i] for i in tiny.greedy(tmp_path, ids, 16))
        .decode("utf-8", "replace")
        .startswith(said)
    )
    assert answer(it, ask(tiny.TEXT + "x"))[0]
    assert answer(it, ask(tiny.TEXT))[0] == said
    with pytest.raises(EngineError, match="can only be dense"):
        answer(it, ask("x", "hip"))
