"""Decoding and scoring with the n-gram caches against a plain loop that reruns the model and builds the caches anew."""

from __future__ import annotations

import dataclasses
import math
import random

import pytest
import torch

import assistant.model.engine as engine_module
from assistant.cancel import Cancelled
from assistant.model.checkpoint import Checkpoint, load
from assistant.model.engine import Engine
from assistant.model.mixture import Gate, Mixture, softmax
from assistant.model.ngrams import NgramModel
from assistant.types import Chunk, Finish, GenerateRequest, OpenFile, Part, ScoreRequest
from tests.assistant.model import oracle, tiny

VERBS = ("read", "write", "close", "open", "check", "count", "parse", "print")


def source(seed: int) -> str:
    """A class whose lines repeat within the file and across files, as real code's do."""
    rng, lines = random.Random(seed), ["class Reader:"]
    for verb in rng.sample(VERBS, 6) * 4:
        lines += [f"    def {verb}(self, path):", f"        return self.{verb}_lines(path, {rng.randrange(9)})", ""]
    return "\n".join(lines)


OTHERS = {f"/w/{number}.py": source(number) for number in range(1, 4)}
TEXT = source(0)
PLACES = [*range(700, 1000, 23), len(TEXT) - 1, len(TEXT)]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return load(tiny.build(tmp_path_factory.mktemp("wide") / "checkpoint", shape=tiny.config(context=1024)))


@pytest.fixture
def engine(loaded: Checkpoint) -> Engine:
    engine = Engine(loaded)
    for key, text in OTHERS.items():
        engine.caches.put(key, text)
    while engine.caches.work():
        pass
    return engine


def request(place: int, text: str = TEXT, **options: object) -> GenerateRequest:
    """With the prompt's own window smaller than the file."""
    above, below = text[:place], text[place:]
    parts = (Part(special="fim_suffix"), Part(text=below[:60]), Part(special="fim_middle"), Part(text=above[-90:]))
    usual = GenerateRequest(parts, 40, stop=("\n",), budget_ms=math.inf, file=OpenFile("/w/0.py", above, below))
    return dataclasses.replace(usual, **options)  # type: ignore[arg-type]


def said(engine: Engine, asked: GenerateRequest) -> tuple[str, list[float], Chunk]:
    chunks = list(engine.generate(asked))
    return "".join(c.text for c in chunks), [p for c in chunks for p in c.logprobs], chunks[-1]


class Plain:
    """The mixture without an engine: the whole model and all caches anew for every token."""

    def __init__(self, loaded: Checkpoint, others: dict[str, str]) -> None:
        self.loaded, self.tokenizer = loaded, loaded.tokenizer
        self.end = self.tokenizer.specials["end"]
        self.model, self.mixture = loaded.transformer(), Mixture(Gate.load(), self.end)
        self.others = others

    @torch.no_grad()
    def logs(self, file: OpenFile, ids: list[int], tail: bytes) -> torch.Tensor:
        """Natural logarithms [V] of what may follow, among what healing allows."""
        tokenizer, size = self.tokenizer, self.loaded.config.vocab_size
        workspace, open_file = NgramModel(size), NgramModel(size)
        for key, text in self.others.items():
            if key != file.key:
                workspace.add(key, tokenizer.encode(text))
        below = tokenizer.encode(file.below[: file.below.rfind("\n") + 1] or file.below)
        open_file.add(0, tokenizer.heal(file.above)[0])
        open_file.add(1, below)
        usual = oracle.allowed(tokenizer, b"", size)
        logits = self.model(torch.tensor([ids]))[0, -1].masked_fill(~usual, -torch.inf)
        matches = workspace.look_up(ids), open_file.look_up(ids)
        probs = torch.from_numpy(self.mixture.mix(softmax(logits.numpy()), matches, below[0] if below else None))
        return torch.log_softmax(probs.log().masked_fill(~oracle.allowed(tokenizer, tail, size), -torch.inf), 0)

    def greedy(self, asked: GenerateRequest) -> tuple[str, list[float]]:
        """Up to the first newline."""
        assert asked.file is not None
        ids, tail = oracle.prompt(asked.parts, self.tokenizer, True)
        shown, logprobs = b"", list[float]()
        while b"\n" not in shown and len(logprobs) < asked.max_tokens:
            logs = self.logs(asked.file, ids, tail)
            token = int(logs.argmax())
            if token == self.end:
                break
            spelled = self.tokenizer.token_bytes[token]
            if len(spelled) > len(tail):
                logprobs.append(float(logs[token]))
            shown, tail, ids = shown + spelled[len(tail) :], tail[len(spelled) :], [*ids, token]
        return shown.decode().split("\n")[0], logprobs

    def bits(self, asked: ScoreRequest) -> float:
        assert asked.file is not None
        ids, tail = oracle.prompt(asked.parts, self.tokenizer, True)
        total = 0.0
        for token in self.tokenizer.encode(tail.decode() + asked.target):
            total -= float(self.logs(asked.file, ids, tail)[token]) / math.log(2)
            tail, ids = tail[len(self.tokenizer.token_bytes[token]) :], [*ids, token]
        return total


