"""llama.cpp loads our GGUF and continues prompts with the tokens that the plain loop chooses.

Knows llama-cpp-python and our `Transformer`. Token ids go in and come out, so that the proof does not hang on how text is
cut; how often its tokenizer cuts text as ours does is a figure beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

import torch

from assistant.model.checkpoint import Checkpoint
from assistant.model.export import gguf_file, optional, prompts
from assistant.model.export.checks import NOTED, Check, proof
from assistant.model.transformer import Transformer

NEW_TOKENS = 16
GGML_F32 = 0
"""GGML's number of the type for keys and values; llama.cpp's default, fp16, rounds what ours does not."""


def prove(source: Checkpoint, folder: Path, scratch: Path, cursors: Sequence[prompts.Cursor]) -> Iterator[Check]:
    """Export to ``scratch``, load, compare. Raises `ExportError`."""
    optional.load("gguf")
    library = optional.load("llama_cpp")
    path = str(gguf_file.write(source, folder, scratch / "model.gguf"))
    theirs = library.Llama(path, n_ctx=source.config.context, n_threads=1, type_k=GGML_F32, type_v=GGML_F32, verbose=False)
    try:
        yield _choices(source, theirs, cursors)
        yield _spellings(source, theirs)
        yield _cuts(source, theirs, cursors)
    finally:
        theirs.close()


def greedy_of_llama(theirs: Any, ids: list[int], end: int) -> list[int]:
    """At most `NEW_TOKENS` tokens of a `llama_cpp.Llama`, from an empty cache; an end token is the last."""
    theirs.reset()
    new: list[int] = []
    for token in islice(theirs.generate(ids, temp=0.0, repeat_penalty=1.0), NEW_TOKENS):
        new.append(int(token))
        if token == end:
            break
    return new


def greedy_of_ours(model: Transformer, ids: list[int], theirs: list[int]) -> list[int]:
    """What the plain loop chooses after ``ids`` as long as it chooses as they did, and its own token where it first does not.

    The loop would run the model once for each token. One pass over their tokens gives every one of its choices, because
    each depends on the tokens before it only.
    """
    with torch.inference_mode():
        hidden, _ = model.hidden(torch.tensor([ids + theirs[:-1]]))
        choices: list[int] = model.logits(hidden[0, len(ids) - 1 :]).argmax(dim=-1).tolist()
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(choices, theirs, strict=True)))
    return choices[: same + 1]


def _choices(source: Checkpoint, theirs: Any, cursors: Sequence[prompts.Cursor]) -> Check:
    model, end = source.transformer(), source.tokenizer.specials[source.family.end]
    room = source.config.context - NEW_TOKENS
    same = tokens = 0
    first = ""
    for number, cursor in enumerate(cursors, start=1):
        ids = prompts.ids(cursor, source.tokenizer)[-room:]
        got = greedy_of_llama(theirs, ids, end)
        want = greedy_of_ours(model, ids, got)
        same, tokens = same + (want == got), tokens + len(got)
        if want != got:
            first = first or f"; first other one at prompt {number}: {got} where ours are {want}"
    found = f"the same greedy tokens on {same} of {len(cursors)} prompts, {tokens} tokens in fp32{first}"
    return proof("llama.cpp: greedy tokens", same == len(cursors), found)


def _spellings(source: Checkpoint, theirs: Any) -> Check:
    spelled = source.tokenizer.token_bytes
    same = sum(theirs.detokenize([token]) == text for token, text in enumerate(spelled) if text)
    wanted = sum(map(bool, spelled))
    return proof("llama.cpp: tokens to text", same == wanted, f"the same for {same} of {wanted} tokens")


def _cuts(source: Checkpoint, theirs: Any, cursors: Sequence[prompts.Cursor]) -> Check:
    texts = [cursor.before + cursor.after for cursor in cursors]
    same = sum(theirs.tokenize(text.encode(), add_bos=False) == source.tokenizer.encode(text) for text in texts)
    return Check("llama.cpp: text to tokens", NOTED, f"its own tokenizer cuts {same} of {len(texts)} texts as ours does")
