"""Walk through known text as the mixture would meet it: the model's distribution, the caches' matches, the true token.

Knows packages, documents and the engine. Two kinds of walk: a document from left to right, and the hole behind a cursor with
the prompt, the healing and the end token of a real completion. What is done with the steps is `ngram_eval.py`'s.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from assistant.model.checkpoint import Checkpoint
from assistant.model.engine import Engine
from assistant.model.mixture import Floats, softmax
from assistant.model.ngram_blocks import DEEPEST
from assistant.model.ngrams import Match, NgramModel
from assistant.model.output import Output
from assistant.model.tokenizer import CodeTokenizer
from assistant.model.transformer import Transformer
from assistant.training import evaluate
from assistant.training.corpus import Document
from assistant.types import GenerateRequest


@dataclass(frozen=True)
class Step:
    """One token to predict. ``probs`` [V] is the model's; ``matches`` the workspace's and the file's; ``closing`` the first
    token behind the hole; ``allowed`` the ids that healing leaves, None for all.
    """

    probs: Floats
    matches: tuple[Match, Match]
    closing: int | None
    true: int
    allowed: NDArray[np.int64] | None = None


class Workspace:
    """A package's files as a user's workspace."""

    def __init__(self, tokenizer: CodeTokenizer, vocab_size: int, docs: Sequence[Document]) -> None:
        self._tokenizer = tokenizer
        self.vocab_size = vocab_size
        self.model = NgramModel(vocab_size)
        for doc in docs:
            self._add(doc)

    @contextmanager
    def without(self, doc: Document) -> Iterator[NgramModel]:
        """The cache while ``doc`` is the open file: the other files only."""
        self.model.remove(doc.path)
        yield self.model
        self._add(doc)

    def _add(self, doc: Document) -> None:
        self.model.add(doc.path, self._tokenizer.encode(doc.text))
        while self.model.work():
            pass


class Walker:
    """One checkpoint, with what both walks need of it."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.engine = Engine(checkpoint)
        self.tokenizer = checkpoint.tokenizer
        self.vocab_size = checkpoint.config.vocab_size
        self.end = checkpoint.tokenizer.specials[checkpoint.family.end]
        self._model: Transformer = checkpoint.transformer()
        spelled = [i for i, text in enumerate(self.tokenizer.token_bytes) if text]
        self._mask = np.full(self.vocab_size, -np.inf, np.float32)
        self._mask[[*spelled, self.end]] = 0.0

    @torch.inference_mode()
    def document(self, workspace: NgramModel, doc: Document, most: int) -> Iterator[Step]:
        """The first ``most`` tokens of a document, each after all text above it (the model: after what its context holds)."""
        ids = np.asarray(self.tokenizer.encode(doc.text))
        file = NgramModel(self.vocab_size)
        at = 0
        for streams, targets in evaluate.windows(self._model, self.tokenizer, doc):
            for row, true in zip(self._rows(streams), targets.tolist(), strict=True):
                if at >= most:
                    return
                context = ids[max(0, at - DEEPEST) : at].tolist()
                file.add("above", ids[:at])
                yield Step(self._probs(row), (workspace.look_up(context), file.look_up(context)), None, true)
                at += 1

    @torch.inference_mode()
    def hole(self, workspace: NgramModel, item: evaluate.Item) -> Iterator[Step]:
        """The tokens of the rest of a line and the end token, after the prompt of a completion at that cursor."""
        engine, tokenizer = self.engine, self.tokenizer
        prompt = engine._prompt(GenerateRequest(evaluate.parts(item), evaluate.MAX_NEW_TOKENS), evaluate.MAX_NEW_TOKENS)
        target = [*tokenizer.encode(prompt.tail + item.target), self.end]
        slot = engine._pool.take(prompt.ids)
        engine._prefill(slot, prompt.ids[:-1], math.inf, lambda: False)
        logits = engine._step(slot, [*prompt.ids, *target][slot.length : -1], lambda: False, rows=len(target))
        file, closing = self.file(item.prefix, item.suffix)
        context, output = tokenizer.heal(item.prefix)[0][-DEEPEST:], Output(tokenizer.token_bytes, prompt.tail)
        for row, true in zip(logits, target, strict=True):
            allowed = np.asarray(tokenizer.compatible(output.tail)) if output.tail else None
            matches = workspace.look_up(context), file.look_up(context)
            yield Step(self._probs(row), matches, closing, true, allowed)
            context.append(true)
            if true != self.end:
                output.push(true, 0.0)

    def file(self, prefix: str, suffix: str) -> tuple[NgramModel, int | None]:
        """The open file as a cache, in two halves so that nothing matches across the cursor; and the suffix's first token."""
        file, below = NgramModel(self.vocab_size), self.tokenizer.encode(suffix)
        file.add("above", self.tokenizer.heal(prefix)[0])
        file.add("below", below)
        return file, below[0] if below else None

    def _rows(self, streams: dict[int, torch.Tensor]) -> Floats:
        rows: Floats = self._model.logits(streams[self._model.config.n_layers]).float().numpy()
        return rows

    def _probs(self, row: Floats) -> Floats:
        return softmax(row + self._mask)
