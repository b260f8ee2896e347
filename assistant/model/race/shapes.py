"""What runs the race: the shipped weights, or random ones of a larger shape, in every form that the programs read.

Knows checkpoints and exports. Speed does not depend on what weights say, so a shape that nobody has trained yet can be timed.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from assistant.model import checkpoint, saving
from assistant.model.checkpoint import Checkpoint
from assistant.model.config import ModelConfig
from assistant.model.export import gguf_file, transformers_folder, vocabulary
from assistant.model.transformer import Transformer

LARGE: dict[str, Any] = {
    "n_layers": 14,
    "d_model": 512,
    "n_heads": 8,
    "n_kv_heads": 2,
    "head_dim": 64,
    "d_ff": 1408,
    "qk_norm": False,
}
"""45 M parameters: the shape that the ceilings of CPUs were measured with."""


@dataclass(frozen=True)
class Entry:
    """One set of weights in every form. ``gguf`` names llama.cpp's type of the weights."""

    name: str
    source: Checkpoint
    transformers: Path | None
    gguf: Path | None
    gguf_type: str


def default(folder: Path, context: int, scratch: Path, against: frozenset[str]) -> Entry:
    """The checkpoint of ``folder`` with room for ``context`` tokens (positions it never learnt cost what others cost)."""
    loaded = checkpoint.load(folder)
    return _entry(loaded.name, _longer(loaded, context), folder, scratch, against)


def large(folder: Path, context: int, scratch: Path, against: frozenset[str]) -> Entry:
    """Random weights of the shape `LARGE` behind the tokenizer of ``folder``; rounded to int8 as a shipped model is."""
    base = checkpoint.load(folder)
    shape = dataclasses.replace(base.config, **LARGE, exits=(), context=context)
    torch.manual_seed(0)
    model = _random(shape)
    place = scratch / "large"
    spelled = vocabulary.spellings(folder / checkpoint.TOKENIZER)
    specials = {name: spelled[number] for name, number in base.tokenizer.specials.items()}
    saving.save(place, model, folder / checkpoint.TOKENIZER, name="random-45M", special_tokens=specials)
    return _entry("random-45M", checkpoint.load(place), place, scratch, against)


def _longer(loaded: Checkpoint, context: int) -> Checkpoint:
    shape = dataclasses.replace(loaded.config, context=max(context, loaded.config.context))
    return dataclasses.replace(loaded, config=shape)


def _random(shape: ModelConfig) -> Transformer:
    model = Transformer(shape)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.normal_(0.0, parameter.shape[1] ** -0.5)
    return model.eval()


def _entry(name: str, source: Checkpoint, folder: Path, scratch: Path, against: frozenset[str]) -> Entry:
    whole = source.config.d_model % 32 == 0 and source.config.d_ff % 32 == 0
    kind = "q8_0" if whole else "f16"
    return Entry(
        name,
        source,
        transformers_folder.write(source, folder, scratch / f"{name}-hf") if "transformers" in against else None,
        gguf_file.write(source, folder, scratch / f"{name}.gguf", kind) if "llamacpp" in against else None,
        kind,
    )


def bytes_read(entry: Entry, length: int) -> int:
    """What one decoded token reads in our runtime behind ``length`` others: int8 weights once, keys and values in 16 bits."""
    shape = entry.source.config
    return shape.n_params + 4 * shape.n_layers * shape.n_kv_heads * shape.head_dim * length
