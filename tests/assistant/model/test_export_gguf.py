"""GGUF files: what they hold, how text is cut with them, and llama.cpp's own answers where it is installed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from assistant.model import checkpoint, saving
from assistant.model.checkpoint import Checkpoint
from assistant.model.export import gguf_file, prompts, prove_llama
from assistant.model.export.checks import FAILED, NOTED, OK
from assistant.model.transformer import Transformer
from tests.assistant.model import tiny

gguf = pytest.importorskip("gguf", reason="the gguf package is not installed: pip install gguf")


@pytest.fixture(scope="module", params=["qwen3", "llama"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    shape = replace(tiny.config(), qk_norm=request.param == "qwen3")
    return tiny.build(tmp_path_factory.mktemp(request.param) / "checkpoint", shape=shape)


@pytest.fixture(scope="module")
def source(folder: Path) -> Checkpoint:
    return checkpoint.load(folder)


def tensors(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Every tensor in fp32."""
    return {t.name: gguf.quants.dequantize(t.data, t.tensor_type) for t in gguf.GGUFReader(path).tensors}


def field(path: Path, name: str) -> Any:
    return gguf.GGUFReader(path).get_field(name).contents()


def test_full_precision_loses_nothing(source: Checkpoint, folder: Path, tmp_path: Path) -> None:
    held = tensors(gguf_file.write(source, folder, tmp_path / "model.gguf"))
    weights = source.weights
    np.testing.assert_array_equal(held["token_embd.weight"], weights["embed.weight"])
    gate_up = np.concatenate([held["blk.1.ffn_gate.weight"], held["blk.1.ffn_up.weight"]])
    np.testing.assert_array_equal(gate_up, weights["blocks.1.mlp.gate_up.weight"])
    np.testing.assert_array_equal(held["blk.0.attn_v.weight"], weights["blocks.0.attention.qkv.weight"][-32:])
    assert ("blk.0.attn_q_norm.weight" in held) == source.config.qk_norm
    assert sum(value.size for value in held.values()) == source.config.n_params


def test_llama_turns_pairs_of_neighbours(source: Checkpoint, folder: Path, tmp_path: Path) -> None:
    """Rotating neighbours (2i, 2i+1) of the exported query gives the same numbers as rotating halves (i, i+8) of ours."""
    held = tensors(gguf_file.write(source, folder, tmp_path / "model.gguf"))["blk.0.attn_q.weight"]
    ours = source.weights["blocks.0.attention.qkv.weight"][: held.shape[0]]
    if source.config.qk_norm:
        np.testing.assert_array_equal(held, ours)
    else:
        heads, theirs = ours.reshape(4, 16, -1), held.reshape(4, 16, -1)
        np.testing.assert_array_equal(theirs[:, 0::2], heads[:, :8])
        np.testing.assert_array_equal(theirs[:, 1::2], heads[:, 8:])


@pytest.mark.parametrize(("dtype", "error"), [("f16", 2**-11), ("bf16", 2**-8), ("q8_0", 1 / 127)])
def test_smaller_types_round_matrices_and_spare_norms(
    dtype: str, error: float, source: Checkpoint, folder: Path, tmp_path: Path
) -> None:
    whole = gguf_file.write(source, folder, tmp_path / "whole.gguf")
    small = gguf_file.write(source, folder, tmp_path / "small.gguf", dtype)
    assert small.stat().st_size < whole.stat().st_size
    exact, rounded = tensors(whole), tensors(small)
    for name, values in exact.items():
        largest = np.abs(values).max() if values.ndim == 2 else 0.0
        np.testing.assert_allclose(rounded[name].reshape(values.shape), values, atol=error * largest, rtol=0)


def test_a_row_that_blocks_do_not_divide_stays_in_half_precision(source: Checkpoint, folder: Path, tmp_path: Path) -> None:
    """Q8_0 packs 32 weights of a row; d_ff is 48 here."""
    reader = gguf.GGUFReader(gguf_file.write(source, folder, tmp_path / "model.gguf", "q8_0"))
    kinds = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
    assert (kinds["blk.0.ffn_down.weight"], kinds["blk.0.ffn_up.weight"], kinds["output_norm.weight"]) == ("F16", "Q8_0", "F32")


def test_shape_and_special_tokens_are_in_the_file(source: Checkpoint, folder: Path, tmp_path: Path) -> None:
    path = gguf_file.write(source, folder, tmp_path / "model.gguf")
    architecture = "qwen3" if source.config.qk_norm else "llama"
    assert field(path, "general.architecture") == architecture
    assert field(path, f"{architecture}.context_length") == 256
    assert field(path, f"{architecture}.attention.head_count_kv") == 2
    assert field(path, f"{architecture}.attention.key_length") == 16
    assert field(path, f"{architecture}.rope.freq_base") == 10_000.0
    specials = source.tokenizer.specials
    for role, name in (("eos", "end"), ("fim_pre", "fim_prefix"), ("fim_suf", "fim_suffix"), ("fim_mid", "fim_middle")):
        assert field(path, f"tokenizer.ggml.{role}_token_id") == specials[name]
    assert field(path, "tokenizer.ggml.tokens")[specials["file"]] == "<|file|>"
    assert field(path, "tokenizer.ggml.token_type")[specials["file"]] == gguf.TokenType.CONTROL


