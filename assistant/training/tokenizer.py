"""Train the tokenizer: byte-level BPE whose tokens never cross a newline, with indentation runs and single digits.

Knows strings and the `tokenizers` library. Every split is decided without looking back, so that a text cut at any line
start, or a prompt that begins there, has the same tokens as the same lines inside the whole document.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

END, PAD, FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE, FILE = range(6)
SPECIAL_TOKENS: dict[str, str] = {
    "end": "<|end|>",
    "pad": "<|pad|>",
    "fim_prefix": "<|fim_prefix|>",
    "fim_suffix": "<|fim_suffix|>",
    "fim_middle": "<|fim_middle|>",
    "file": "<|file|>",
    "edit": "<|edit|>",
    "edit_old": "<|edit_old|>",
    "edit_new": "<|edit_new|>",
    "no_edit": "<|no_edit|>",
    "cursor": "<|cursor|>",
    "line": "<|line|>",
    **{f"r{i}": f"<|r{i}|>" for i in range(20)},
}
# One newline; a run of two or more spaces; tabs; a word, a digit or punctuation with at most one space before it.
PATTERN = r"\n| {2,}|\t+| ?[\p{L}\p{M}_]+| ?\p{N}| ?[^\s\p{L}\p{M}\p{N}_]+|\s"


def train(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """A tokenizer of ``vocab_size`` entries: 32 special tokens, 256 bytes, the rest learnt from ``texts``."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=list(SPECIAL_TOKENS.values()),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        max_token_length=24,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def load(path: Path) -> Tokenizer:
    """Read a tokenizer.json; a special token spelled out in source text stays plain text."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.encode_special_tokens = True
    return tokenizer
