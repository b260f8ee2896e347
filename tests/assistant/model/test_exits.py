"""The Stop head reads the stream that the trained one was shown, whichever runner computes it, and its file is checked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from assistant.model import checkpoint, exits, fused
from assistant.model.checkpoint import Checkpoint
from assistant.model.engine import Engine
from assistant.model.runner import Runner
from assistant.types import GenerateRequest, Part

IDS = list(range(300, 420))


@pytest.fixture(scope="module")
def shipped() -> Checkpoint:
    return checkpoint.load(checkpoint.default_folder())


def never() -> bool:
    return False


@pytest.fixture(scope="module")
def expected(shipped: Checkpoint) -> np.ndarray:
    model = shipped.transformer()
    with torch.inference_mode():
        stream: np.ndarray = model.norm(model.hidden(torch.tensor([IDS]))[0])[0].numpy()
    return stream


def test_the_plain_runner_keeps_the_last_rows_stream(shipped: Checkpoint, expected: np.ndarray) -> None:
    runner = Runner(shipped.config, shipped.tensors())
    for rows in (1, 5):
        runner.logits(IDS, runner.context(), never, rows)
        np.testing.assert_allclose(runner.stream(), expected[-1], rtol=1e-3, atol=1e-3)


def test_so_does_the_fused_one(shipped: Checkpoint, expected: np.ndarray) -> None:
    runner = fused.load(shipped, wait=True)
    assert runner is not None
    for rows in (1, 5):
        runner.logits(IDS[:60], slot := runner.context(), never)
        slot.advance(IDS[:60])
        runner.logits(IDS[60:], slot, never, rows)
        # Activations are rounded to int8: the direction stays, single numbers move by some per cent of the largest.
        found = runner.stream()
        assert found @ expected[-1] > 0.995 * np.linalg.norm(found) * np.linalg.norm(expected[-1])


def test_an_answer_tells_stop_and_exits(shipped: Checkpoint) -> None:
    assert shipped.stop_head is not None
    last = list(Engine(shipped).generate(GenerateRequest((Part(text="import os\n\ndef main("),), 4, budget_ms=60_000)))[-1]
    assert last.stop is not None
    assert 0 < last.stop < 1
    assert last.exits[:-1] == (0,) * (shipped.config.n_layers - 1)
    assert last.exits[-1] > 0


def test_the_probability_is_the_softmax_of_the_first_class() -> None:
    head = exits.StopHead(np.eye(3, 4, dtype=np.float32), np.zeros(3, np.float32))
    stream = np.array([1.0, 2.0, 3.0, 9.0], np.float32)
    assert head.probability(stream) == pytest.approx(float(torch.softmax(torch.tensor([1.0, 2.0, 3.0]), 0)[0]))


def test_a_head_that_is_not_the_named_one_is_none(tmp_path: Path) -> None:
    folder = shutil.copytree(checkpoint.default_folder(), tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    assert exits.read(folder, config, config["model"]["d_model"]) is not None
    assert exits.read(folder, config, 7) is None
    (folder / exits.FILE).write_bytes(b"nonsense")
    assert exits.read(folder, config, config["model"]["d_model"]) is None
    (folder / exits.FILE).unlink()
    assert checkpoint.load(folder).stop_head is None
