"""A checkpoint folder: config.json, model.safetensors, tokenizer.json. Read it only if it is whole; `saving` writes it.

Knows files and shapes; does not know requests, and imports no torch: the engine's fused step needs none. Every way in which a
checkpoint can be unusable ends in one `CheckpointError` whose sentence names the file and what to do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from assistant.model import exits, turbo
from assistant.model.config import ConfigError, ModelConfig
from assistant.model.exits import StopHead
from assistant.model.families import FAMILIES, Family
from assistant.model.tokenizer import CodeTokenizer, TokenizerError
from assistant.types import EngineError

if TYPE_CHECKING:
    from torch import Tensor

    from assistant.model.transformer import Transformer

Floats = NDArray[np.float32]

FORMAT = 1
CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
_AGAIN = "copy the checkpoint again, or reinstall Sotto if it is the model that comes with it"


class CheckpointError(EngineError):
    """No usable model in this folder; the text is one sentence, fit for the user."""


@dataclass(frozen=True)
class Checkpoint:
    """A model ready to run. ``weights`` are `Transformer`'s, by name, in fp32 whatever the file holds.

    They are arrays, not a `Transformer`: importing torch costs the engine 1 s and 150 MB. ``sha256`` is the weight file's.
    """

    name: str
    family: Family
    config: ModelConfig
    weights: dict[str, Floats]
    tokenizer: CodeTokenizer
    quantization: str
    sha256: str
    stop_head: StopHead | None = None
    leaving: Floats | None = None

    def transformer(self) -> Transformer:
        """The model as a module, sharing the weights: for tests, further training and export."""
        from assistant.model.transformer import Transformer

        model = Transformer(self.config)
        model.load_state_dict(self.tensors(), assign=True)
        return model.eval().requires_grad_(False)

    def tensors(self) -> dict[str, Tensor]:
        """The weights as torch sees them, in the same memory."""
        import torch

        return {name: torch.from_numpy(array) for name, array in self.weights.items()}


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
        stop_head=exits.read(folder, config, shape.d_model),
        leaving=turbo.read(folder, config, shape),
    )


def sha256(path: Path) -> str:
    """Hex digest of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


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


def _weights(path: Path, config: ModelConfig) -> dict[str, Floats]:
    """Read tensor by tensor, so that memory never holds the file and the result together."""
    try:
        with safe_open(str(path), framework="np") as file:
            names = set(file.keys())
            return {key: _read(file, path, key, shape, names) for key, shape in shapes(config).items()}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); {_AGAIN}") from error


def _read(file: Any, path: Path, key: str, shape: tuple[int, ...], names: set[str]) -> Floats:
    """One tensor in fp32, its int8 rows scaled."""
    if key not in names:
        raise CheckpointError(f"{path} lacks the tensor {key} that {CONFIG} describes; {_AGAIN}")
    found = file.get_slice(key)
    if tuple(found.get_shape()) != shape:
        raise CheckpointError(f"{path} has {key} as {tuple(found.get_shape())} where {CONFIG} describes {shape}; {_AGAIN}")
    if found.get_dtype() == "BF16":
        return _bf16(path, key).reshape(shape)
    value = file.get_tensor(key)
    floats: Floats = value.astype(np.float32)
    if value.dtype != np.int8:
        return floats
    scale = file.get_tensor(f"{key}.scale") if f"{key}.scale" in names else None
    if scale is None or scale.shape != shape[:1]:
        raise CheckpointError(f"{path} has no scale for each row of {key}; {_AGAIN}")
    floats *= scale.astype(np.float32)[:, None]
    return floats


def _bf16(path: Path, key: str) -> Floats:
    """A tensor that numpy has no type for: the upper halves of its fp32 values, from the file's own bytes."""
    with path.open("rb") as file:
        start = 8 + int.from_bytes(file.read(8), "little")
        first, last = json.loads(file.read(start - 8))[key]["data_offsets"]
        file.seek(start + first)
        halves = np.frombuffer(file.read(last - first), "<u2")
    return (halves.astype(np.uint32) << 16).view(np.float32)
