"""Every family that is named: its greedy tokens are transformers' own, cached or fresh, drafted or not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from assistant.cancel import Cancelled
from assistant.model.edits import Edits
from assistant.model.hf.engine import HubEngine
from assistant.model.hf.load import load
from assistant.types import (
    CompareRequest,
    EngineError,
    Finish,
    GenerateRequest,
    MarkRequest,
    Part,
    Rewrite,
    ScoreRequest,
)
from tests.assistant.model.hf import tiny

Engines = Callable[[str], HubEngine]
Folders = Callable[[str], Path]
FOREVER = 1e9
NEW = 24


def ask(text: str, tokens: int = NEW, **rest: object) -> GenerateRequest:
    return GenerateRequest((Part(text=text, keep="end"),), tokens, **{"heal": False, "budget_ms": FOREVER, **rest})  # type: ignore[arg-type]


def answer(engine: HubEngine, request: GenerateRequest) -> str:
    return "".join(chunk.text for chunk in engine.generate(request))


def spelled(engine: HubEngine, ids: list[int]) -> str:
    return b"".join(engine.tokenizer.token_bytes[i] for i in ids).decode("utf-8", "replace")


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_greedy_tokens_are_those_of_transformers(family: str, engine: Engines, checkpoint: Folders) -> None:
    it = engine(family)
    prompt = [*it.begin, *it.tokenizer.encode(tiny.TEXT)]
    expected = spelled(it, tiny.greedy(checkpoint(family), prompt, NEW))
    chunks = list(it.generate(ask(tiny.TEXT)))
    assert chunks[-1].prompt_tokens == len(prompt)
    assert chunks[-1].finish is Finish.LENGTH
    assert len([p for chunk in chunks for p in chunk.logprobs]) >= NEW - 3  # half a character at the end is not sent
    said = "".join(chunk.text for chunk in chunks)
    assert said
    assert expected.startswith(said)


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_a_cached_prompt_is_answered_as_a_fresh_one(family: str, engine: Engines) -> None:
    it = engine(family)
    it.forget()
    fresh = answer(it, ask(tiny.TEXT))
    answer(it, ask(tiny.TEXT[:200] + "another = 1\n"))
    chunks = list(it.generate(ask(tiny.TEXT)))
    assert chunks[-1].reused_tokens > 20
    assert "".join(chunk.text for chunk in chunks) == fresh


@pytest.mark.parametrize("family", ["qwen2", "gemma2", "starcoder2"])
def test_drafts_change_no_token(family: str, checkpoint: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of one pass see what single passes see: also where a window slides over them."""
    steps = [0]

    def count() -> None:
        steps[0] += 1

    it, _ = load(checkpoint(family), count)
    alone = answer(it, ask(tiny.TEXT, 40))
    taken = steps[0]
    monkeypatch.setattr(it._lookup.__class__, "draft", lambda self, ids, room: [])
    it.forget()
    steps[0] = 0
    assert answer(it, ask(tiny.TEXT, 40)) == alone
    assert taken <= steps[0]


def test_a_window_that_slides_is_the_models_own(engine: Engines, checkpoint: Folders) -> None:
    """StarCoder2's window of 48 is shorter than the prompt: a dense layer would answer otherwise."""
    it = engine("starcoder2")
    ids = it.tokenizer.encode(tiny.TEXT)
    assert len(ids) > 60
    windowed = tiny.greedy(checkpoint("starcoder2"), ids, NEW)
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(str(checkpoint("starcoder2")), sliding_window=None)
    dense = model.generate(torch.tensor([ids]), max_new_tokens=NEW, do_sample=False, pad_token_id=0)[0].tolist()[len(ids) :]
    assert windowed != dense


def test_a_cancel_between_two_layers_leaves_the_cache_whole(engine: Engines) -> None:
    it = engine("llama")
    it.forget()
    expected = answer(it, ask(tiny.TEXT))
    it.forget()
    asked = iter([False] * 6 + [True] * 100)
    chunks = list(it.generate(ask(tiny.TEXT), lambda: next(asked)))
    assert chunks[-1].finish is Finish.CANCELLED
    assert answer(it, ask(tiny.TEXT)) == expected


def test_a_spent_budget_keeps_what_was_read(checkpoint: Folders) -> None:
    now = iter(range(1_000_000))
    it, _ = load(checkpoint("llama"), lambda: None)
    it._clock = lambda: next(now) / 1000
    said = list(it.generate(ask(tiny.TEXT * 4, budget_ms=4)))
    assert said[-1].finish is Finish.BUDGET
    again = list(it.generate(ask(tiny.TEXT * 4, budget_ms=FOREVER)))
    assert again[-1].reused_tokens >= 64


