"""The edit examples of a corpus: made once as JSON lines, encoded for a tokenizer, and found again in rows of tokens.

Knows where sessions come from, the edit format and token ids. Does not know how rows are filled or models trained.
"""

from __future__ import annotations

import json
import logging
import os
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from assistant.edit_format import marked, render, render_answers
from assistant.training import edit_patches, edit_sources, edit_synthesis, sources
from assistant.training.corpus import Deduplicator, Document, read
from assistant.training.edits import Example, Session, example
from assistant.training.sources import CorpusError
from assistant.training.tokenizer import END, SPECIAL_TOKENS
from assistant.types import Part

log = logging.getLogger(__name__)

FILE = "edits.jsonl"
COMMIT_SHARE = 0.45
NO_EDIT_SHARE, TYPING_SHARE = 0.25, 0.2  # at most
LONGEST = 500  # tokens: one fits a row of 512
SPECIALS = {name: number for number, name in enumerate(SPECIAL_TOKENS)}
LINE = SPECIALS["line"]
SAY_EDIT, SAY_NO_EDIT, PLAIN = 0x8000, 0x4000, 0x3FFF  # a vocabulary has at most 16,384 entries


def build(histories: Path | None, corpus: Path, documents: Iterable[Document], count: int, seed: int = 1) -> int:
    """Write ``corpus``/edits.jsonl: at most ``count`` examples, from ``documents`` and from the commits of the projects whose
    bare copies lie in ``histories``; returns how many.
    """
    manifest = sources.load_manifest()
    made: list[Example] = []
    if histories is not None:
        duplicates = Deduplicator(doc.text for doc in read(corpus / "held_out.jsonl"))
        commits = edit_sources.sessions(manifest.histories, histories, duplicates.like_held_out, manifest.reserved_modules)
        made = balanced(from_commits(commits, seed), int(COMMIT_SHARE * count), seed)
        log.info("edits: %d examples from commits", len(made))
    made += balanced(from_documents(documents, seed), count - len(made), seed)
    random.Random(seed).shuffle(made)
    write(made, corpus / FILE)
    return len(made)


def from_commits(sessions: Iterable[Session], seed: int) -> Iterator[Example]:
    """Two states of each commit; of one that is a single change, only now and then one."""
    for number, session in enumerate(sessions):
        rng = random.Random(f"{seed}:{number}")
        alone = sum(len(segment.changes) for segment in session.segments) == 1
        for _ in range(int(rng.random() < 0.3) if alone else 2):
            if (found := example(session, rng)) is not None:
                yield found


def from_documents(documents: Iterable[Document], seed: int, edits: int = 4) -> Iterator[Example]:
    """One state each of up to ``edits`` made-up edits of every file."""
    for doc in documents:
        source = edit_patches.read(doc.path, doc.text)
        rng = random.Random(f"{seed}:{doc.path}")
        for session in edit_synthesis.sessions(source, rng, edits) if source is not None else ():
            if (found := example(session, rng)) is not None:
                yield found


def balanced(examples: Iterable[Example], count: int, seed: int) -> list[Example]:
    """``count`` of the examples, drawn evenly, with no more `no edit` and half-typed lines than their shares."""
    found = list(examples)
    random.Random(seed).shuffle(found)
    room = {"": count, "none": int(NO_EDIT_SHARE * count), "typing": int(TYPING_SHARE * count)}
    kept = []
    for one in found:
        sort = "none" if not one.answers else one.kind
        if room[""] and room.get(sort, 1):
            kept.append(one)
            room[""] -= 1
            if sort in room:
                room[sort] -= 1
    return kept


def write(examples: Iterable[Example], path: Path) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as out:
        for one in examples:
            out.write(json.dumps(one.to_json(), ensure_ascii=False) + "\n")
        out.flush()
        os.fsync(out.fileno())
    os.replace(partial, path)


def load(path: Path) -> Iterator[Example]:
    """What `write` wrote. Raises `CorpusError`."""
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                yield Example.from_json(json.loads(line))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CorpusError(f"cannot read the edit examples {path}: {error}; delete it and run the edits stage again") from error


