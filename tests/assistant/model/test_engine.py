"""The engine against its oracle, and everything that can end an answer."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch

from assistant.model.checkpoint import Checkpoint
from assistant.model.engine import PREFILL_CHUNK, Engine
from assistant.types import Chunk, EngineError, Finish, GenerateRequest, Part
from tests.assistant.model import oracle, tiny

CODE = tiny.TEXT
FIM = (Part(special="file"), Part(text="a.py\n"), Part(special="fim_suffix"), Part(text="\n\nx = 1\n", keep="start"))
PROMPTS: dict[str, tuple[Part, ...]] = {
    "a word begun": (Part(text="def fir"),),
    "a finished line": (Part(text="import os\n"),),
    "indentation": (Part(text="class Reader:\n    def __init__(self):\n        "),),
    "suffix first": (*FIM, Part(special="fim_middle"), Part(text="class Reader:\n    def re", keep="end")),
    "empty prefix": (*FIM, Part(special="fim_middle"), Part(text="", keep="end")),
    "empty suffix": (Part(special="fim_suffix"), Part(text="", keep="start"), Part(special="fim_middle"), Part(text="x = ")),
    "nothing at all": (),
    "specials spelled out": (Part(text="s = '<|end|><|fim_middle|>' + '<|e"),),
    "emoji and accents": (Part(text="s = 'é😀 caf"),),
    "a lone surrogate": (Part(text="s = '\ud83d"),),
    "CRLF": (Part(text="import os\r\ndef fi"),),
    "a digit": (Part(text="x = 12"),),
    "tabs": (Part(text="def f():\n\t\tretu"),),
    "three passes": (Part(text=tiny.STRANGE[:180]),),
    "a long last piece": (Part(text="x = '" + "=" * 60),),
}


@pytest.fixture
def engine(loaded: Checkpoint) -> Engine:
    return Engine(loaded)


def request(parts: tuple[Part, ...], count: int = 12, **rest: Any) -> GenerateRequest:
    return dataclasses.replace(GenerateRequest(parts, count, budget_ms=60_000), **rest)


def run(engine: Engine, asked: GenerateRequest, cancelled: Callable[[], bool] = lambda: False) -> tuple[str, Chunk]:
    """The whole text and the last chunk, with the log-probabilities of all."""
    chunks = list(engine.generate(asked, cancelled))
    assert [c.finish for c in chunks[:-1]] == [None] * (len(chunks) - 1)
    logprobs = tuple(itertools.chain.from_iterable(c.logprobs for c in chunks))
    return "".join(c.text for c in chunks), dataclasses.replace(chunks[-1], logprobs=logprobs)


def expected(loaded: Checkpoint, asked: GenerateRequest) -> oracle.Expected:
    ids, tail = oracle.prompt(asked.parts, loaded.tokenizer, asked.heal)
    return oracle.greedy(loaded.transformer(), loaded.tokenizer, ids, tail, asked.max_tokens)


def assert_same(loaded: Checkpoint, engine: Engine, asked: GenerateRequest) -> Chunk:
    want = expected(loaded, asked)
    text, last = run(engine, asked)
    assert text == want.text
    shown = want.logprobs[: len(last.logprobs)]  # the last may be half a character, which is not shown
    assert len(want.logprobs) - len(shown) <= 3
    assert last.logprobs == pytest.approx(shown, abs=1e-3)  # logits of size 30 in fp32, twice: 1e-5 relative each
    return last


@pytest.mark.parametrize("heal", [True, False], ids=["healed", "not healed"])
@pytest.mark.parametrize("parts", PROMPTS.values(), ids=PROMPTS.keys())
def test_equals_the_plain_transformer(loaded: Checkpoint, engine: Engine, parts: tuple[Part, ...], heal: bool) -> None:
    last = assert_same(loaded, engine, request(parts, heal=heal))
    assert last.finish is Finish.LENGTH


def test_equals_it_key_by_key_over_a_warm_cache(loaded: Checkpoint, engine: Engine) -> None:
    head = (*FIM, Part(special="fim_middle"))
    for end in range(150, 190):
        last = assert_same(loaded, engine, request((*head, Part(text=CODE[:end], keep="end")), 4))
        if end > 150:
            assert last.prompt_tokens - last.reused_tokens <= 2


def test_equals_it_after_deleting_and_retyping(loaded: Checkpoint, engine: Engine) -> None:
    for text in (CODE[:200], CODE[:120], CODE[:120] + " + items", CODE[:200], "import os\n", CODE[:201]):
        assert_same(loaded, engine, request((Part(text=text),), 6))


def test_equals_it_after_a_pass_was_abandoned_between_layers(loaded: Checkpoint, engine: Engine) -> None:
    asked = request((Part(text=tiny.STRANGE[:180]),), 6)
    for stop in range(1, 12):
        checks = iter(range(stop, -1, -1))  # the check that sees 0 cancels
        assert run(engine, asked, lambda checks=checks: next(checks) == 0)[1].finish is Finish.CANCELLED  # type: ignore[misc]
    assert_same(loaded, engine, asked)


def test_the_same_request_twice_runs_one_prompt_token(loaded: Checkpoint, engine: Engine) -> None:
    asked = request((Part(text=CODE[:100]),), 5)
    first, second = run(engine, asked), run(engine, asked)
    assert first[0] == second[0]
    assert second[1].reused_tokens == second[1].prompt_tokens - 1


def test_no_special_token_is_ever_text(loaded: Checkpoint) -> None:
    """Make every special token but the end the likeliest by far: none may be chosen."""
    weights = dict(loaded.weights)
    weights["embed.weight"] = loaded.weights["embed.weight"].copy()
    engine = Engine(dataclasses.replace(loaded, weights=weights))
    plain, _ = run(engine, request((Part(text="def f"),), 8))
    weights["embed.weight"][1:32] = weights["embed.weight"][40:71] * 100
    loud = Engine(dataclasses.replace(loaded, weights=weights))
    text, last = run(loud, request((Part(text="def f"),), 8))
    assert text == plain
    assert last.finish is Finish.LENGTH


def test_the_end_token_ends_the_answer(loaded: Checkpoint) -> None:
    asked = request((Part(text="def fir"),), 12)
    plain = expected(loaded, asked)
    weights = dict(loaded.weights)
    weights["embed.weight"] = loaded.weights["embed.weight"].copy()
    weights["embed.weight"][0] = weights["embed.weight"][plain.ids[5]] * 2
    quick = dataclasses.replace(loaded, weights=weights)
    want = expected(quick, asked)
    text, last = run(Engine(quick), asked)
    assert want.ended
    assert last.finish is Finish.END
    assert text == want.text
    assert plain.text.startswith(text)


def test_stop_texts_end_the_answer_before_themselves(loaded: Checkpoint, engine: Engine) -> None:
    asked = request((Part(text="def fir"),), 12)
    text, _ = run(engine, asked)
    for stop in (text[3:5], text[-1:], text[:1]):
        cut, last = run(engine, dataclasses.replace(asked, stop=("never there", stop)))
        assert cut == text[: text.index(stop)]
        assert last.finish is Finish.STOP


def test_a_rows_vocabulary_beyond_the_tokenizer_is_never_chosen(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A padded embedding: its last rows have no text."""
    from assistant.model import checkpoint, saving

    folder = tmp_path_factory.mktemp("padded")
    shape = tiny.config(vocab_size=512)
    file = tiny.tokenizer(folder / "tokenizer.json", 384)
    model = tiny.model(shape)
    with torch.no_grad():
        model.embed.weight[384:] *= 50
    saving.save(folder, model, file, name="padded", special_tokens=tiny.SPECIALS, quantization="none")
    text, last = run(Engine(checkpoint.load(folder)), request((Part(text="def fir"),), 8))
    assert len(last.logprobs) == 8
    assert text