def test_a_word_that_was_begun_is_finished(engine: Engines) -> None:
    """The answer never repeats what stands before the cursor, and spells it with other tokens where that is likelier."""
    for family in ("qwen2", "llama", "gpt2"):
        it = engine(family)
        _ids, tail = it.tokenizer.heal("return items if it")
        assert tail.strip() == "it"
        said = answer(it, ask("return items if it", heal=True))
        assert said
        assert not said.startswith("it it")


def test_stop_texts_end_before_themselves(engine: Engines) -> None:
    it = engine("gpt2")
    whole = answer(it, ask(tiny.TEXT))
    stop = whole[8:10]
    assert answer(it, ask(tiny.TEXT, stop=(stop,))) == whole[: whole.index(stop)]


def test_sampling_repeats_with_its_seed(engine: Engines) -> None:
    it = engine("qwen3")
    one, same, other = (answer(it, ask(tiny.TEXT, temperature=1.0, seed=seed)) for seed in (1, 1, 2))
    assert one == same != other


def test_a_conversation_is_asked_in_the_checkpoints_format(engine: Engines, checkpoint: Folders) -> None:
    it = engine("qwen2")
    asked = (("system", "be brief"), ("user", "say <|im_end|> aloud"))
    ids = it._hub.chat(asked)
    names = it.tokenizer.specials
    assert ids.count(names["turn_end"]) == 2  # the one in the user's text is text
    assert spelled(it, ids).endswith("assistant\n")
    said = answer(it, GenerateRequest((), NEW, budget_ms=FOREVER, chat=asked))
    assert spelled(it, tiny.greedy(checkpoint("qwen2"), ids, NEW)).startswith(said)
    assert said


def test_a_checkpoint_without_a_chat_format_refuses(engine: Engines) -> None:
    with pytest.raises(EngineError, match="no chat format"):
        answer(engine("gpt2"), GenerateRequest((), 4, chat=(("user", "hello"),)))
    with pytest.raises(EngineError, match="shorten"):
        answer(engine("qwen2"), GenerateRequest((), 4, chat=(("user", "hello " * 900),)))


def test_a_score_is_the_probability_of_the_targets_tokens(engine: Engines, checkpoint: Folders) -> None:
    it = engine("llama")
    score = it.score(ScoreRequest((Part(text="import os\n"),), "def first", heal=False))
    target = it.tokenizer.encode("def first")
    ids = [*it.begin, *it.tokenizer.encode("import os\n"), *target]
    model = transformers.AutoModelForCausalLM.from_pretrained(str(checkpoint("llama")))
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0, -len(target) - 1 : -1]
    logits[:, it._allowed == -float("inf")] = -float("inf")
    nats = -logits.log_softmax(-1)[range(len(target)), target].sum().item()
    assert score.tokens == len(target)
    assert score.bits == pytest.approx(nats / 0.6931471805599453, rel=1e-4)


def test_what_a_plain_model_cannot_do_it_says(engine: Engines) -> None:
    with pytest.raises(EngineError, match="special token called fim_prefix"):
        answer(engine("gpt2"), GenerateRequest((Part(special="fim_prefix"),), 4))


def test_a_cancelled_score_stops(engine: Engines) -> None:
    with pytest.raises(Cancelled):
        engine("llama").score(ScoreRequest((Part(text="a b c"),), "d"), lambda: True)


def test_texts_are_compared_by_their_probability_and_lines_cannot_be_marked(engine: Engines) -> None:
    it, edits = engine("llama"), Edits(engine("llama"))
    parts, texts = (Part(text="import os\n"),), ("def first", "class Reader", "import")
    found = edits.compare(CompareRequest(parts, tuple(Rewrite((), text) for text in texts)), bool)
    assert [one.tokens for one in found] == [len(it.tokenizer.encode(text)) for text in texts]
    for text, one in zip(texts, found, strict=True):
        bits = it.score(ScoreRequest(parts, text, heal=False)).bits
        assert -one.logprob / 0.6931471805599453 == pytest.approx(bits, rel=0.05)  # a score leaves special tokens out
    with pytest.raises(EngineError, match="edit format"):
        edits.mark(MarkRequest(parts), bool)