def encode(examples: Iterable[Example], tokenizer: Tokenizer, out: Path) -> int:
    """Write the examples that are short enough to ``out`` in the form of `rows.TokenStore`; returns the number of tokens.

    A token's two highest bits say what is wanted after it in place of the next token: `SAY_EDIT` or `SAY_NO_EDIT`.
    """
    out.mkdir(parents=True, exist_ok=True)
    bounds, kinds = [0], []
    with (out / "tokens.bin").open("wb") as file:
        for one in examples:
            prompt, answer, _ = token_ids(one, tokenizer)
            if len(prompt) + len(answer) > LONGEST:
                continue
            np.asarray(prompt + answer, dtype=np.uint16).tofile(file)
            bounds.append(bounds[-1] + len(prompt) + len(answer))
            kinds.append(one.kind)
    np.save(out / "bounds.npy", np.asarray(bounds, dtype=np.int64))
    (out / "paths.json").write_text(json.dumps(kinds), encoding="utf-8")
    return bounds[-1]


def token_ids(one: Example, tokenizer: Tokenizer) -> tuple[list[int], list[int], list[int]]:
    """The prompt with its lines' ends marked, the questions with their answers, and where in the prompt the lines end."""
    prompt = _ids(render(one.history, one.region, one.cursor), tokenizer)
    newline = tokenizer.encode("\n").ids[0]
    start = len(prompt) - prompt[::-1].index(LINE)
    ends = [place for place in range(start, len(prompt)) if prompt[place] == newline]
    changing = {line for change in one.answers for line in marked(one.region, change)[1]}
    if not one.more:  # or a change that is not told may wait at a line that would be called finished
        for number, place in enumerate(ends):
            prompt[place] |= SAY_EDIT if number in changing else SAY_NO_EDIT
    answer = _ids(render_answers(one.region, one.answers), tokenizer)
    return prompt, answer, ends


def _ids(parts: Sequence[Part], tokenizer: Tokenizer) -> list[int]:
    found: list[int] = []
    for part in parts:
        found += [SPECIALS[part.special]] if part.special else tokenizer.encode(part.text).ids
    return found


def wanted(rows: Tensor, weight: float) -> tuple[Tensor, Tensor, Tensor]:
    """rows [B, T + 1] as they are stored -> inputs [B, T], targets [B, T], and how much each target counts [B, T].

    Lines that are judged and the new text of changes count ``weight`` times, everything else once.
    """
    ids = rows & PLAIN
    inputs, targets = ids[:, :-1], ids[:, 1:].clone()
    said = rows[:, :-1] & ~PLAIN
    targets[said == SAY_EDIT] = SPECIALS["edit"]
    targets[said == SAY_NO_EDIT] = SPECIALS["no_edit"]
    places = torch.arange(inputs.shape[1], device=rows.device).expand_as(inputs)
    begun = torch.where(inputs == SPECIALS["edit_new"], places, -1).cummax(1).values
    over = (inputs == SPECIALS["edit"]) | (inputs == SPECIALS["file"]) | (inputs == END)
    ended = torch.where(over, places, -1).cummax(1).values
    counts = torch.where((said != 0) | (begun > ended), weight, 1.0)
    return inputs, targets, counts


class Store(Protocol):
    """Encoded examples by number."""

    def __len__(self) -> int: ...

    def document(self, index: int) -> NDArray[np.uint16]: ...


class Mixer:
    """Puts examples among other pieces until they make up ``share`` of the tokens; one at a time waits until it fits."""

    def __init__(self, store: Store | None, share: float) -> None:
        self.store, self.share = store, share if store else 0.0
        self._all = self._mine = 0
        self._waiting: NDArray[np.uint16] | None = None

    def count(self, tokens: int) -> None:
        self._all += tokens

    def take(self, room: int, rng: np.random.Generator) -> NDArray[np.uint16] | None:
        """An example of at most ``room`` tokens where one is due, or None."""
        if self.store is None or self._mine >= self.share * (self._all + self._mine):
            return None
        if self._waiting is None:
            self._waiting = self.store.document(int(rng.integers(len(self.store))))
        if len(self._waiting) > room:
            return None
        taken, self._waiting = self._waiting, None
        self._mine += len(taken)
        return taken