def test_sampling_is_reproducible_and_takes_its_seed(engine: Engine) -> None:
    asked = request((Part(text="def fir"),), 12, temperature=1.5, top_p=0.99)
    assert run(engine, asked)[0] == run(engine, asked)[0]
    assert len({run(engine, dataclasses.replace(asked, seed=seed))[0] for seed in range(5)}) > 1


def test_the_context_is_filled_and_no_further(loaded: Checkpoint, engine: Engine) -> None:
    asked = request((Part(text=CODE[:100]),), 10_000)
    _, last = run(engine, asked)
    assert last.finish is Finish.LENGTH
    # The last token chosen is never run; healing's respelling takes positions too.
    assert engine.context - 8 <= last.prompt_tokens + len(last.logprobs) <= engine.context + 1


@pytest.mark.parametrize("keep", ["start", "end"])
def test_a_document_longer_than_the_context(engine: Engine, keep: str) -> None:
    _, last = run(engine, request((Part(special="fim_middle"), Part(text=CODE * 500, keep=keep)), 8))
    assert last.finish is Finish.LENGTH
    assert last.prompt_tokens <= engine.context * 7 // 8


def test_typing_in_a_long_document_still_hits_the_cache(engine: Engine) -> None:
    hits = 0
    for end in range(40):
        parts = (Part(special="fim_middle"), Part(text=CODE * 20 + CODE[:end], keep="end"))
        _, last = run(engine, request(parts, 2))
        hits += last.prompt_tokens - last.reused_tokens <= 8
    assert hits >= 37  # the first one, and at most two moves of the cut


