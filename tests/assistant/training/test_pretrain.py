"""A run that is stopped, killed or extended ends where an unbroken one does; a bad state is refused, a good one kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from assistant.model.config import ModelConfig
from assistant.training import pretrain
from assistant.training.pretrain import CheckpointError, Recipe, Trainer
from assistant.training.rows import Rows, TokenStore

RECIPE = Recipe(tokens=12_000, batch_tokens=512, micro_tokens=256, length=64, long_length=128, compile=False)
Make = Callable[..., Trainer]


@pytest.fixture
def make(store: TokenStore, tiny_tokenizer: Tokenizer, shape: ModelConfig) -> Make:
    def build(folder: Path, recipe: Recipe = RECIPE, config: ModelConfig = shape) -> Trainer:
        torch.set_num_threads(1)
        return Trainer(config, recipe, Rows(store, tiny_tokenizer, recipe.length, recipe.seed), folder)

    return build


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}


def assert_same(one: Trainer, other: Trainer) -> None:
    mine, theirs = weights(one), weights(other)
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert (one.tokens, one.steps, one.flops) == (other.tokens, other.steps, other.flops)


def test_the_loss_falls(make: Make, tmp_path: Path) -> None:
    trainer = make(tmp_path)
    first, _ = trainer.step()
    while not trainer.finished:
        last, early = trainer.step()
    assert first == pytest.approx(np.log(trainer.config.vocab_size), rel=0.05)
    assert last < 0.7 * first
    assert early < 0.85 * first


def test_a_resumed_run_is_the_unbroken_run(make: Make, tmp_path: Path) -> None:
    whole = make(tmp_path / "whole")
    whole.train()
    part = make(tmp_path / "part")
    for _ in range(9):
        part.step()
    part.save()
    rest = make(tmp_path / "part")
    assert rest.resume()
    rest.train()
    assert_same(rest, whole)
    assert whole.rows.length == RECIPE.long_length


def test_a_longer_recipe_goes_on_from_the_stable_part(make: Make, tmp_path: Path) -> None:
    short = make(tmp_path / "a")
    short.train()
    longer = replace(RECIPE, tokens=18_000)
    extended = make(tmp_path / "a", longer)
    assert extended.resume()
    assert extended.tokens < short.tokens
    assert extended.schedule.rate(extended.tokens) == 1.0
    extended.train()
    assert extended.tokens >= 18_000


def test_finish_brings_the_decay_forward(make: Make, tmp_path: Path) -> None:
    trainer = make(tmp_path, replace(RECIPE, tokens=10_000_000))
    trainer.schedule = replace(trainer.schedule, warmup=1000)
    for _ in range(6):
        trainer.step()
    (tmp_path / "finish").write_text("2000")
    trainer.train()
    assert trainer.schedule.decay_start == 7 * 512
    assert trainer.schedule.total == 7 * 512 + 2000
    assert (tmp_path / "stable.pt").exists()
    assert not (tmp_path / "finish").exists()


def test_a_state_of_another_shape_is_refused_and_kept(make: Make, tmp_path: Path, shape: ModelConfig) -> None:
    make(tmp_path).save()
    before = (tmp_path / "state.pt").read_bytes()
    with pytest.raises(CheckpointError, match="holds another shape"):
        make(tmp_path, config=replace(shape, d_ff=64)).resume()
    assert (tmp_path / "state.pt").read_bytes() == before


def test_a_damaged_state_is_named(make: Make, tmp_path: Path) -> None:
    (tmp_path / "state.pt").write_bytes(b"PK nothing")
    with pytest.raises(CheckpointError, match=r"state\.pt cannot be read .* delete it"):
        make(tmp_path).resume()


def test_a_full_disk_keeps_the_last_good_state(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make(tmp_path)
    trainer.save()
    before = (tmp_path / "state.pt").read_bytes()
    trainer.step()

    def fail(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        trainer.save()
    assert (tmp_path / "state.pt").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["state.pt"]


CHILD = """
import sys, torch
from pathlib import Path
from assistant.training import pretrain
folder = Path(sys.argv[1])
size = 0
while True:
    size += 1
    pretrain.save_atomically({"number": size, "weights": torch.full((200_000,), float(size))}, folder / "state.pt")
    print(size, flush=True)
"""


def test_a_kill_at_any_moment_leaves_a_whole_state(tmp_path: Path) -> None:
    for delay in (0.0, 0.003, 0.007):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        with child.stdout as lines:
            for _ in range(3):
                lines.readline()
            time.sleep(delay)
            child.kill()
            child.wait()
        state = torch.load(tmp_path / "state.pt", weights_only=True)
        assert bool((state["weights"] == state["number"]).all())


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_sigterm_saves_and_ends(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make(tmp_path, replace(RECIPE, tokens=10_000_000))
    step = trainer.step

    def step_and_signal() -> tuple[float, float]:
        if trainer.steps == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return step()

    monkeypatch.setattr(trainer, "step", step_and_signal)
    before = signal.getsignal(signal.SIGTERM)
    trainer.train()
    assert signal.getsignal(signal.SIGTERM) == before
    again = make(tmp_path)
    assert again.resume()
    assert again.steps == 4


def test_exits_are_trained_in_turn_the_first_one_twice(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make(tmp_path)
    seen = []
    loss = trainer.loss

    def watch(batch: torch.Tensor, exit_layer: int | None, quarter: int) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append((exit_layer, quarter))
        return loss(batch, exit_layer, quarter)

    monkeypatch.setattr(trainer, "loss", watch)
    for _ in range(3):
        trainer.step()
    assert seen == [(1, 0), (1, 1), (1, 1), (1, 2), (2, 2), (2, 3)]


def test_initialisation_makes_every_block_the_identity(make: Make, tmp_path: Path) -> None:
    model = make(tmp_path).model
    tokens = torch.arange(20)[None]
    hidden, kept = model.hidden(tokens, (1, 2))
    assert torch.equal(hidden, model.embed(tokens))
    assert torch.equal(kept[1], hidden)


def test_every_parameter_has_one_optimizer(make: Make, tmp_path: Path) -> None:
    trainer = make(tmp_path)
    held = [id(p) for o in pretrain.optimizers(trainer.model, RECIPE) for g in o.param_groups for p in g["params"]]
    assert sorted(held) == sorted(id(p) for p in trainer.model.parameters())
