"""Transformers loads our export with its stock classes and computes the same logits and the same tokens.

Knows transformers' loaders and our `Transformer`. Does not know llama.cpp.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from assistant.model.checkpoint import Checkpoint
from assistant.model.export import optional, prompts, transformers_folder
from assistant.model.export.checks import Check, proof

TOLERANCE = 1e-4
"""Logits are of order 10 and sums of a few hundred fp32 products: another order of summing moves them by some 1e-5."""
PROMPTS = 12
"""A prompt has a hundred positions of 8k logits each: more of them find nothing new."""


def prove(source: Checkpoint, folder: Path, scratch: Path, cursors: Sequence[prompts.Cursor]) -> Iterator[Check]:
    """Export to ``scratch``, load, compare. Raises `ExportError`."""
    library = optional.load("transformers")
    library.utils.logging.disable_progress_bar()
    target = str(transformers_folder.write(source, folder, scratch / "transformers"))
    theirs = library.AutoModelForCausalLM.from_pretrained(target, local_files_only=True).float().eval()
    reader = library.AutoTokenizer.from_pretrained(target, local_files_only=True)
    ours, worst = source.transformer(), 0.0
    some = cursors[:PROMPTS]
    with torch.inference_mode():
        for cursor in some:
            tokens = torch.tensor([prompts.ids(cursor, source.tokenizer)[-source.config.context :]])
            worst = max(worst, float((ours(tokens) - theirs(tokens).logits).abs().max()))
    found = f"{type(theirs).__name__} gives the same within {worst:.1e} on {len(some)} prompts in fp32"
    yield proof("transformers: logits", worst <= TOLERANCE, found)
    texts = [cursor.before + cursor.after for cursor in cursors]
    same = sum(reader.encode(text, add_special_tokens=False) == source.tokenizer.encode(text) for text in texts)
    yield proof("transformers: text to tokens", same == len(texts), f"the same for {same} of {len(texts)} texts")
