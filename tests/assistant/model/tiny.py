"""A tiny checkpoint with random weights and a tokenizer trained on a few lines: real files, meaningless text."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from assistant.model import saving
from assistant.model.config import ModelConfig
from assistant.model.transformer import Transformer

NAMES = (
    *("end", "pad", "fim_prefix", "fim_suffix", "fim_middle", "file"),
    *("edit", "edit_old", "edit_new", "no_edit", "cursor", "line"),
    *(f"r{i}" for i in range(20)),
)
SPECIALS = {name: f"<|{name}|>" for name in NAMES}
"""Name -> spelling, ids 0 to 31 in this order, as in the trained tokenizer."""

TEXT = """\
import os
def first(items):
    return items[0] if items else None
class Reader:
    def __init__(self, path, encoding="utf-8"):
        self.path = path
        self.encoding = encoding
    def read_lines(self):
        with open(self.path, encoding=self.encoding) as file:
            return [line.rstrip() for line in file]
"""
STRANGE = "".join(f"Q{i}={i}!\n" for i in range(200))
"""Text the tokenizer has no long tokens for: about as many tokens as characters."""
PATTERN = r"\n| {2,}|\t+| ?[\p{L}\p{M}_]+| ?\p{N}| ?[^\s\p{L}\p{M}\p{N}_]+|\s"


def tokenizer(path: Path, vocab_size: int = 384, pattern: str = PATTERN) -> Path:
    """Write a tokenizer.json of the shipped model's kind."""
    library = Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    library.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIALS.values()),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    library.train_from_iterator([TEXT] * 4, trainer)
    library.save(str(path))
    return path


def config(vocab_size: int = 384, context: int = 256, layers: int = 2) -> ModelConfig:
    return ModelConfig(
        vocab_size=vocab_size,
        d_model=32,
        n_layers=layers,
        n_heads=4,
        n_kv_heads=2,
        head_dim=16,
        d_ff=48,
        context=context,
    )


def model(shape: ModelConfig, seed: int = 0) -> Transformer:
    """Random weights, large enough that greedy choices have no ties and differ from place to place.

    The end token's row is small and so is its logit, never the largest: an answer ends only where a test ends it.
    """
    torch.manual_seed(seed)
    built = Transformer(shape)
    with torch.no_grad():
        for parameter in built.parameters():
            if parameter.dim() == 2:
                parameter.normal_(std=0.3)
            else:
                parameter.uniform_(0.5, 1.5)
        built.embed.weight[0] *= 0.01
    return built.eval()


def build(folder: Path, *, shape: ModelConfig | None = None, quantization: str = "int8", seed: int = 0) -> Path:
    """A checkpoint folder, ready for `checkpoint.load` or the engine process."""
    shape = shape or config()
    folder.mkdir(parents=True, exist_ok=True)
    file = tokenizer(folder / "tokenizer.json", shape.vocab_size)
    saving.save(folder, model(shape, seed), file, name="random", special_tokens=SPECIALS, quantization=quantization)
    return folder
