"""SEC's labels, a controller that learns what can be learnt, and a threshold that keeps its promise."""

from __future__ import annotations

from pathlib import Path

import torch

from assistant.training import controller
from assistant.training.controller import CONTINUE, EXIT, STOP, Examples


def test_labels() -> None:
    guesses = torch.tensor([[1, 0, 0, 0], [1, 2, 0, 0], [1, 2, 3, 0]])
    targets = torch.tensor([1, 2, 3, 4])
    assert controller.labels(guesses, targets).tolist() == [
        [EXIT, CONTINUE, CONTINUE, STOP],
        [EXIT, EXIT, CONTINUE, STOP],
        [EXIT, EXIT, EXIT, STOP],
    ]


def test_it_learns_a_linear_rule_and_comes_back_from_its_file(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 6000, 8, generator=generator)
    marks = torch.where(features[..., 0] > 0.3, STOP, torch.where(features[..., 1] > 0, EXIT, CONTINUE))
    data = Examples(features, marks)
    learner = controller.train(data, (1, 2), epochs=30, batch=256)
    assert min(controller.accuracy(learner, data).values()) > 0.9
    controller.save(learner, tmp_path)
    (tmp_path / "controller.json").write_text('{"layers": [1, 2]}')
    back = controller.load(tmp_path)
    assert torch.equal(back.logits(features), learner.logits(features))


def test_the_threshold_spares_the_right_tokens() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(1, 5000, 4, generator=generator)
    wrong = features[0, :, 0] + 0.5 * torch.randn(5000, generator=generator) > 0.5
    data = Examples(features, torch.where(wrong, STOP, EXIT)[None])
    learner = controller.train(data, (6,), batch=256)
    threshold = controller.stop_threshold(learner, data, right_lost=0.05)
    report = controller.report(learner, data, threshold)
    assert report.right_stopped <= 0.051
    assert report.wrong_stopped > 0.5
