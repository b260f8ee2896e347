"""The compiled look-up and choice say what numpy's say: on documents of chance, fresh and sorted, dead, and left out."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest

from assistant.model import fused, ngrams
from assistant.model.caches import Hole
from assistant.model.checkpoint import Checkpoint, load
from assistant.model.engine import Engine
from assistant.model.mixture import Gate, Mixture, softmax
from assistant.model.ngrams import NOTHING, NgramModel
from assistant.model.pace import Pace
from assistant.model.quick import Quick
from assistant.types import GenerateRequest, OpenFile, Part
from kernels.decode import choose, lookup, step
from tests.assistant.model import tiny

GATE = Gate.load()


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    step.compile_now()


def ids(rng: random.Random, vocabulary: int, length: int) -> list[int]:
    """Half of them of a dozen tokens, so that contexts come again; never the last token of the vocabulary."""
    return [rng.randrange(vocabulary - 1 if rng.random() < 0.5 else min(12, vocabulary - 1)) for _ in range(length)]


def filled(rng: random.Random, vocabulary: int, monkeypatch: pytest.MonkeyPatch) -> tuple[NgramModel, list[list[int]]]:
    """Some documents sorted, some not, one perhaps gone."""
    model = NgramModel(vocabulary)
    documents = [ids(rng, vocabulary, rng.choice((0, 1, 5, 200, 4000, 12000))) for _ in range(rng.randrange(1, 9))]
    for key, document in enumerate(documents):
        model.add(key, document)
        monkeypatch.setattr(ngrams, "FRESH", 1 if rng.random() < 0.3 else 10**9)
        while model.work():
            pass
    if rng.random() < 0.5:
        model.remove(rng.randrange(len(documents)))
    return model, documents


@pytest.mark.parametrize("seed", range(12))
def test_a_look_up_is_the_reference_s(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    vocabulary = rng.choice((40, 70, 300, 8192))
    model, documents = filled(rng, vocabulary, monkeypatch)
    quick, without = Quick(vocabulary), rng.choice((None, 0, 1))
    laid, found = quick.lay(model, without), 0
    for _ in range(60):
        document = rng.choice(documents)
        at = rng.randrange(len(document) + 1)
        context = document[max(0, at - rng.randrange(1, 14)) : at] if rng.random() < 0.8 else ids(rng, vocabulary, 6)
        right = model.look_up(context, without)
        said = quick.look_up(laid, quick.tokens(context[-12:]))
        found += bool(right)
        assert (said.length, said.times, said.kinds, said.top) == (right.length, right.times, right.kinds, right.top)
        assert np.array_equal(said.ids, right.ids)
        np.testing.assert_allclose([*said.probs, said.rest, said.likely], [*right.probs, right.rest, right.likely], 1e-12)
    assert found or sum(map(len, documents)) < 200


def test_what_no_document_can_hold_is_not_found() -> None:
    model, quick = NgramModel(50), Quick(50)
    model.add("a", [1, 2, 3])
    laid = quick.lay(model)
    for context in ([60], [2, -1], [1, 2, 50], []):
        assert quick.look_up(laid, quick.tokens(context)) is NOTHING
    assert quick.look_up(quick.lay(None), quick.tokens([1])) is NOTHING
    for context in ([60, 1], [1, 2], [70, -1, 1, 2]):
        assert quick.look_up(laid, quick.tokens(context)).top == model.look_up(context).top == context[-1] + 1


@pytest.mark.parametrize("seed", range(6))
def test_the_choice_is_the_mixture_s(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng, chance = random.Random(seed), np.random.default_rng(seed)
    vocabulary = rng.choice((70, 301, 8192))
    mixture, quick = Mixture(GATE, vocabulary - 1), Quick(vocabulary)
    model, documents = filled(rng, vocabulary, monkeypatch)
    contexts = [document[:at] for document in documents if document for at in (3, len(document) // 2)]
    for context in [*contexts, [0], [1]] * 4:
        matches = model.look_up(context), rng.choice((NOTHING, model.look_up([rng.randrange(vocabulary)])))
        logits = (chance.normal(size=vocabulary) * rng.choice((1, 3, 6))).astype(np.float32)
        allowed = np.zeros(vocabulary, np.float32)
        allowed[chance.integers(0, vocabulary - 1, 3)] = -np.inf
        closing = rng.choice((None, *matches[0].ids[:1].tolist(), 7))
        mixed = mixture.mix(softmax(logits + allowed), matches, closing)
        token, logprob = quick.choose(logits, allowed, mixture, matches, closing)
        assert mixed[token] >= mixed.max() * (1 - 1e-3)  # the gate's numbers have 32 bits, and near ties may go either way
        assert logprob == pytest.approx(float(np.log(mixed[token])), abs=2e-3)
        if mixed.max() > 1.01 * np.partition(mixed, -2)[-2]:
            assert token == int(mixed.argmax())


def test_the_first_of_equals_is_taken_in_the_last_odd_tokens_too() -> None:
    quick, mixture = Quick(37), Mixture(GATE, 36)
    for first, second in ((3, 19), (33, 35), (5, 34), (16, 32)):
        logits = np.zeros(37, np.float32)
        logits[[first, second]] = 9.0
        assert quick.likeliest(logits, np.zeros(37, np.float32), mixture)[0] == first


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return load(tiny.build(tmp_path_factory.mktemp("quick") / "checkpoint", shape=tiny.config(context=512)))


TEXT = "".join(f"    def read_{n % 7}(self, path):\n        return self.lines(path, {n % 5})\n\n" for n in range(40))


def answers(
    loaded: Checkpoint, drafts: bool, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[tuple[str, tuple[float, ...]]], int]:
    """What an engine on the fused step says at some cursors, and in how many passes."""
    passes = [0]

    def count() -> None:
        passes[0] += 1

    engine = Engine(loaded, runner=fused.load(loaded, wait=True), count_step=count)
    if not drafts:
        monkeypatch.setattr(Pace, "length", lambda self: 0)
    found = []
    for place in range(600, 1400, 61):
        file = OpenFile("/w/0.py", TEXT[:place], TEXT[place:])
        asked = GenerateRequest((Part(text=TEXT[place - 90 : place]),), 24, budget_ms=1e9, file=file)
        chunks = [chunk for request in (asked, dataclasses.replace(asked, seed=1)) for chunk in engine.generate(request)]
        found.append(("".join(chunk.text for chunk in chunks), tuple(p for chunk in chunks for p in chunk.logprobs)))
    monkeypatch.undo()
    return found, passes[0]


@pytest.mark.usefixtures("untimed")
def test_drafts_change_no_bit_of_an_answer(loaded: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    alone, slowly = answers(loaded, False, monkeypatch)
    drafted, passes = answers(loaded, True, monkeypatch)
    assert drafted == alone
    assert passes < slowly
    # What is given fits what was compiled ahead: anything else would be compiled in the middle of a request.
    assert (len(lookup.look_up.signatures), len(choose.choose.signatures)) == (1, 1)


def test_compiled_or_not_the_caches_choose_the_same(loaded: Checkpoint) -> None:
    """One hole, walked with the logits of chance."""
    engine, chance = Engine(loaded), np.random.default_rng(0)
    file, allowed = OpenFile("/w/0.py", TEXT[:900], TEXT[900:]), np.zeros(loaded.config.vocab_size, np.float32)
    plain, quick = engine.caches.enter(file), engine.caches.enter(file, Quick(loaded.config.vocab_size))
    context = engine.tokenizer.encode(TEXT[:900])
    for _ in range(60):
        logits = (chance.normal(size=loaded.config.vocab_size) * 2).astype(np.float32)
        (token, logprob), (other, second) = (hole.choose(logits, allowed, context) for hole in (plain, quick))
        assert token == other
        assert logprob == pytest.approx(second, abs=1e-4)
        assert plain.draft(context, 4) == quick.draft(context, 4)
        context.append(token if chance.random() < 0.5 else context[-int(chance.integers(1, 40))])
    assert isinstance(quick, Hole)