def test_rows_without_a_token_are_marked_unused(tmp_path: Path) -> None:
    folder = tiny.build(tmp_path / "checkpoint")
    model = tiny.model(replace(tiny.config(), vocab_size=400))
    saving.save(folder, model, folder / "tokenizer.json", name="padded", special_tokens=tiny.SPECIALS)
    source = checkpoint.load(folder)
    assert source.tokenizer.vocab_size < 400
    path = gguf_file.write(source, folder, gguf_file.target_file(tmp_path, source.name, "f32"))
    assert path.name == "padded-f32.gguf"
    kinds = field(path, "tokenizer.ggml.token_type")
    assert len(kinds) == len(field(path, "tokenizer.ggml.tokens")) == len(field(path, "tokenizer.ggml.scores")) == 400
    assert set(kinds[source.tokenizer.vocab_size :]) == {gguf.TokenType.UNUSED}


def sentencepiece(text: str, tokens: dict[str, int], scores: list[float]) -> list[int]:
    """llama.cpp's "llama" tokenizer, naively: join the best-scored neighbours, leftmost of equals, until none is left."""
    symbols = list(text.replace(" ", gguf_file.SPACE))
    while True:
        pairs = [(a + b, i) for i, (a, b) in enumerate(pairwise(symbols)) if a + b in tokens]
        if not pairs:
            break
        best, at = max(pairs, key=lambda pair: (scores[tokens[pair[0]]], -pair[1]))
        symbols[at : at + 2] = [best]
    single = [[symbol] if symbol in tokens else [f"<0x{byte:02X}>" for byte in symbol.encode()] for symbol in symbols]
    return [tokens[spelled] for spellings in single for spelled in spellings]


def test_scores_make_sentencepiece_cut_code_as_we_do(tmp_path: Path) -> None:
    """The shipped model's vocabulary, on lines of the standard library: all that are ASCII."""
    shipped = checkpoint.load(checkpoint.default_folder())
    path = gguf_file.write(shipped, checkpoint.default_folder(), tmp_path / "model.gguf")
    reader = gguf.GGUFReader(path)
    raw = reader.get_field("tokenizer.ggml.tokens")
    tokens = {bytes(raw.parts[i]).decode("utf-8", "surrogateescape"): n for n, i in enumerate(raw.data)}
    scores = reader.get_field("tokenizer.ggml.scores").contents()
    lines = {line for cursor in prompts.from_standard_library(60) for line in cursor.before.split("\n") if line.isascii()}
    assert len(lines) > 250
    assert [line for line in sorted(lines) if sentencepiece(line, tokens, scores) != shipped.tokenizer.encode(line)] == []


def llama_checks(folder: Path, tmp_path: Path, count: int) -> dict[str, tuple[str, str]]:
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed: pip install llama-cpp-python")
    source = checkpoint.load(folder)
    checks = prove_llama.prove(source, folder, tmp_path, prompts.from_standard_library(count))
    return {check.name: (check.verdict, check.found) for check in checks}


def test_llama_continues_as_the_plain_loop_does(folder: Path, tmp_path: Path) -> None:
    checks = llama_checks(folder, tmp_path, 6)
    assert checks["llama.cpp: greedy tokens"][0] == OK, checks
    assert checks["llama.cpp: tokens to text"][0] == OK, checks


def test_llama_continues_the_shipped_model_and_cuts_text_as_we_do(tmp_path: Path) -> None:
    checks = llama_checks(checkpoint.default_folder(), tmp_path, 8)
    assert checks["llama.cpp: greedy tokens"][0] == OK, checks
    assert checks["llama.cpp: tokens to text"][0] == OK, checks
    assert checks["llama.cpp: text to tokens"] == (NOTED, "its own tokenizer cuts 8 of 8 texts as ours does")


def test_the_proof_fails_when_the_file_is_wrong(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = gguf_file.NAMES
    monkeypatch.setattr(gguf_file, "NAMES", {**names, "gate": names["up"], "up": names["gate"]})
    assert llama_checks(folder, tmp_path, 3)["llama.cpp: greedy tokens"][0] == FAILED


def plain_loop(model: Transformer, ids: list[int], count: int) -> list[int]:
    """The whole model for every token, the likeliest one, no cache."""
    new: list[int] = []
    while len(new) < count:
        new.append(int(model(torch.tensor([ids + new]))[0, -1].argmax()))
    return new


@pytest.mark.parametrize("wrong_at", [None, 0, 4, 11])
def test_one_pass_over_their_tokens_tells_the_choices_of_the_plain_loop(wrong_at: int | None) -> None:
    model, ids = tiny.model(tiny.config()), [40, 41, 300, 42]
    loop = plain_loop(model, ids, 12)
    theirs = list(loop)
    if wrong_at is not None:
        theirs[wrong_at] ^= 1
    assert prove_llama.greedy_of_ours(model, ids, theirs) == loop[: 12 if wrong_at is None else wrong_at + 1]
