"""Checkpoints round trip, and every way one can be unusable ends in one sentence that names the file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from assistant.model import checkpoint, saving
from assistant.model.checkpoint import CheckpointError
from assistant.types import EngineError
from tests.assistant.model import tiny


@pytest.fixture
def folder(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "copy"))


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    change(config)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def rewrite(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Change the tensors and put the new checksum into the config: whole, but not what the config describes."""
    tensors = load_file(str(folder / "model.safetensors"))
    change(tensors)
    save_file(tensors, str(folder / "model.safetensors"))
    resign(folder, "model.safetensors")


def resign(folder: Path, file: str) -> None:
    edit(folder, lambda config: config["sha256"].update({file: checkpoint.sha256(folder / file)}))


def test_weights_come_back_as_they_were_saved(tmp_path: Path) -> None:
    model = tiny.model(tiny.config())
    loaded = checkpoint.load(tiny.build(tmp_path / "m", quantization="none"))
    assert loaded.config == tiny.config()
    assert (loaded.name, loaded.family.name, loaded.quantization) == ("random", "sotto", "none")
    for name, value in model.state_dict().items():
        assert np.array_equal(loaded.weights[name], value)


@pytest.mark.parametrize(("quantization", "relative"), [("int8", 1 / 254), ("bf16", 1 / 256)])
def test_quantised_weights_are_near_and_in_fp32(tmp_path: Path, quantization: str, relative: float) -> None:
    """int8: half a step of 127 of the row's largest weight. bf16: half a unit of 8 bits of mantissa."""
    state = tiny.model(tiny.config()).state_dict()
    loaded = checkpoint.load(tiny.build(tmp_path / "m", quantization=quantization))
    for name, value in state.items():
        found = loaded.weights[name]
        assert found.dtype == np.float32
        bound = value.abs().amax(dim=-1, keepdim=True) * relative * 1.001
        assert bool(((torch.from_numpy(found) - value).abs() <= bound).all()), name


def test_int8_takes_a_quarter_of_fp32(tmp_path: Path) -> None:
    sizes = [(tiny.build(tmp_path / kind, quantization=kind) / "model.safetensors").stat().st_size for kind in ("none", "int8")]
    assert sizes[1] < sizes[0] / 3


def test_a_row_of_zeros_stays_zero() -> None:
    weight, scale = saving.quantize(torch.tensor([[0.0, 0.0], [1.0, -2.0]]))
    assert weight.tolist() == [[0, 0], [64, -127]]
    assert scale.isfinite().all()


def test_the_transformer_shares_the_weights(tmp_path: Path) -> None:
    loaded = checkpoint.load(tiny.build(tmp_path / "m"))
    model = loaded.transformer()
    assert model.embed.weight.data_ptr() == loaded.weights["embed.weight"].ctypes.data
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_saving_again_replaces_and_leaves_no_other_file(tmp_path: Path) -> None:
    folder = tiny.build(tmp_path / "m", seed=0)
    first = checkpoint.load(folder).sha256
    tiny.build(folder, seed=1)
    assert checkpoint.load(folder).sha256 != first
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors", "tokenizer.json"]


def test_extra_facts_are_kept_in_the_config(tmp_path: Path) -> None:
    folder = tiny.build(tmp_path / "m")
    saving.save(
        folder,
        tiny.model(tiny.config()),
        folder / "tokenizer.json",
        name="n",
        special_tokens=tiny.SPECIALS,
        extra={"tokens": 5, "format": 9},
    )
    config = json.loads((folder / "config.json").read_text("utf-8"))
    assert (config["tokens"], config["format"]) == (5, 1)
    assert checkpoint.load(folder).name == "n"


def test_an_unknown_quantization_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="int8, bf16, none"):
        tiny.build(tmp_path / "m", quantization="int3")


def test_the_default_model_lies_in_the_package() -> None:
    assert checkpoint.default_folder().parent.name == "weights"
    assert checkpoint.default_folder().parents[1] == Path(checkpoint.__file__).parent


def truncated(folder: Path, file: str) -> None:
    whole = (folder / file).read_bytes()
    (folder / file).write_bytes(whole[: len(whole) // 2])


def one_bit(folder: Path) -> None:
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(bytes(content))


def no_safetensors(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"not a safetensors file")
    resign(folder, "model.safetensors")


def other_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    resign(folder, "tokenizer.json")


def big_tokenizer(folder: Path) -> None:
    edit(folder, lambda config: config["model"].update(vocab_size=300))


SPOILED: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "no folder": (shutil.rmtree, "the model folder", "set `model`"),
    "no config": (lambda f: (f / "config.json").unlink(), "config.json", "set `model`"),
    "config truncated": (lambda f: truncated(f, "config.json"), "config.json", "copy the checkpoint again"),
    "config no object": (lambda f: (f / "config.json").write_text("[]"), "config.json", "update Sotto"),
    "other format": (lambda f: edit(f, lambda c: c.update(format=2)), "config.json", "format 2"),
    "no format": (lambda f: edit(f, lambda c: c.pop("format")), "config.json", "format None"),
    "other family": (lambda f: edit(f, lambda c: c.update(family="other")), "config.json", "update Sotto"),
    "no checksums": (lambda f: edit(f, lambda c: c.pop("sha256")), "config.json", "sha256 of model.safetensors"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "model.safetensors", "copy the checkpoint again"),
    "weights truncated": (lambda f: truncated(f, "model.safetensors"), "model.safetensors", "is damaged"),
    "one bit": (one_bit, "model.safetensors", "is damaged"),
    "no safetensors": (no_safetensors, "model.safetensors", "cannot be read"),
    "tokenizer truncated": (lambda f: truncated(f, "tokenizer.json"), "tokenizer.json", "is damaged"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json", "copy the checkpoint again"),
    "other tokenizer": (other_tokenizer, "tokenizer.json", "is no tokenizer for this model"),
    "tokenizer too big": (big_tokenizer, "tokenizer.json", "tokens where the model has 300"),
    "no shape": (lambda f: edit(f, lambda c: c.pop("model")), "config.json", "describes no model"),
    "half a shape": (lambda f: edit(f, lambda c: c["model"].pop("d_ff")), "config.json", "d_ff"),
    "no specials": (lambda f: edit(f, lambda c: c.pop("special_tokens")), "config.json", "fim_prefix"),
    "a special too few": (lambda f: edit(f, lambda c: c["special_tokens"].pop("fim_middle")), "config.json", "fim_middle"),
    "a layer too many": (lambda f: edit(f, lambda c: c["model"].update(n_layers=3)), "model.safetensors", "lacks the tensor"),
    "other width": (lambda f: edit(f, lambda c: c["model"].update(d_ff=50)), "model.safetensors", "mlp.gate_up.weight"),
    "no scale": (lambda f: rewrite(f, lambda t: t.pop("embed.weight.scale")), "model.safetensors", "no scale for each row"),
    "short scale": (
        lambda f: rewrite(f, lambda t: t.update({"embed.weight.scale": torch.ones(3)})),
        "model.safetensors",
        "no scale for each row",
    ),
}


@pytest.mark.parametrize(("spoil", "file", "says"), SPOILED.values(), ids=SPOILED.keys())
def test_an_unusable_checkpoint_is_one_clear_sentence(
    folder: Path, spoil: Callable[[Path], object], file: str, says: str
) -> None:
    spoil(folder)
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(folder)
    sentence = str(caught.value)
    assert isinstance(caught.value, EngineError)  # fit for the user as it is
    assert str(folder) in sentence
    assert file in sentence
    assert says in sentence
    assert "\n" not in sentence
