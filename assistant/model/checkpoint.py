"""A checkpoint folder: config.json, model.safetensors, tokenizer.json. Write it whole; read it only if it is whole.

Knows files and shapes; does not know requests. Every way in which a checkpoint can be unusable ends in one
`CheckpointError` whose sentence names the file and what to do.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from assistant.model.config import ConfigError, ModelConfig
from assistant.model.families import FAMILIES, Family
from assistant.model.tokenizer import CodeTokenizer, TokenizerError
from assistant.model.transformer import Transformer
from assistant.types import EngineError

FORMAT = 1
CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
QUANTIZATIONS = ("int8", "bf16", "none")
_AGAIN = "copy the checkpoint again, or reinstall Sotto if it is the model that comes with it"


class CheckpointError(EngineError):
    """No usable model in this folder; the text is one sentence, fit for the user."""


@dataclass(frozen=True)
class Checkpoint:
    """A model ready to run. ``weights`` are `Transformer`'s, by name, in fp32 whatever the file holds.

    They are not put into a `Transformer` here: building one costs the engine more than reading the file (with torch 2.13
    a module on the meta device imports sympy and all decompositions: 1.1 s and 100 MB). ``sha256`` is the weight file's.
    """

    name: str
    family: Family
    config: ModelConfig
    weights: dict[str, Tensor]
    tokenizer: CodeTokenizer
    quantization: str
    sha256: str

    def transformer(self) -> Transformer:
        """The model as a module, sharing the weights: for tests, further training and export."""
        model = Transformer(self.config)
        model.load_state_dict(self.weights, assign=True)
        return model.eval().requires_grad_(False)


def default_folder() -> Path:
    """The model that comes with the package."""
    return Path(__file__).resolve().parent / "weights" / "tiny"


def load(folder: Path) -> Checkpoint:
    """Read a checkpoint folder. Raises `CheckpointError`."""
    config = _config(folder)
    family = FAMILIES.get(config.get("family", ""))
    if family is None:
        raise CheckpointError(f"{folder / CONFIG} names no model family that this version of Sotto knows; update Sotto")
    _verify(folder, config.get("sha256"))
    shape = _shape(folder, config)
    tokenizer = _tokenizer(folder, config, family, shape)
    return Checkpoint(
        name=str(config.get("name", folder.name)),
        family=family,
        config=shape,
        weights=_weights(folder / WEIGHTS, shape),
        tokenizer=tokenizer,
        quantization=str(config.get("quantization", "none")),
        sha256=config["sha256"][WEIGHTS],
    )


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


def sha256(path: Path) -> str:
    """Hex digest of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


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


def _config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        what = f"{folder} holds no {CONFIG}" if folder.is_dir() else f"the model folder {folder} does not exist"
        raise CheckpointError(f"{what}; set `model` to the folder of a Sotto checkpoint, or leave it empty") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); {_AGAIN}") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        version = config.get("format") if isinstance(config, dict) else None
        raise CheckpointError(f"{path} has format {version!r}, this version of Sotto reads format {FORMAT}; update Sotto")
    return config


def _verify(folder: Path, sums: Any) -> None:
    for file in (WEIGHTS, TOKENIZER):
        expected = sums.get(file) if isinstance(sums, dict) else None
        if not isinstance(expected, str):
            raise CheckpointError(f"{folder / CONFIG} gives no sha256 of {file}; {_AGAIN}")
        try:
            found = sha256(folder / file)
        except OSError as error:
            raise CheckpointError(f"{folder / file} cannot be read ({error.strerror}); {_AGAIN}") from error
        if found != expected:
            raise CheckpointError(f"{folder / file} is damaged: its sha256 is not the one in {CONFIG}; {_AGAIN}")


def _shape(folder: Path, config: Mapping[str, Any]) -> ModelConfig:
    try:
        return ModelConfig.from_json(config.get("model"))
    except ConfigError as error:
        raise CheckpointError(f"{folder / CONFIG} describes no model ({error}); {_AGAIN}") from error


def _tokenizer(folder: Path, config: Mapping[str, Any], family: Family, shape: ModelConfig) -> CodeTokenizer:
    specials = config.get("special_tokens")
    missing = [name for name in family.required if not isinstance(specials, dict) or name not in specials]
    if missing or not isinstance(specials, dict):
        raise CheckpointError(f"{folder / CONFIG} lacks the special tokens {', '.join(missing)}; {_AGAIN}")
    try:
        tokenizer = CodeTokenizer(folder / TOKENIZER, specials)
    except TokenizerError as error:
        raise CheckpointError(f"{folder / TOKENIZER} is no tokenizer for this model ({error}); {_AGAIN}") from error
    if tokenizer.vocab_size > shape.vocab_size:
        counts = f"{tokenizer.vocab_size} tokens where the model has {shape.vocab_size}"
        raise CheckpointError(f"{folder / TOKENIZER} has {counts}; {_AGAIN}")
    return tokenizer


def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """The name and shape of every weight of a `Transformer` of this shape."""
    width, heads = config.d_model, config.n_heads * config.head_dim
    block = {
        "attention_norm.weight": (width,),
        "attention.qkv.weight": (heads + 2 * config.n_kv_heads * config.head_dim, width),
        "attention.out.weight": (width, heads),
        "mlp_norm.weight": (width,),
        "mlp.gate_up.weight": (2 * config.d_ff, width),
        "mlp.down.weight": (width, config.d_ff),
    }
    if config.qk_norm:
        block |= {f"attention.{name}.weight": (config.head_dim,) for name in ("q_norm", "k_norm")}
    blocks = {f"blocks.{i}.{name}": shape for i in range(config.n_layers) for name, shape in block.items()}
    return {"embed.weight": (config.vocab_size, width), **blocks, "norm.weight": (width,)}


def _weights(path: Path, config: ModelConfig) -> dict[str, Tensor]:
    """Read tensor by tensor, so that memory never holds the file and the result together."""
    try:
        with safe_open(str(path), framework="pt") as file:
            names = set(file.keys())
            return {key: _read(file, path, key, shape, names) for key, shape in shapes(config).items()}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); {_AGAIN}") from error


def _read(file: Any, path: Path, key: str, shape: tuple[int, ...], names: set[str]) -> Tensor:
    """One tensor in fp32, its int8 rows scaled."""
    if key not in names:
        raise CheckpointError(f"{path} lacks the tensor {key} that {CONFIG} describes; {_AGAIN}")
    value: Tensor = file.get_tensor(key)
    if value.shape != shape:
        raise CheckpointError(f"{path} has {key} as {tuple(value.shape)} where {CONFIG} describes {shape}; {_AGAIN}")
    if value.dtype != torch.int8:
        return value.float()
    scale = file.get_tensor(f"{key}.scale") if f"{key}.scale" in names else None
    if scale is None or scale.shape != shape[:1]:
        raise CheckpointError(f"{path} has no scale for each row of {key}; {_AGAIN}")
    return value.float().mul_(scale.float()[:, None])
