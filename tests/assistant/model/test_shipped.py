"""The model that comes with Sotto: the engine runs it exactly, and healing does for it what healing is for."""

from __future__ import annotations

import pytest

from assistant.model import checkpoint
from assistant.model.checkpoint import Checkpoint
from assistant.model.engine import Engine
from assistant.types import GenerateRequest, Part, ScoreRequest
from tests.assistant.model import oracle

WORDS = [
    ("def first(items):\n    retur", "n"),
    ("try:\n    import json\nexcept Impo", "rtError"),
    ("for i in rang", "e("),
]


@pytest.fixture(scope="module")
def shipped() -> Checkpoint:
    return checkpoint.load(checkpoint.default_folder())


@pytest.fixture(scope="module")
def engine(shipped: Checkpoint) -> Engine:
    return Engine(shipped)


def suffix_first(before: str, after: str = "\n") -> tuple[Part, ...]:
    return (
        Part(special="file"),
        Part(text="reader.py\n"),
        Part(special="fim_prefix"),
        Part(special="fim_suffix"),
        Part(text=after, keep="start"),
        Part(special="fim_middle"),
        Part(text=before, keep="end"),
    )


def complete(engine: Engine, before: str, count: int = 16, heal: bool = True) -> str:
    request = GenerateRequest(suffix_first(before), count, heal=heal, stop=("\n",), budget_ms=60_000)
    return "".join(chunk.text for chunk in engine.generate(request))


@pytest.mark.parametrize(("before", "begins"), WORDS)
def test_a_word_begun_is_finished(engine: Engine, before: str, begins: str) -> None:
    assert complete(engine, before).startswith(begins)


@pytest.mark.parametrize(("before", "begins"), WORDS)
def test_healing_makes_the_rest_of_a_word_likely(engine: Engine, before: str, begins: str) -> None:
    """Without it the model must believe that the writer's word ended where the cursor stands."""
    healed = engine.score(ScoreRequest(suffix_first(before), begins))
    broken = engine.score(ScoreRequest(suffix_first(before), begins, heal=False))
    assert healed.bits < broken.bits - 2


@pytest.mark.parametrize("before", [before for before, _ in WORDS])
def test_the_engine_equals_the_plain_transformer(shipped: Checkpoint, engine: Engine, before: str) -> None:
    ids, tail = oracle.prompt(suffix_first(before), shipped.tokenizer, heal=True)
    want = oracle.greedy(shipped.transformer(), shipped.tokenizer, ids, tail, 12)
    assert complete(engine, before, 12) == want.text.partition("\n")[0]


def test_it_is_small_enough_for_the_repository() -> None:
    assert sum(file.stat().st_size for file in checkpoint.default_folder().iterdir()) < 12_000_000
