"""One GGUF file for llama.cpp and what is built on it, written by the `gguf` package.

Knows GGUF's names and llama.cpp's tokenizers. None of llama.cpp's pre-tokenizers cuts Python as ours does: the usual ones
give the same tokens on 10 % of the lines of the standard library, because they hand the last space of an indentation to the
word after it, and the best on 89 %, because it parts a number from the space before it. Its "llama" tokenizer (SentencePiece
BPE) cuts nothing and joins the best-scored neighbours; with our merge ranks as scores, runs of spaces first, it gives the
same tokens on all 85,754 different ASCII lines of the library's modules. What remains: a character outside the vocabulary is
spelled byte by byte where ours may join two of its bytes (5 of the 17 other lines).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from assistant.model import checkpoint
from assistant.model.checkpoint import Checkpoint
from assistant.model.export import optional, stock, vocabulary
from assistant.model.export.place import ExportError, new_file

DTYPES = {
    "f32": ("F32", "ALL_F32"),
    "f16": ("F16", "MOSTLY_F16"),
    "bf16": ("BF16", "MOSTLY_BF16"),
    "q8_0": ("Q8_0", "MOSTLY_Q8_0"),
}
"""Ours -> the tensors' type and the file's."""
Q8_BLOCK = 32
"""Weights of a row that share one scale; a row that is no multiple of it is kept in half precision, as llama.cpp does."""
SPACE = "\u2581"
"""How SentencePiece writes a space, inside its vocabulary."""
HEXADECIMAL = frozenset(bytes([byte]) for byte in (0, *range(0x80, 0x100)))
"""Bytes that are spelled as ``<0x..>``: those that are no character of their own, and the one that ends a string in C."""

NAMES = {
    "embed": "token_embd.weight",
    "attention_norm": "blk.{layer}.attn_norm.weight",
    "q": "blk.{layer}.attn_q.weight",
    "k": "blk.{layer}.attn_k.weight",
    "v": "blk.{layer}.attn_v.weight",
    "out": "blk.{layer}.attn_output.weight",
    "q_norm": "blk.{layer}.attn_q_norm.weight",
    "k_norm": "blk.{layer}.attn_k_norm.weight",
    "mlp_norm": "blk.{layer}.ffn_norm.weight",
    "gate": "blk.{layer}.ffn_gate.weight",
    "up": "blk.{layer}.ffn_up.weight",
    "down": "blk.{layer}.ffn_down.weight",
    "norm": "output_norm.weight",
}
SPECIALS = {
    "end": ("bos", "eos", "eot"),
    "pad": ("padding",),
    "fim_prefix": ("fim_pre",),
    "fim_suffix": ("fim_suf",),
    "fim_middle": ("fim_mid",),
    "file": ("fim_sep",),
}
"""Our special tokens -> their roles in GGUF; "fim_sep" is followed by a path and a newline, as our ``file`` is."""


def target_file(out: Path, name: str, dtype: str) -> Path:
    """``out`` itself when it ends in .gguf, else a file of the model's name in that folder."""
    return out if out.suffix == ".gguf" else out / f"{name}-{dtype}.gguf"


def write(source: Checkpoint, folder: Path, target: Path, dtype: str = "f32", force: bool = False) -> Path:
    """Write the checkpoint that was loaded from ``folder``; returns the file's path. Raises `ExportError`."""
    gguf = optional.load("gguf")
    with new_file(target, force) as staging:
        writer = gguf.GGUFWriter(str(staging), stock.family(source.config))
        try:
            _add_shape(writer, gguf, source, dtype)
            _add_vocabulary(writer, gguf, source, folder / checkpoint.TOKENIZER)
            for name, tensor in stock.named(source.config, source.tensors(), NAMES):
                _add_tensor(writer, gguf, name, _turned(name, tensor, source), dtype)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
        finally:
            writer.close()
    return target


def _add_shape(writer: Any, gguf: Any, source: Checkpoint, dtype: str) -> None:
    shape = source.config
    writer.add_name(source.name)
    writer.add_file_type(gguf.LlamaFileType[DTYPES[dtype][1]])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_vocab_size(shape.vocab_size)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.d_model)
    writer.add_block_count(shape.n_layers)
    writer.add_feed_forward_length(shape.d_ff)
    writer.add_head_count(shape.n_heads)
    writer.add_head_count_kv(shape.n_kv_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_layer_norm_rms_eps(shape.norm_eps)


def _add_vocabulary(writer: Any, gguf: Any, source: Checkpoint, path: Path) -> None:
    tokenizer = source.tokenizer
    entries = list(_entries(gguf.TokenType, source, vocabulary.spellings(path)))
    texts = [text for text, _ in entries]
    if len(set(texts)) != len(texts):
        raise ExportError(f"two tokens of {path} have the same spelling in GGUF; use a checkpoint of Sotto's")
    unmerged = [0] * (source.config.vocab_size - tokenizer.vocab_size)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(texts)
    writer.add_token_scores([float(-rank) for rank in vocabulary.merge_ranks(path, tokenizer) + unmerged])
    writer.add_token_types([int(kind) for _, kind in entries])
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    for name, roles in SPECIALS.items():
        for role in roles if name in tokenizer.specials else ():
            writer.add_uint32(f"tokenizer.ggml.{role}_token_id", tokenizer.specials[name])


def _entries(kinds: Any, source: Checkpoint, spelling: dict[int, str]) -> Iterator[tuple[bytes, int]]:
    """(text, kind) of every row of the embedding."""
    for token, spelled in enumerate(source.tokenizer.token_bytes):
        if not spelled:
            yield spelling.get(token, f"[unused {token}]").encode(), kinds.CONTROL
        elif spelled in HEXADECIMAL:
            yield f"<0x{spelled[0]:02X}>".encode(), kinds.BYTE
        else:
            yield spelled.replace(b" ", SPACE.encode()), kinds.NORMAL
    for token in range(source.tokenizer.vocab_size, source.config.vocab_size):
        yield f"[unused {token}]".encode(), kinds.UNUSED


def _turned(name: str, tensor: Tensor, source: Checkpoint) -> Tensor:
    """llama.cpp turns neighbouring numbers in "llama" models and halves in "qwen3" ones; ours are halves."""
    shape = source.config
    if shape.qk_norm or not name.endswith(("attn_q.weight", "attn_k.weight")):
        return tensor
    return tensor.view(-1, 2, shape.head_dim // 2, shape.d_model).transpose(1, 2).reshape(tensor.shape)


def _add_tensor(writer: Any, gguf: Any, name: str, tensor: Tensor, dtype: str) -> None:
    """Norms stay in full precision: llama.cpp adds them as such, and they are a thousandth of the file."""
    values: np.ndarray[Any, Any] = tensor.contiguous().numpy()
    kind = DTYPES[dtype][0] if tensor.dim() == 2 else "F32"
    if kind == "Q8_0" and tensor.shape[1] % Q8_BLOCK:
        kind = "F16"
    quantization = gguf.GGMLQuantizationType[kind]
    writer.add_tensor(name, gguf.quants.quantize(values, quantization), raw_dtype=quantization)