def test_no_tokens_asked_for_still_warms_the_cache(engine: Engine) -> None:
    parts = (Part(text=CODE[:200]),)
    text, last = run(engine, request(parts, 0))
    assert (text, last.finish) == ("", Finish.LENGTH)
    assert run(engine, request(parts, 3))[1].reused_tokens == last.prompt_tokens - 1


def test_a_fixed_prompt_that_cannot_fit_is_an_error(engine: Engine) -> None:
    with pytest.raises(EngineError, match="only 224 fit"):
        run(engine, request((Part(text=CODE * 10),)))
    assert run(engine, request((Part(text="def f"),), 3))[0]


class Clock:
    """Seconds that pass only when the engine runs a pass."""

    def __init__(self, step: float) -> None:
        self.now, self._step = 100.0, step

    def __call__(self) -> float:
        return self.now

    def tick(self) -> None:
        self.now += self._step


def clocked(loaded: Checkpoint, step: float) -> Engine:
    clock = Clock(step)
    return Engine(loaded, clock=clock, count_step=clock.tick)


def test_the_budget_cuts_the_answer_short(loaded: Checkpoint, engine: Engine) -> None:
    asked = request((Part(text="import os\n"),), 12)
    text, last = run(clocked(loaded, 0.010), dataclasses.replace(asked, budget_ms=45))
    whole, _ = run(engine, asked)
    assert last.finish is Finish.BUDGET
    assert len(last.logprobs) == 5  # a token from each of five passes of 10 ms: the fifth began at 40
    assert whole.startswith(text) or text == whole[: len(text)]
    assert last.prefill_ms == pytest.approx(10)
    assert last.decode_ms == pytest.approx(40)


def test_a_budget_spent_in_prefill_answers_nothing_but_keeps_the_work(loaded: Checkpoint) -> None:
    engine = clocked(loaded, 0.010)
    asked = request((Part(text=tiny.STRANGE[:180]),), 12)
    text, last = run(engine, dataclasses.replace(asked, budget_ms=15))
    assert (text, last.finish) == ("", Finish.BUDGET)
    assert run(engine, asked)[1].reused_tokens == 2 * PREFILL_CHUNK


@pytest.mark.parametrize("budget", [0, -5])
def test_no_budget_runs_nothing(loaded: Checkpoint, budget: float) -> None:
    steps: list[int] = []
    engine = Engine(loaded, count_step=lambda: steps.append(1))
    text, last = run(engine, request((Part(text="def f"),), budget_ms=budget))
    assert (text, last.finish) == ("", Finish.BUDGET)
    assert steps == []


def test_the_budget_runs_from_receipt(loaded: Checkpoint) -> None:
    engine = clocked(loaded, 0.010)
    chunks = list(engine.generate(request((Part(text="def f"),), budget_ms=50), received=99.9))
    assert chunks[-1].finish is Finish.BUDGET
    assert len(chunks) == 1


def test_after_a_cancel_no_further_pass_begins(loaded: Checkpoint) -> None:
    passes = 0
    stop_at = 7

    def count() -> None:
        nonlocal passes
        passes += 1

    engine = Engine(loaded, count_step=count)
    _, last = run(engine, request((Part(text="def f"),), 100), lambda: passes >= stop_at)
    assert last.finish is Finish.CANCELLED
    assert passes == stop_at


def test_prefill_runs_in_passes_of_at_most_a_chunk(loaded: Checkpoint) -> None:
    passes = 0

    def count() -> None:
        nonlocal passes
        passes += 1

    engine = Engine(loaded, count_step=count)
    _, last = run(engine, request((Part(text=tiny.STRANGE[:180]),), 0))
    assert passes == -(-last.prompt_tokens // PREFILL_CHUNK) >= 3
