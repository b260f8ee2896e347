"""Exports: what stock programs read from them is what our model computes; a target is whole or untouched."""

from __future__ import annotations

import errno
import json
import sys
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from assistant.model import checkpoint, saving
from assistant.model.checkpoint import Checkpoint
from assistant.model.export import info, optional, prompts, prove_transformers, transformers_folder, verify
from assistant.model.export.checks import FAILED, NOT_CHECKED, OK
from assistant.model.export.place import ExportError, new_file, new_folder
from tests.assistant.model import tiny

TEXTS = [
    "def f(a, b):\n        return a[1:-2] + b   # three spaces\n",
    "\tif x:\r\n   y = ' 12  345'\n\n\n" + " " * 37 + "z",
    "naïve = '—…\u2581 日本 \U0001f600'\n",
    "<|end|> in a text is text",
]


@pytest.fixture(scope="module", params=["qwen3", "llama", "padded"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random checkpoint of each architecture, and one whose embedding has rows that no token uses."""
    place = tmp_path_factory.mktemp(request.param) / "checkpoint"
    shape = replace(tiny.config(), qk_norm=request.param != "llama")
    tiny.build(place, shape=shape)
    if request.param == "padded":
        padded = tiny.model(replace(shape, vocab_size=400))
        saving.save(place, padded, place / "tokenizer.json", name="padded", special_tokens=tiny.SPECIALS)
    return place


@pytest.fixture(scope="module")
def source(folder: Path) -> Checkpoint:
    return checkpoint.load(folder)


@pytest.fixture(scope="module")
def exported(source: Checkpoint, folder: Path) -> Path:
    return transformers_folder.write(source, folder, folder.parent / "transformers")


@pytest.fixture(scope="module")
def library() -> Any:
    return optional.load("transformers")


def test_transformers_loads_the_stock_class_and_computes_our_logits(source: Checkpoint, exported: Path, library: Any) -> None:
    theirs = library.AutoModelForCausalLM.from_pretrained(exported, local_files_only=True)
    assert type(theirs).__name__ == ("Qwen3ForCausalLM" if source.config.qk_norm else "LlamaForCausalLM")
    tokens = torch.randint(source.config.vocab_size, (2, 100), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(source.transformer()(tokens), theirs(tokens).logits, atol=1e-4, rtol=0)


def test_every_tensor_of_the_stock_class_is_there_and_no_other(exported: Path, library: Any) -> None:
    theirs = library.AutoModelForCausalLM.from_pretrained(exported, local_files_only=True)
    with safe_open(str(exported / "model.safetensors"), framework="pt") as file:
        assert set(file.keys()) == {name for name, _ in theirs.named_parameters()}


def test_transformers_reads_text_as_we_do(source: Checkpoint, exported: Path, library: Any) -> None:
    reader = library.AutoTokenizer.from_pretrained(exported, local_files_only=True)
    for text in TEXTS:
        ids = reader.encode(text, add_special_tokens=False, split_special_tokens=True)
        assert ids == source.tokenizer.encode(text)
        assert reader.decode(ids) == text
    for name, spelling in tiny.SPECIALS.items():
        assert reader.encode(spelling, add_special_tokens=False) == [source.tokenizer.specials[name]]
    assert (reader.eos_token, reader.pad_token) == ("<|end|>", "<|pad|>")
    assert reader.model_max_length == source.config.context


def test_transformers_generates_what_the_plain_loop_does(source: Checkpoint, exported: Path, library: Any) -> None:
    theirs = library.AutoModelForCausalLM.from_pretrained(exported, local_files_only=True)
    ids = [3, *source.tokenizer.encode("def read(path):\n    return ")]
    model = source.transformer()
    got = theirs.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)), max_new_tokens=16)[
        0, len(ids) :
    ].tolist()
    want: list[int] = []
    while len(want) < 16:
        want.append(int(model(torch.tensor([ids + want]))[0, -1].argmax()))
    assert got == want


@pytest.mark.parametrize("dtype", ["f16", "bf16"])
def test_half_precision_is_in_the_file_and_in_the_config(
    dtype: str, loaded: Checkpoint, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    out = transformers_folder.write(loaded, tiny_checkpoint, tmp_path / "half", dtype)
    with safe_open(str(out / "model.safetensors"), framework="pt") as file:
        names = list(file.keys())
        assert {file.get_tensor(name).dtype for name in names} == {transformers_folder.DTYPES[dtype]}
    config = json.loads((out / "config.json").read_text())
    assert config["dtype"] == {"f16": "float16", "bf16": "bfloat16"}[dtype]


def test_the_card_goes_with_the_weights(loaded: Checkpoint, tiny_checkpoint: Path, tmp_path: Path) -> None:
    card = tiny_checkpoint / "README.md"
    card.write_text("# a card\n", encoding="utf-8")
    try:
        out = transformers_folder.write(loaded, tiny_checkpoint, tmp_path / "out")
    finally:
        card.unlink()
    assert (out / "README.md").read_text(encoding="utf-8") == "# a card\n"


def test_a_folder_that_holds_something_is_left_alone(tiny_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "config.json").write_text("old")
    with pytest.raises(ExportError, match="is not empty"), new_folder(tmp_path, tiny_checkpoint, force=False):
        pytest.fail("nothing may be written")
    with new_folder(tmp_path, tiny_checkpoint, force=True) as staging:
        (staging / "config.json").write_text("new")
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"mine.txt": "mine", "config.json": "new"}


def test_force_does_not_replace_the_checkpoint_itself(tiny_checkpoint: Path) -> None:
    with pytest.raises(ExportError, match="the checkpoint itself"), new_folder(tiny_checkpoint, tiny_checkpoint, force=True):
        pytest.fail("nothing may be written")


def test_an_empty_folder_becomes_the_export(tiny_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with new_folder(tmp_path / "out", tiny_checkpoint, force=False) as staging:
        (staging / "config.json").write_text("new")
    assert [str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*")] == ["out", "out/config.json"]


def write_half(place: AbstractContextManager[Path], kind: str) -> None:
    with place as staging:
        (staging / "weights" if kind == "folder" else staging).write_text("half of it")
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_full_disk_leaves_nothing(kind: str, tiny_checkpoint: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    place = new_folder(target, tiny_checkpoint, force=False) if kind == "folder" else new_file(target, force=False)
    with pytest.raises(ExportError, match=r"cannot write .*out \(No space left.*make room"):
        write_half(place, kind)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_only_when_told(tmp_path: Path) -> None:
    target = tmp_path / "model.gguf"
    target.write_text("old")
    with pytest.raises(ExportError, match="is there already"), new_file(target, force=False):
        pytest.fail("nothing may be written")
    with new_file(target, force=True) as staging:
        staging.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"


def test_the_shipped_model_equals_transformers(tmp_path: Path) -> None:
    shipped = checkpoint.default_folder()
    cursors = prompts.from_standard_library(10)
    assert len(cursors) == 10
    checks = list(prove_transformers.prove(checkpoint.load(shipped), shipped, tmp_path, cursors))
    assert [(check.name, check.verdict) for check in checks] == [
        ("transformers: logits", OK),
        ("transformers: text to tokens", OK),
    ]


def test_the_proof_fails_when_the_export_is_wrong(
    loaded: Checkpoint, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = transformers_folder.NAMES
    monkeypatch.setattr(transformers_folder, "NAMES", {**names, "gate": names["up"], "up": names["gate"]})
    checks = list(prove_transformers.prove(loaded, tiny_checkpoint, tmp_path, prompts.from_standard_library(3)))
    assert [check.verdict for check in checks] == [FAILED, OK]


def test_what_is_not_installed_is_not_checked(tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("transformers", "llama_cpp", "gguf"):
        monkeypatch.setitem(sys.modules, module, None)
    checks = list(verify.verify(tiny_checkpoint))
    assert [(check.name, check.verdict) for check in checks] == [
        ("files", OK),
        ("transformers", NOT_CHECKED),
        ("llama.cpp", NOT_CHECKED),
    ]
    assert checks[1].advice == f"run: {sys.executable} -m pip install transformers"


def test_a_package_that_cannot_be_loaded_is_not_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "llama_cpp.py").write_text("raise OSError('libllama.so: wrong machine')\n")
    monkeypatch.delitem(sys.modules, "llama_cpp", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(optional.MissingPackageError, match=r"llama-cpp-python cannot be loaded \(libllama.so: wrong machine\)"):
        optional.load("llama_cpp")


def test_a_damaged_checkpoint_is_described_and_not_verified(tmp_path: Path) -> None:
    folder = tiny.build(tmp_path / "checkpoint")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    (folder / "tokenizer.json").unlink()
    assert info.describe(folder)["checksums"] == {"model.safetensors": "damaged", "tokenizer.json": "missing"}
    (check,) = verify.verify(folder)
    assert check.verdict == FAILED
    assert "damaged" in check.found


def test_info_tells_what_the_checkpoint_says(tmp_path: Path) -> None:
    folder = tiny.build(tmp_path / "checkpoint")
    model = tiny.model(replace(tiny.config(layers=3), exits=(1,)))
    saving.save(
        *(folder, model, folder / "tokenizer.json"),
        name="mine",
        special_tokens=tiny.SPECIALS,
        extra={"training": {"tokens": 7}},
    )
    told = info.describe(folder)
    assert (told["name"], told["family"], told["quantization"], told["context"]) == ("mine", "sotto", "int8", 256)
    assert (told["exits"], told["record"], told["card"]) == ([1], {"training": {"tokens": 7}}, "")
    assert told["parameters"] == sum(weight.numel() for weight in model.parameters())
    assert told["checksums"] == {"model.safetensors": "ok", "tokenizer.json": "ok"}
    assert told["files"]["tokenizer.json"] == (folder / "tokenizer.json").stat().st_size


def test_prompts_are_the_same_each_time_and_lie_in_code() -> None:
    cursors = prompts.from_standard_library(50)
    assert cursors == prompts.from_standard_library(50)
    assert len({cursor.path for cursor in cursors}) == 50
    assert all(cursor.after.startswith("\n") for cursor in cursors)
