"""A folder that `AutoModelForCausalLM` and `AutoTokenizer` of transformers load with their stock classes, offline.

Knows transformers' file and tensor names; needs none of its code. Early exits stay behind: stock classes have none.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from assistant.model import checkpoint
from assistant.model.checkpoint import Checkpoint
from assistant.model.export import stock, vocabulary
from assistant.model.export.place import new_folder

DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
CARD = "README.md"
FILES = ("model.safetensors", "tokenizer.json", "tokenizer_config.json", "generation_config.json", "config.json", CARD)
CLASSES = {"qwen3": "Qwen3ForCausalLM", "llama": "LlamaForCausalLM"}
NAMES = {
    "embed": "model.embed_tokens.weight",
    "attention_norm": "model.layers.{layer}.input_layernorm.weight",
    "q": "model.layers.{layer}.self_attn.q_proj.weight",
    "k": "model.layers.{layer}.self_attn.k_proj.weight",
    "v": "model.layers.{layer}.self_attn.v_proj.weight",
    "out": "model.layers.{layer}.self_attn.o_proj.weight",
    "q_norm": "model.layers.{layer}.self_attn.q_norm.weight",
    "k_norm": "model.layers.{layer}.self_attn.k_norm.weight",
    "mlp_norm": "model.layers.{layer}.post_attention_layernorm.weight",
    "gate": "model.layers.{layer}.mlp.gate_proj.weight",
    "up": "model.layers.{layer}.mlp.up_proj.weight",
    "down": "model.layers.{layer}.mlp.down_proj.weight",
    "norm": "model.norm.weight",
}


def write(source: Checkpoint, folder: Path, target: Path, dtype: str = "f32", force: bool = False) -> Path:
    """Write the checkpoint that was loaded from ``folder``; returns ``target``. Raises `ExportError`."""
    with new_folder(target, folder, force) as staging:
        tensors = {
            name: value.to(DTYPES[dtype]).contiguous() for name, value in stock.named(source.config, source.tensors(), NAMES)
        }
        save_file(tensors, str(staging / "model.safetensors"), metadata={"format": "pt"})
        shutil.copyfile(folder / checkpoint.TOKENIZER, staging / checkpoint.TOKENIZER)
        _json(staging / "tokenizer_config.json", _tokenizer_config(source, vocabulary.spellings(folder / checkpoint.TOKENIZER)))
        _json(staging / "generation_config.json", {**_special_ids(source), "do_sample": False})
        _json(staging / "config.json", _config(source, dtype))
        if (folder / CARD).is_file():
            shutil.copyfile(folder / CARD, staging / CARD)
    return target


def _config(source: Checkpoint, dtype: str) -> dict[str, Any]:
    """RoPE's base stands twice: transformers 4 reads ``rope_theta``, 5 reads ``rope_parameters``; so with the two dtypes."""
    shape, architecture = source.config, stock.family(source.config)
    dtype_name = str(DTYPES[dtype]).removeprefix("torch.")
    return {
        "architectures": [CLASSES[architecture]],
        "model_type": architecture,
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.d_model,
        "intermediate_size": shape.d_ff,
        "num_hidden_layers": shape.n_layers,
        "num_attention_heads": shape.n_heads,
        "num_key_value_heads": shape.n_kv_heads,
        "head_dim": shape.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": shape.context,
        "rms_norm_eps": shape.norm_eps,
        "rope_theta": shape.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_theta},
        "tie_word_embeddings": True,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "mlp_bias": False,
        "use_cache": True,
        "dtype": dtype_name,
        "torch_dtype": dtype_name,
        **_special_ids(source),
    }


def _special_ids(source: Checkpoint) -> dict[str, int]:
    """The end token closes one document and so opens the next: it is where text starts and where it ends."""
    end = source.tokenizer.specials[source.family.end]
    return {"bos_token_id": end, "eos_token_id": end, "pad_token_id": source.tokenizer.specials.get("pad", end)}


def _tokenizer_config(source: Checkpoint, spelling: Mapping[int, str]) -> dict[str, Any]:
    ids = _special_ids(source)
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": source.config.context,
        "clean_up_tokenization_spaces": False,
        "bos_token": spelling[ids["bos_token_id"]],
        "eos_token": spelling[ids["eos_token_id"]],
        "pad_token": spelling[ids["pad_token_id"]],
        "additional_special_tokens": [spelling[i] for i in sorted(source.tokenizer.specials.values())],
    }


def _json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
