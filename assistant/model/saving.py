"""Write a checkpoint folder whole: for the trainer, tests and exports. `checkpoint` reads it.

Knows torch, files and shapes; does not know how the weights came about.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from assistant.model.checkpoint import CONFIG, FORMAT, TOKENIZER, WEIGHTS, sha256
from assistant.model.transformer import Transformer

QUANTIZATIONS = ("int8", "bf16", "none")


def save(
    folder: Path,
    model: Transformer,
    tokenizer: Path,
    *,
    name: str,
    special_tokens: Mapping[str, str],
    quantization: str = "int8",
    family: str = "sotto",
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write a checkpoint folder; ``tokenizer`` is a tokenizer.json to copy, ``special_tokens`` maps name to spelling.

    Every file is written beside its place and moved there, config.json with its checksums last: a reader sees the old
    checkpoint, the new one, or a checksum that does not match.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    for key, value in model.state_dict().items():
        tensors.update(_packed(key, value, quantization))
    _replace(folder / WEIGHTS, lambda path: save_file(tensors, str(path)))
    if tokenizer.resolve() != (folder / TOKENIZER).resolve():
        _replace(folder / TOKENIZER, lambda path: shutil.copyfile(tokenizer, path))
    config = {
        **(extra or {}),
        "format": FORMAT,
        "name": name,
        "family": family,
        "model": model.config.to_json(),
        "special_tokens": dict(special_tokens),
        "quantization": quantization,
        "sha256": {file: sha256(folder / file) for file in (WEIGHTS, TOKENIZER)},
    }
    _replace(folder / CONFIG, lambda path: path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8"))


def quantize(weight: Tensor) -> tuple[Tensor, Tensor]:
    """[out, in] -> int8 [out, in] and its fp32 scale [out]: symmetric, the largest weight of a row becomes 127."""
    scale = weight.float().abs().amax(dim=1).clamp_min(1e-12) / 127
    return (weight.float() / scale[:, None]).round().clamp(-127, 127).to(torch.int8), scale


def _packed(key: str, value: Tensor, quantization: str) -> dict[str, Tensor]:
    if quantization not in QUANTIZATIONS:
        raise ValueError(f"quantization must be one of {', '.join(QUANTIZATIONS)}, not {quantization!r}")
    if quantization == "int8" and value.dim() == 2:
        weight, scale = quantize(value)
        return {key: weight.contiguous(), f"{key}.scale": scale.contiguous()}
    return {key: value.detach().to(torch.bfloat16 if quantization == "bf16" else torch.float32).contiguous()}


def _replace(path: Path, write: Any) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
