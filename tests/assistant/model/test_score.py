"""Scores against the plain transformer: bits of a target, healed like an answer."""

from __future__ import annotations

import math

import pytest
import torch

from assistant.cancel import Cancelled
from assistant.model.checkpoint import Checkpoint
from assistant.model.engine import Engine
from assistant.types import EngineError, Part, ScoreRequest
from tests.assistant.model import oracle, tiny

CASES = [
    ("def fir", "st(items):"),
    ("def first(items):\n    ", "return items"),
    ("import os\n", "def"),
    ("x = 12", "3"),
    ("", "import os"),
    ("s = 'caf", "é 😀'"),
]


@pytest.fixture
def engine(loaded: Checkpoint) -> Engine:
    return Engine(loaded)


@torch.no_grad()
def naive(loaded: Checkpoint, text: str, target: str) -> float:
    """Each token of tail and target on its own: minus log2 of its share among what could come there."""
    tokenizer, model, bits = loaded.tokenizer, loaded.transformer(), 0.0
    ids, tail = oracle.prompt((Part(text=text),), tokenizer, heal=True)
    for token in tokenizer.encode(tail.decode() + target):
        logits = model(torch.tensor([ids]))[0, -1]
        logits = logits.masked_fill(~oracle.allowed(tokenizer, tail, len(logits)), -torch.inf)
        bits -= float(torch.log_softmax(logits, 0)[token]) / math.log(2)
        tail = tail[len(tokenizer.token_bytes[token]) :]
        ids = [*ids, token]
    return bits


@pytest.mark.parametrize(("text", "target"), CASES)
def test_equals_the_plain_transformer(loaded: Checkpoint, engine: Engine, text: str, target: str) -> None:
    score = engine.score(ScoreRequest((Part(text=text),), target))
    assert score.bits == pytest.approx(naive(loaded, text, target), rel=1e-4, abs=1e-3)  # fp32 logits of size 30
    assert score.bytes == len(target.encode())
    assert score.tokens >= 1


@pytest.mark.parametrize(("text", "target"), CASES)
def test_a_warm_cache_changes_nothing(engine: Engine, text: str, target: str) -> None:
    first = engine.score(ScoreRequest((Part(text=text),), target))
    engine.score(ScoreRequest((Part(text=text + target),), "x"))
    again = engine.score(ScoreRequest((Part(text=text),), target))
    assert again.bits == pytest.approx(first.bits, rel=1e-4)


def test_what_cannot_be_otherwise_costs_nothing(engine: Engine) -> None:
    """Healing takes back "]" and only tokens that begin with it can follow: the target pays for its own text alone."""
    healed = engine.score(ScoreRequest((Part(text="items[0]"),), "\n"))
    plain = engine.score(ScoreRequest((Part(text="items[0]"),), "\n", heal=False))
    assert healed.tokens == plain.tokens + 1
    assert healed.bits >= 0


def test_an_empty_target(engine: Engine) -> None:
    score = engine.score(ScoreRequest((Part(text="x"),), ""))
    assert (score.bits, score.bytes, score.tokens) == (0.0, 0, 0)


def test_a_lone_surrogate_in_the_target(engine: Engine) -> None:
    assert engine.score(ScoreRequest((Part(text="x = '"),), "\ud800")).bytes == 1


def test_a_long_prompt_is_cut_to_leave_room_for_the_target(engine: Engine) -> None:
    parts = (Part(special="fim_middle"), Part(text=tiny.TEXT * 50, keep="end"))
    assert engine.score(ScoreRequest(parts, tiny.TEXT[:150])).bits > 0


def test_a_target_that_cannot_fit(engine: Engine) -> None:
    with pytest.raises(EngineError, match="the target takes"):
        engine.score(ScoreRequest((Part(text="x"),), tiny.TEXT * 5))


def test_a_cancelled_score(engine: Engine) -> None:
    with pytest.raises(Cancelled):
        engine.score(ScoreRequest((Part(text="x"),), "y"), lambda: True)