def test_decoding_equals_the_plain_loop_while_a_user_types(loaded: Checkpoint, engine: Engine) -> None:
    """One engine for all places, so its caches and slots are those of the places before."""
    plain, alone = Plain(loaded, OTHERS), Engine(loaded)
    different = 0
    for place in PLACES:
        asked = request(place)
        text, logprobs, last = said(engine, asked)
        want, wanted = plain.greedy(asked)
        assert text == want
        assert logprobs == pytest.approx(wanted[: len(logprobs)], abs=2e-3)  # fp32 logits of size 30
        assert last.finish in (Finish.STOP, Finish.END, Finish.LENGTH)
        different += said(alone, dataclasses.replace(asked, file=None))[0] != text
    assert different > len(PLACES) // 2


@pytest.mark.usefixtures("untimed")
def test_drafts_change_no_token(loaded: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """240 prompts, each step by step and with drafts: the same text and end in fewer passes, probabilities but for rounding."""
    passes = {0: 0, 4: 0}
    said_by = {}
    for most in passes:
        steps: list[int] = []
        monkeypatch.setattr(engine_module, "DRAFTED", most)
        fresh = Engine(loaded, count_step=lambda steps=steps: steps.append(1))  # type: ignore[misc]
        for key, text in OTHERS.items():
            fresh.caches.put(key, text)
        while fresh.caches.work():
            pass
        said_by[most] = [
            said(fresh, request(place, max_tokens=limit, stop=stop))
            for place in range(300, 900, 10)
            for limit, stop in ((1, ()), (9, ()), (40, ("\n",)), (40, ("ret", "(pa")))
        ]
        passes[most] = len(steps)
    assert len(said_by[0]) == 240
    for plain, drafted in zip(said_by[0], said_by[4], strict=True):
        assert (drafted[0], drafted[2].finish) == (plain[0], plain[2].finish)
        assert drafted[1] == pytest.approx(plain[1], abs=2e-3)
    assert passes[4] < passes[0] * 0.7


def test_a_context_filled_by_drafts_ends_where_it_ends_without(loaded: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    line = "    total = total + value_of(item)\n"
    asked = GenerateRequest((Part(text=line * 300, keep="end"),), 900, budget_ms=math.inf, file=OpenFile("k", line * 300, ""))
    ends = []
    for most in (0, 4):
        monkeypatch.setattr(engine_module, "DRAFTED", most)
        text, logprobs, last = said(Engine(loaded), asked)
        ends.append((text, len(logprobs), last.finish))
    assert ends[0] == ends[1]
    assert ends[0][2] is Finish.LENGTH


def test_scores_equal_the_plain_loop(loaded: Checkpoint, engine: Engine) -> None:
    plain, alone = Plain(loaded, OTHERS), Engine(loaded)
    saved = 0.0
    for place in PLACES[::3]:
        asked, target = request(place), TEXT[place:].split("\n")[0]
        score = engine.score(ScoreRequest(asked.parts, target, file=asked.file))
        assert score.bits == pytest.approx(plain.bits(ScoreRequest(asked.parts, target, file=asked.file)), rel=1e-3, abs=2e-3)
        saved += alone.score(ScoreRequest(asked.parts, target)).bits - score.bits
    assert saved > 0


def test_without_a_file_the_model_speaks_alone_whatever_was_learnt(loaded: Checkpoint, engine: Engine) -> None:
    alone = Engine(loaded)
    said(engine, request(800))
    for place in PLACES[:4]:
        asked = request(place, file=None)
        assert said(engine, asked)[:2] == said(alone, asked)[:2]
        score = ScoreRequest(asked.parts, "self.read_lines(path, 1)")
        assert engine.score(score) == alone.score(score)


def test_a_file_that_matches_nothing_changes_nothing(loaded: Checkpoint) -> None:
    mixed, alone = Engine(loaded), Engine(loaded)
    asked = request(800)
    strange = dataclasses.replace(asked, file=OpenFile("k", "", ""))
    assert said(mixed, strange)[:2] == said(alone, dataclasses.replace(asked, file=None))[:2]


def test_sampling_draws_from_the_mixture(loaded: Checkpoint, engine: Engine) -> None:
    """At a low temperature it says what greedy says, and reports the mixture's probabilities."""
    for place in PLACES[:6]:
        cold = said(engine, request(place, temperature=0.001))
        greedy = said(engine, request(place))
        assert cold[0] == greedy[0]
        assert cold[1] == pytest.approx(greedy[1], abs=2e-3)
    drawn = {said(engine, request(800, temperature=1.5, seed=seed))[0] for seed in range(5)}
    assert len(drawn) > 1
    assert said(engine, request(800, temperature=1.5))[0] == said(engine, request(800, temperature=1.5))[0]


def test_a_workspace_that_knows_the_line_says_it(loaded: Checkpoint) -> None:
    """The random model knows nothing; the caches alone can."""
    engine = Engine(loaded)
    line = "    configuration = load_configuration(folder, strict=True)\n"
    typed = "    configuration = load"
    asked = GenerateRequest((Part(text=typed),), 60, stop=("\n",), budget_ms=math.inf, file=OpenFile("/new.py", typed, ""))
    engine.caches.put("/other.py", line * 3)
    before = said(engine, asked)[0]
    while engine.caches.work():
        pass
    assert said(engine, asked)[0] == "_configuration(folder, strict=True)"
    assert before != "_configuration(folder, strict=True)"
    engine.caches.drop("/other.py")
    assert said(engine, asked)[0] == before


def test_a_cancel_is_seen_in_a_mixed_decode_and_a_mixed_score(loaded: Checkpoint, engine: Engine) -> None:
    passes: list[int] = []
    counting = Engine(loaded, count_step=lambda: passes.append(1))
    chunks = list(counting.generate(request(800), lambda: len(passes) >= 3))
    assert chunks[-1].finish is Finish.CANCELLED
    assert len(passes) == 3
    with pytest.raises(Cancelled):
        counting.score(ScoreRequest(request(800).parts, "x", file=request(800).file), lambda: True)


@pytest.mark.parametrize("text", ["", "\ud800\x00" * 50, "x" * 3_000_000, "\n" * 100_000, "a = 1\n" * 200_000], ids=str.__len__)
def test_any_text_as_open_file_and_as_document(loaded: Checkpoint, engine: Engine, text: str) -> None:
    engine.caches.put("\ud800", text)
    while engine.caches.work():
        pass
    asked = request(800, file=OpenFile("\x00", text, text), max_tokens=4)
    assert said(engine, asked)[2].finish is not None
    assert engine.score(ScoreRequest(asked.parts, "return", file=asked.file)).bits < 1000
    engine.caches.drop("\ud800")
    engine.caches.drop("never")
