"""`sotto model verify`: a checkpoint is whole, and other programs compute the same from its exports.

Knows which checks there are, cheapest first. What is not installed is not checked, and the report says so.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from assistant.model import checkpoint
from assistant.model.checkpoint import CheckpointError
from assistant.model.export import prompts, prove_llama, prove_transformers
from assistant.model.export.checks import FAILED, NOT_CHECKED, OK, Check, guarded

PROMPTS = 50


def verify(folder: Path) -> Iterator[Check]:
    """Every check; a checkpoint that is not whole ends it."""
    try:
        source = checkpoint.load(folder)
    except CheckpointError as error:
        yield Check("files", FAILED, str(error), "give another checkpoint with --model")
        return
    yield Check("files", OK, f"{checkpoint.WEIGHTS} and {checkpoint.TOKENIZER} are as {checkpoint.CONFIG} says")
    cursors = prompts.from_standard_library(PROMPTS)
    if not cursors:
        yield Check("prompts", NOT_CHECKED, "this Python has no sources of its library", "use a Python that has them")
        return
    with tempfile.TemporaryDirectory(prefix="sotto-verify-") as scratch:
        for name, prove in (("transformers", prove_transformers.prove), ("llama.cpp", prove_llama.prove)):
            yield from guarded(name, partial(prove, source, folder, Path(scratch), cursors))
