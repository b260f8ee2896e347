"""Which folder a model names, whether it fits into memory, and what is said where it does not; no network anywhere."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from assistant.model.checkpoint import CheckpointError
from assistant.model.hf import fits
from assistant.model.hf.files import CheckpointFiles, is_transformers
from assistant.model.hf.load import load
from assistant.model.hf.locate import locate, progress, verify
from assistant.types import EngineError
from tests.assistant.model import tiny as ours

Folders = Callable[[str], Path]


def cached(root: Path, name: str, made: Path) -> Path:
    """Lay a checkpoint into a hub cache as huggingface_hub does."""
    home = root / f"models--{name.replace('/', '--')}"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("a" * 40, "ascii")
    snapshot = home / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    for file in made.iterdir():
        (snapshot / file.name).write_bytes(file.read_bytes())
    return snapshot


def cut(weights: Path) -> None:
    """A download that stopped half way."""
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])


def reweigh(folder: Path, without: str = "", wider: str = "") -> None:
    """The weights of another model: one is not there, or one has a row too many. transformers would draw it at random."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    if wider:
        tensors[wider] = torch.cat((tensors[wider], tensors[wider][:1]))
    save_file({name: tensor for name, tensor in tensors.items() if name != without}, path, metadata={"format": "pt"})


def run_locate(model: str, cache: Path) -> subprocess.CompletedProcess[str]:
    """In a process of its own: the cache's place is read once, at import. A connection would raise."""
    code = """
import socket, sys
def refuse(*_): raise AssertionError("a connection was opened")
socket.socket.connect = socket.getaddrinfo = refuse
from assistant.model.hf.locate import locate
try: print(locate(sys.argv[1]))
except Exception as error: print(type(error).__name__, error)
"""
    environment = {"HF_HUB_CACHE": str(cache), "PATH": ""}
    command = [sys.executable, "-c", code, model]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=Path(__file__).parents[4])


def test_a_folder_is_itself_and_an_id_its_newest_snapshot(tmp_path: Path, checkpoint: Folders) -> None:
    folder = checkpoint("gpt2")
    assert locate(str(folder)) == folder
    assert locate(str(tmp_path / "nothing")) == tmp_path / "nothing"
    snapshot = cached(tmp_path / "hub", "someone/tiny-gpt2", folder)
    assert Path(run_locate("someone/tiny-gpt2", tmp_path / "hub").stdout.strip()) == snapshot


def test_an_id_that_is_not_there_is_refused_with_what_to_do(tmp_path: Path) -> None:
    said = run_locate("someone/missing", tmp_path).stdout
    assert said.startswith("CheckpointError someone/missing is neither a folder nor in the Hugging Face cache")
    assert "hf download someone/missing" in said
    assert "allowDownload" in said


def test_the_two_kinds_of_checkpoint_are_told_apart(tmp_path: Path, checkpoint: Folders) -> None:
    assert is_transformers(checkpoint("qwen2"))
    assert not is_transformers(ours.build(tmp_path / "ours"))
    assert not is_transformers(tmp_path / "none")


def test_what_memory_a_checkpoint_takes(checkpoint: Folders) -> None:
    files = CheckpointFiles(checkpoint("qwen2"))
    stored = sum(path.stat().st_size for path in files.weights())
    assert 0.8 * stored < fits.weight_bytes(files.weights(), 4) <= stored
    assert fits.weight_bytes(files.weights(), 2) * 2 == fits.weight_bytes(files.weights(), 4)
    assert fits.kv_bytes(files, 2) == 2 * 2 * 2 * 8 * 2  # keys and values, layers, key heads, width, bytes
    assert fits.kv_bytes(CheckpointFiles(checkpoint("gpt2")), 4) == 2 * 2 * 4 * 8 * 4


def test_a_model_that_does_not_fit_says_so_and_a_small_memory_shortens_the_context() -> None:
    billion = 10**9
    assert fits.context_that_fits("m", 5 * billion, 100_000, 4096, 2, 20 * billion) == 4096
    assert fits.context_that_fits("m", 5 * billion, 100_000, 4096, 2, 5 * billion + fits.SPARE + 400_000_000) == 2000
    with pytest.raises(
        CheckpointError, match=r"m does not fit: it takes 15\.0 GB for its weights.* 8\.0 GB of memory are free"
    ):
        fits.context_that_fits("m", 15 * billion, 100_000, 4096, 2, 8 * billion)
    assert fits.free_memory() > 50_000_000


