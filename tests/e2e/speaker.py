"""A transformers checkpoint that says one sentence: after the prompt's last token comes its first one, and so on to its end.

A real model of a real family, with weights that look one token back.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer

from tests.assistant.model.hf import tiny

WIDTH = 704  # more than there are tokens: each has a direction of its own


def make(folder: Path, last: str, sentence: str) -> Path:
    """Write it; ``last`` ends the prompt. No token may stand twice in what it says."""
    tiny.make(folder, "qwen2", hidden_size=WIDTH, intermediate_size=8, num_hidden_layers=1, max_position_embeddings=4096)
    library = Tokenizer.from_file(str(folder / "tokenizer.json"))
    end = library.token_to_id("<|endoftext|>")
    said = [*library.encode(last).ids[-1:], *library.encode(sentence).ids, end]
    assert len(set(said)) == len(said) < WIDTH, "a token stands twice"
    built: Any = transformers.AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32)
    with torch.no_grad():
        for name, weight in built.named_parameters():
            if "o_proj" in name or "down_proj" in name:
                weight.zero_()
        before, after = built.get_input_embeddings().weight, built.get_output_embeddings().weight
        before.copy_(torch.eye(*before.shape))
        after.zero_()
        after[end] = 1.0  # whatever else is read: the end
        for token, following in pairwise(said):
            after[following, token] = 2.0
        after[said[0], said[-2]] = 1.99  # nearly as likely as the end: the line may go on, to be compared with others
    built.save_pretrained(str(folder))
    return folder
