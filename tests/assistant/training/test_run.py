"""The front door: a rehearsal of every stage gives a checkpoint that the engine loads; wrong options say what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from assistant.model import checkpoint
from assistant.training.__main__ import main
from assistant.training.run import Options, main_train

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.slow
def test_a_rehearsal_runs_every_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--dry-run", "12", "--cache", str(tmp_path)]) == 0
    folder = tmp_path / "tiny-rehearsal"
    loaded = checkpoint.load(folder / "checkpoint")
    assert loaded.quantization == "int8"
    card = (folder / "checkpoint" / "README.md").read_text()
    figures = json.loads((folder / "evaluation.json").read_text())
    assert f"{figures['left_to_right']['bits_per_byte']:.3f}" in card
    assert figures["left_to_right"]["bits_per_byte"] < 8
    assert abs(figures["int8_cost_bits_per_byte"]) < 0.005
    assert main(["--dry-run", "12", "--cache", str(tmp_path), "--stage", "pretrain", "--resume"]) == 0
    capsys.readouterr()


def test_an_unknown_preset_or_stage_names_the_choices(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="choose one of tiny, small"):
        main_train(Options(preset="huge", cache=tmp_path))
    with pytest.raises(ValueError, match="choose one of corpus, tokenizer"):
        main_train(Options(stage="bake", cache=tmp_path))


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_missing_gpu_is_said_before_any_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--preset", "small", "--cache", str(tmp_path)]) == 1
    assert "torch sees none; add --device cpu" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_stage_before_its_time_says_which_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--stage", "export", "--cache", str(tmp_path)]) == 1
    assert "run the pretrain stage first" in capsys.readouterr().err
