"""Tiny checkpoints with random weights, one for each family that transformers knows, with a tokenizer of the family's kind.

Real files that transformers itself writes; meaningless text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

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
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN_FILES = tuple(f"<|{name}|>" for name in ("fim_prefix", "fim_middle", "fim_suffix", "fim_pad", "repo_name", "file_sep"))
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
}


@dataclass(frozen=True)
class Family:
    """``kind`` of tokenizer; ``end`` and ``begin`` spell its tokens; ``config`` is given to transformers' class."""

    config_class: str
    kind: str
    end: str
    begin: str = ""
    specials: tuple[str, ...] = ()
    chat: bool = False
    config: dict[str, Any] = field(default_factory=dict)


FAMILIES: dict[str, Family] = {
    "llama": Family("LlamaConfig", "sentencepiece", "</s>", "<s>"),
    "codellama": Family("LlamaConfig", "sentencepiece", "</s>", "<s>", ("▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>")),
    "qwen2": Family(
        "Qwen2Config",
        "qwen",
        "<|endoftext|>",
        "",
        ("<|im_start|>", "<|im_end|>", *QWEN_FILES),
        chat=True,
    ),
    "qwen3": Family("Qwen3Config", "qwen", "<|endoftext|>", "", ("<|im_start|>", "<|im_end|>"), chat=True),
    "starcoder2": Family(
        "Starcoder2Config",
        "gpt2",
        "<|endoftext|>",
        "",
        ("<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>", "<repo_name>", "<file_sep>"),
        config={"sliding_window": 48},
    ),
    "deepseek": Family(
        "LlamaConfig",
        "qwen",
        "<｜end▁of▁sentence｜>",
        "<｜begin▁of▁sentence｜>",
        ("<｜fim▁hole｜>", "<｜fim▁begin｜>", "<｜fim▁end｜>"),
    ),
    "gemma": Family(
        "GemmaConfig",
        "sentencepiece",
        "<eos>",
        "<bos>",
        ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_separator|>"),
    ),
    "gemma2": Family(
        "Gemma2Config", "sentencepiece", "<eos>", "<bos>", config={"sliding_window": 24, "query_pre_attn_scalar": 12}
    ),
    "gpt2": Family("GPT2Config", "gpt2", "<|endoftext|>"),
    "codestral": Family("MistralConfig", "sentencepiece", "</s>", "<s>", ("[PREFIX]", "[SUFFIX]", "[MIDDLE]")),
}


def make(folder: Path, family: str, *, seed: int = 0, vocab_size: int = 600, dtype: str = "float32", **config: Any) -> Path:
    """Write a whole checkpoint; returns its folder. ``config`` overrides what the family's class is given."""
    told = FAMILIES[family]
    folder.mkdir(parents=True, exist_ok=True)
    library = tokenizer(told, vocab_size)
    library.save(str(folder / "tokenizer.json"))
    settings: dict[str, Any] = {"eos_token": told.end, "tokenizer_class": "PreTrainedTokenizerFast"}
    if told.begin:
        settings |= {"bos_token": told.begin, "add_bos_token": True}
    if told.chat:
        settings["chat_template"] = CHAT
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    model(told, library, seed, config).to(getattr(torch, dtype)).save_pretrained(str(folder))
    return folder


def greedy(folder: Path, ids: list[int], tokens: int) -> list[int]:
    """The new tokens of transformers' own model, cache, attention and loop."""
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32)
    told = torch.tensor([ids])
    made = model.generate(told, attention_mask=torch.ones_like(told), max_new_tokens=tokens, do_sample=False, pad_token_id=0)
    new: list[int] = made[0].tolist()[len(ids) :]
    return new


def model(told: Family, library: Tokenizer, seed: int, config: dict[str, Any]) -> Any:
    """Random weights, large enough that greedy choices have no ties and differ from place to place."""
    ends = {"eos_token_id": library.token_to_id(told.end), "bos_token_id": library.token_to_id(told.begin or told.end)}
    sizes: dict[str, Any] = (
        {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512} if told.config_class == "GPT2Config" else SIZES
    )
    size = library.get_vocab_size() + 8  # as many checkpoints have, rows without a token
    shape = getattr(transformers, told.config_class)(
        **{
            "vocab_size": size,
            "tie_word_embeddings": told.config_class == "GPT2Config",
            **sizes,
            **ends,
            **told.config,
            **config,
        }
    )
    torch.manual_seed(seed)
    built: Any = transformers.AutoModelForCausalLM.from_config(shape)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for name, weight in built.named_parameters():
            if weight.dim() > 1:
                weight.normal_(0, 0.35 if "embed" in name or "wte" in name else 0.25)
        silent = [*library.get_added_tokens_decoder(), *range(library.get_vocab_size(), size)]
        built.get_output_embeddings().weight[silent] *= 0.01  # an answer ends where a test ends it
    return built.eval()


def tokenizer(told: Family, vocab_size: int) -> Tokenizer:
    """A trained tokenizer of the family's kind."""
    specials = [
        AddedToken(s, special=True, normalized=False) for s in dict.fromkeys((told.begin, told.end, *told.specials)) if s
    ]
    library = Tokenizer(models.BPE(byte_fallback=told.kind == "sentencepiece"))
    alphabet: Sequence[str] = sorted(pre_tokenizers.ByteLevel.alphabet())
    if told.kind == "sentencepiece":
        library.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        library.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
        library.pre_tokenizer = pre_tokenizers.Split(Regex("▁?[^▁\\n]+|\\n+|▁+"), behavior="isolated")  # to be trained with
        alphabet = []
    elif told.kind == "gpt2":
        library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        library.decoder = decoders.ByteLevel()
    else:
        split = pre_tokenizers.Split(Regex(QWEN), behavior="isolated")
        library.pre_tokenizer = pre_tokenizers.Sequence(
            [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        )
        library.decoder = decoders.ByteLevel()
    fallback = [f"<0x{b:02X}>" for b in range(256)] if told.kind == "sentencepiece" else []
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=[*specials, *fallback], initial_alphabet=alphabet, show_progress=False
    )
    library.train_from_iterator([TEXT] * 4, trainer)
    if fallback:  # tokens of the vocabulary like any other; the trainer could only add them as special ones
        described = json.loads(library.to_str())
        described["added_tokens"] = [token for token in described["added_tokens"] if token["content"] not in fallback]
        described["pre_tokenizer"] = None
        library = Tokenizer.from_str(json.dumps(described))
    if told.begin:
        begin = library.token_to_id(told.begin)
        library.post_processor = processors.TemplateProcessing(single=f"{told.begin} $A", special_tokens=[(told.begin, begin)])
    return library
