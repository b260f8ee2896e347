"""Drafts of an exit change no bit of an answer, are all right where the later layers add nothing, and rest where they cost."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("numba")

from assistant.model import fused, saving
from assistant.model.checkpoint import Checkpoint, load
from assistant.model.engine import Engine
from assistant.model.exit_drafts import ExitDrafts, share
from assistant.model.pace import AGAIN, BELIEVED, Pace
from assistant.types import Finish, GenerateRequest, OpenFile, Part
from tests.assistant.model import tiny

SHAPE = dataclasses.replace(tiny.config(context=512, layers=4), exits=(1, 3))
TEXT = "".join(f"    def read_{n % 7}(self, path):\n        return self.lines(path, {n % 5})\n\n" for n in range(30))
ASKED = GenerateRequest((Part(text=TEXT[:200]),), 40, heal=False, budget_ms=1e9)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return load(tiny.build(tmp_path_factory.mktemp("exits") / "checkpoint", shape=SHAPE))


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Behind its first exit no layer adds anything."""
    folder = tmp_path_factory.mktemp("idle") / "checkpoint"
    folder.mkdir()
    model = tiny.model(SHAPE)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith(("out.weight", "down.weight")) and not name.startswith("blocks.0."):
                weight.zero_()
    file = tiny.tokenizer(folder / "tokenizer.json", SHAPE.vocab_size)
    saving.save(folder, model, file, name="idle", special_tokens=tiny.SPECIALS, quantization="int8")
    return load(folder)


def said(checkpoint: Checkpoint, length: int, request: GenerateRequest, **options: object) -> tuple[str, list[float], int]:
    """The answer, its log-probabilities and the passes of whole depth, when every draft has ``length`` tokens."""
    passes = [0]

    def count() -> None:
        passes[0] += 1

    engine = Engine(checkpoint, runner=fused.load(checkpoint, wait=True), count_step=count, **options)  # type: ignore[arg-type]
    assert engine.exit_drafts is not None
    for pace in engine.exit_drafts._paces.values():
        pace.length = lambda: length  # type: ignore[method-assign]
    chunks = list(engine.generate(request))
    return "".join(c.text for c in chunks), [p for c in chunks for p in c.logprobs], passes[0]


@pytest.mark.parametrize("length", [1, 2, 4])
@pytest.mark.parametrize("file", [None, OpenFile("/w/a.py", TEXT[:200], TEXT[200:])])
@pytest.mark.parametrize("temperature", [0.0, 1.2])
def test_no_bit_of_an_answer_changes(loaded: Checkpoint, length: int, file: OpenFile | None, temperature: float) -> None:
    request = dataclasses.replace(ASKED, file=file, temperature=temperature, seed=3)
    assert said(loaded, length, request)[:2] == said(loaded, 0, request)[:2]


def test_exits_that_say_what_the_last_layer_says_save_passes(idle: Checkpoint) -> None:
    alone, drafted = (said(idle, length, ASKED) for length in (0, 4))
    assert drafted[:2] == alone[:2]
    assert drafted[2] < 0.4 * alone[2]


def test_a_pass_to_an_exit_is_the_pass_of_a_model_with_so_many_layers(loaded: Checkpoint, tmp_path: Path) -> None:
    whole, ids = fused.load(loaded, wait=True), loaded.tokenizer.encode(TEXT[:120])
    assert whole is not None
    slot = whole.context()
    whole.logits(ids, slot, lambda: False)
    slot.advance(ids)
    for depth in (1, 3):
        shape = dataclasses.replace(SHAPE, n_layers=depth, exits=())
        short = fused.FusedRunner(shape, loaded.weights)
        its = short.context()
        short.logits(ids, its, lambda: False)
        its.advance(ids)
        assert np.array_equal(whole.shallow(7, slot, len(ids), lambda: False, depth), short.logits([7], its, lambda: False)[0])


def test_a_cancel_while_an_exit_drafts_ends_the_answer_and_nothing_else(loaded: Checkpoint) -> None:
    engine = Engine(loaded, runner=fused.load(loaded, wait=True))
    assert engine.exit_drafts is not None
    for pace in engine.exit_drafts._paces.values():
        pace.length = lambda: 3  # type: ignore[method-assign]
    whole = [c.text for c in engine.generate(ASKED)]
    for after in range(2, 12, 3):
        word = np.zeros(1, np.int64)
        looks = 0

        class Cancel:
            number = 5

            def __init__(self, word: np.ndarray, after: int) -> None:
                self.word, self.after = word, after

            def __call__(self) -> bool:
                nonlocal looks
                looks += 1
                if looks >= self.after:
                    self.word[0] = self.number  # seen by the next pass, which is an exit's
                return False

        assert list(engine.generate(ASKED, Cancel(word, after)))[-1].finish is Finish.CANCELLED
        assert [c.text for c in engine.generate(ASKED)] == whole


class _Counted:
    def __init__(self) -> None:
        self.asked = 0

    def shallow(self, *_: object) -> np.ndarray:
        self.asked += 1
        return np.zeros(4, np.float32)


def test_exits_that_cost_more_than_they_save_are_tried_seldom(loaded: Checkpoint) -> None:
    runner, slot = _Counted(), Engine(loaded).open([1])
    drafts = ExitDrafts(runner, SHAPE)
    for _ in range(4000):
        ids, pace = drafts.draft(slot, [1], 9, lambda logits, ids: (0, 0.0), lambda: False)
        drafts.took(1 + len(ids), 1.0 + 0.9 * len(ids), pace)
        if pace is not None:
            pace.drafted(len(ids), 0)
    assert 0 < runner.asked < 40


def test_an_exit_s_share_of_a_pass() -> None:
    assert share(SHAPE, 4) == pytest.approx(1)
    assert share(SHAPE, 1) < share(SHAPE, 3) < 1


def test_a_costly_source_waits_longer_for_its_next_trial() -> None:
    waits = []
    for row in (0.05, 2.0):
        pace = Pace(2)
        for _ in range(BELIEVED):
            pace.took(1, 1.0)
            pace.took(2, 1.0 + row)
        for _ in range(40):
            pace.drafted(1, 0)
        lengths = [pace.length() for _ in range(3000)]
        waits.append(len(lengths) / max(1, sum(lengths)))
    assert waits[0] <= AGAIN + 1 < waits[1]
