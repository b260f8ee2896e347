"""The engine on the fused int8 step: what it says does not depend on drafts, on the cache, or on how a prompt was cut."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
import pytest
import torch

pytest.importorskip("numba")

from assistant.cancel import Cancelled
from assistant.model import checkpoint, fused
from assistant.model.checkpoint import Checkpoint
from assistant.model.engine import Engine
from assistant.model.fused import FusedRunner
from assistant.model.runner import Runner
from assistant.types import Chunk, Finish, GenerateRequest, OpenFile, Part
from tests.assistant.model import tiny

SOURCE = "\n".join(
    f"    def {verb}_{noun}(self, {noun}):\n        return self.{verb}({noun}, {i})\n"
    for i, (verb, noun) in enumerate((v, n) for v in ("read", "write", "check") for n in ("path", "line", "name", "block"))
)


@pytest.fixture(scope="module")
def shipped() -> Checkpoint:
    return checkpoint.load(checkpoint.default_folder())


def engine(loaded: Checkpoint) -> Engine:
    runner = fused.load(loaded, wait=True)
    assert runner is not None
    return Engine(loaded, runner=runner)


def ask(place: int, text: str = SOURCE, file: bool = True, tokens: int = 24) -> GenerateRequest:
    above, below = text[:place], text[place:]
    parts = (Part(special="fim_prefix"), Part(special="fim_suffix"), Part(text=below, keep="start"), Part(special="fim_middle"))
    whole = (*parts, Part(text=above, keep="end"))
    return GenerateRequest(
        whole, tokens, stop=("\n",), budget_ms=math.inf, file=OpenFile("/w/a.py", above, below) if file else None
    )


def said(made: Engine, request: GenerateRequest) -> tuple[str, list[float], Chunk]:
    chunks = list(made.generate(request))
    return "".join(c.text for c in chunks), [p for c in chunks for p in c.logprobs], chunks[-1]


def test_a_warm_cache_and_a_fresh_one_say_the_same_to_the_last_bit(shipped: Checkpoint) -> None:
    """Typing, going back, and editing above: the slot holds parts of other prompts all the time."""
    warm, rng = engine(shipped), random.Random(3)
    text = SOURCE
    for _ in range(25):
        place = rng.randrange(40, len(text))
        if rng.random() < 0.5:
            text = text[:place] + rng.choice(("x", " = 1", "\n", "(path")) + text[place:]
        request = ask(place, text)
        fresh = engine(shipped)
        assert said(warm, request)[:2] == said(fresh, request)[:2]


@pytest.mark.usefixtures("untimed")
def test_drafts_change_nothing_but_the_number_of_passes(shipped: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = {"drafting": 0, "plain": 0}

    def counted(name: str) -> Engine:
        def count() -> None:
            passes[name] += 1

        return Engine(shipped, runner=fused.load(shipped, wait=True), count_step=count)

    drafting, plain = counted("drafting"), counted("plain")
    monkeypatch.setattr(plain, "_draft", lambda *_: [])
    plain.exit_drafts = None
    for place in range(60, len(SOURCE) - 1, 11):
        request = ask(place)
        one, two = said(drafting, request), said(plain, request)
        assert one[:2] == two[:2]
        assert one[2].finish == two[2].finish
    assert passes["drafting"] < passes["plain"]


def test_adversarial_drafts_change_nothing(shipped: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, attacked, rng = engine(shipped), engine(shipped), random.Random(9)
    monkeypatch.setattr(plain, "_draft", lambda *_: [])
    plain.exit_drafts = None
    vocabulary = [i for i, spelled in enumerate(shipped.tokenizer.token_bytes) if spelled]

    def nonsense(_hole: object, ids: list[int], request: GenerateRequest, output: object) -> list[int]:
        room = min(rng.randrange(8), attacked.context - len(ids), request.max_tokens - output.tokens - 1)  # type: ignore[attr-defined]
        return rng.choices(vocabulary, k=max(0, room))

    monkeypatch.setattr(attacked, "_draft", nonsense)
    for place in range(60, len(SOURCE) - 1, 29):
        request = ask(place)
        assert said(attacked, request)[:2] == said(plain, request)[:2]


def test_it_says_what_the_plain_runner_says_but_for_rounding(shipped: Checkpoint) -> None:
    """Activations of eight bits may turn a near tie; nine answers of ten are the same text."""
    ours, plain = engine(shipped), Engine(shipped)
    places = range(60, len(SOURCE) - 1, 17)
    same = sum(said(ours, ask(place, file=False))[0] == said(plain, ask(place, file=False))[0] for place in places)
    assert same >= 0.9 * len(places)


def test_every_shape_that_fits_follows_its_transformer() -> None:
    shape = tiny.config()
    model = tiny.model(shape)
    assert fused.fits(shape)
    ours, plain = FusedRunner(shape, model.state_dict()), Runner(shape, model.state_dict())
    ids = torch.randint(0, shape.vocab_size, (60,), generator=torch.Generator().manual_seed(1)).tolist()
    found = ours.logits(ids, ours.context(), never, rows=60)
    expected = plain.logits(ids, plain.context(), never, rows=60)
    spread = expected.std()
    assert np.abs(found - expected).mean() < 0.05 * spread  # weights and activations in 127 levels each


def test_a_cancel_is_seen_before_the_pass_and_between_layers(shipped: Checkpoint) -> None:
    runner = fused.load(shipped, wait=True)
    assert runner is not None
    slot = runner.context()
    with pytest.raises(Cancelled):
        runner.logits([5, 6], slot, lambda: True)

    class Late:
        """Not cancelled when Python asks; the word says otherwise to the compiled code."""

        word, number = np.array([4], np.int64), 4

        def __call__(self) -> bool:
            return False

    with pytest.raises(Cancelled):
        runner.logits([5, 6], slot, Late())
    assert slot.length == 0


def test_changing_the_runner_between_requests_keeps_the_engine_right(shipped: Checkpoint) -> None:
    made, fresh = Engine(shipped), engine(shipped)
    said(made, ask(200))
    runner = fused.load(shipped, wait=True)
    assert runner is not None
    made.use(runner)
    text, logprobs, last = said(made, ask(200))
    assert (text, logprobs) == said(fresh, ask(200))[:2]
    assert last.reused_tokens == 0
    assert last.finish is not Finish.BUDGET


def test_without_machine_code_there_is_no_runner_yet(shipped: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    from kernels.decode import step

    monkeypatch.setattr(step, "is_compiled", lambda: False)
    assert fused.load(shipped) is None


never: Callable[[], bool] = lambda: False  # noqa: E731