def test_what_does_not_fit_is_said_before_anything_is_loaded(checkpoint: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    def loaded(*_: object) -> None:
        raise AssertionError("the weights were loaded")

    monkeypatch.setattr(fits, "free_memory", lambda: 10**6)
    monkeypatch.setattr("assistant.model.hf.load._model", loaded)
    with pytest.raises(CheckpointError, match="does not fit"):
        load(checkpoint("gpt2"), lambda: None, device="cpu")


def test_a_container_has_less_than_its_machine(tmp_path: Path) -> None:
    assert fits._quota_free(tmp_path) is None
    (tmp_path / "memory.max").write_text("max\n", "ascii")
    (tmp_path / "memory.current").write_text("100\n", "ascii")
    assert fits._quota_free(tmp_path) is None
    (tmp_path / "memory.max").write_text("1000\n", "ascii")
    assert fits._quota_free(tmp_path) == 900


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda at: (at / "model.safetensors").unlink(), "lacks model.safetensors"),
        (lambda at: (at / "model.safetensors").write_bytes(b"\x10" * 9), "no whole safetensors file"),
        (lambda at: cut(at / "model.safetensors"), "it ends too early"),
        (
            lambda at: reweigh(at, without="transformer.h.1.mlp.c_fc.weight"),
            r"there is no transformer\.h\.1\.mlp\.c_fc\.weight",
        ),
        (lambda at: reweigh(at, wider="transformer.h.0.attn.c_proj.weight"), r"c_proj\.weight is \[33, 32\], not \[32, 32\]"),
        (lambda at: (at / "tokenizer.json").write_text("{}"), "describes no tokenizer"),
        (lambda at: (at / "config.json").write_text(json.dumps({"model_type": "unheard-of"})), "cannot load"),
    ],
)
def test_a_broken_checkpoint_is_named_in_one_sentence(
    spoil: Callable[[Path], object], said: str, tmp_path: Path, checkpoint: Folders
) -> None:
    for file in checkpoint("gpt2").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    spoil(tmp_path)
    with pytest.raises(EngineError, match=said):
        load(tmp_path, lambda: None)


def test_a_gpu_that_is_asked_for_and_missing_is_said(checkpoint: Folders) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(EngineError, match="torch sees no GPU here"):
        load(checkpoint("gpt2"), lambda: None, device="cuda")


@pytest.mark.parametrize("module", ["files", "engine", "tokenizer", "locate", "fits", "lookup"])
def test_what_the_default_engine_meets_imports_no_torch(module: str) -> None:
    code = f"import assistant.model.hf.{module}, sys; print({{'torch', 'transformers', 'huggingface_hub'}} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


def test_a_weight_file_that_was_damaged_on_its_way_is_found_and_thrown_away(tmp_path: Path) -> None:
    """The cache names a large file by the sha256 that the hub states; a snapshot links to it."""
    data = b"weights" * 1000
    blob = tmp_path / hashlib.sha256(data).hexdigest()
    blob.write_bytes(data)
    link = tmp_path / "model.safetensors"
    link.symlink_to(blob)
    told: list[str] = []
    verify(link, told.append)
    assert told == ["checking model.safetensors"]
    blob.write_bytes(data[:-1])
    with pytest.raises(CheckpointError, match="damaged on its way"):
        verify(link, told.append)
    assert not blob.exists()


def test_a_download_tells_how_far_it_is() -> None:
    told: list[str] = []
    with progress("someone/coder", told.append)(total=2_000_000_000, unit="B", disable=False, file=io.StringIO()) as bar:
        for _ in range(4):
            bar.update(500_000_000)
            bar.refresh()
    assert told[0].startswith("downloading someone/coder: ")
    assert told[-1] == "downloading someone/coder: 100 % of 2.0 GB"
    assert len(told) == len(set(told))
