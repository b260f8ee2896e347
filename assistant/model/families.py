"""Model families: which special tokens a checkpoint must bring, how others spell theirs, and how each wants a hole written.

Knows names and spellings only: ids are the tokenizer's, the order in a prompt is the prompt builder's
(`assistant.completion.prompt`, which has a layout for each name in `LAYOUT_OF`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """``end`` closes a document and an answer; ``required`` are the names that prompts of this family use."""

    name: str
    end: str
    required: tuple[str, ...]


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (Family("sotto", end="end", required=("end", "file", "fim_prefix", "fim_suffix", "fim_middle")),)
}

SPELLINGS: dict[str, tuple[str, ...]] = {
    # Qwen2.5-Coder, CodeGemma | StarCoder2, Granite | SantaCoder | DeepSeek-Coder | CodeLlama | Codestral
    "fim_prefix": ("<|fim_prefix|>", "<fim_prefix>", "<fim-prefix>", "<｜fim▁begin｜>", "▁<PRE>", "[PREFIX]"),
    "fim_suffix": ("<|fim_suffix|>", "<fim_suffix>", "<fim-suffix>", "<｜fim▁hole｜>", "▁<SUF>", "[SUFFIX]"),
    "fim_middle": ("<|fim_middle|>", "<fim_middle>", "<fim-middle>", "<｜fim▁end｜>", "▁<MID>", "[MIDDLE]"),
    "fim_pad": ("<|fim_pad|>", "<fim_pad>", "<fim-pad>"),
    "fim_end": ("▁<EOT>",),
    "file_sep": ("<|file_sep|>", "<file_sep>", "<|file_separator|>"),
    "repo_name": ("<|repo_name|>", "<repo_name>", "<reponame>"),
    "turn_end": ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|EOT|>", "<|end_of_text|>", "<|endoftext|>"),
}
"""Name -> how checkpoints spell it. A text that spells one of these is never read as the token."""

CLOSING = ("fim_prefix", "fim_suffix", "fim_middle", "fim_pad", "fim_end", "file_sep", "repo_name", "turn_end")
"""A model that writes one of these has said what it had to say: a file, a hole or a turn is over."""

HOLE = ("fim_prefix", "fim_suffix", "fim_middle")
PLAIN, PSM, PSM_FILES, SPM, SUFFIX_FIRST = "plain", "psm", "psm_files", "spm", "suffix_first"
LAYOUT_OF: Mapping[str, str] = {"▁<SUF>": SPM, "[SUFFIX]": SUFFIX_FIRST}
"""The spelling of ``fim_suffix`` -> the layout, where it is not prefix first. CodeLlama has learnt both orders (arXiv
2308.12950, section 2.3): suffix first keeps the KV cache while one types. Codestral knows ``[SUFFIX]``, ``[PREFIX]`` only."""


def named(spellings: Collection[str]) -> dict[str, str]:
    """Name -> spelling of the special tokens that are among ``spellings``, the first of a list winning."""
    found = ((name, next((one for one in known if one in spellings), "")) for name, known in SPELLINGS.items())
    return {name: spelling for name, spelling in found if spelling}


def layout(specials: Mapping[str, str]) -> str:
    """How a checkpoint with these special tokens (name -> spelling) wants a hole written."""
    if any(name not in specials for name in HOLE):
        return PLAIN
    chosen = LAYOUT_OF.get(specials["fim_suffix"])
    return chosen or (PSM_FILES if "file_sep" in specials else PSM)
