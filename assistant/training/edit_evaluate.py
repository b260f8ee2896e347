"""How well a model predicts the next edit: the lines that change, their new text, and silence where nothing follows.

Knows examples, the edit format and a model's logits. A greedy answer equals the wanted one exactly where every token of it is
the likeliest one after those before it, so one forward pass tells.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from assistant.edit_format import marked
from assistant.model.transformer import Transformer
from assistant.training.corpus import Document
from assistant.training.edit_examples import PLAIN, SPECIALS, from_documents, token_ids
from assistant.training.edits import Example

SAYINGS = [SPECIALS["edit"], SPECIALS["no_edit"]]


@dataclass(frozen=True)
class Guess:
    """What the model says of one example: each line's probability to change, and whether the first change's text is right."""

    lines: tuple[float, ...]
    text: bool

    @property
    def place(self) -> int:
        return max(range(len(self.lines)), key=self.lines.__getitem__)


@dataclass(frozen=True)
class Report:
    """Shares in 0 .. 1, over ``edits`` examples where something follows and ``silent`` where nothing does.

    ``line``: the likeliest line is one that changes; ``text``: the new text of the first change is right, its lines given;
    ``exact``: both. Above ``threshold`` the model speaks: ``spoken`` of the edits; ``line_when_spoken``: of all it says, the
    share at a line that changes; ``no_edit_precision`` and ``no_edit_recall`` of its silence.
    """

    edits: int
    silent: int
    line: float
    text: float
    exact: float
    threshold: float
    spoken: float
    line_when_spoken: float
    no_edit_precision: float
    no_edit_recall: float


@torch.inference_mode()
def guess(model: Transformer, tokenizer: Tokenizer, one: Example) -> Guess | None:
    """None for an example longer than the model's context."""
    prompt, answer, ends = token_ids(one, tokenizer)
    ids = torch.tensor(prompt + answer) & PLAIN
    if len(ids) > model.config.context or not ends:
        return None
    hidden, _ = model.hidden(ids[None, :-1])
    chances = model.logits(hidden[0, ends])[:, SAYINGS].softmax(-1)[:, 0]
    later = model.logits(hidden[0, len(prompt) - 1 :]).argmax(-1)
    return Guess(tuple(chances.tolist()), _text_is_right(later, answer))


def _text_is_right(best: Tensor, answer: Sequence[int]) -> bool:
    """Whether the new text of the first change, and its end, are the likeliest tokens; ``best[i]`` is for ``answer[i]``."""
    if SPECIALS["edit_new"] not in answer:
        return False
    start = answer.index(SPECIALS["edit_new"]) + 1
    ends = (SPECIALS["edit"], SPECIALS["end"])
    stop = next(i for i in range(start, len(answer)) if answer[i] in ends)
    return bool((best[start:stop] == torch.tensor(answer[start:stop])).all()) and int(best[stop]) in ends


def guesses(model: Transformer, tokenizer: Tokenizer, examples: Iterable[Example]) -> list[tuple[Example, Guess]]:
    return [(one, found) for one in examples if (found := guess(model, tokenizer, one)) is not None]


def threshold(pairs: Sequence[tuple[Example, Guess]]) -> float:
    """The probability above which it is right most often, silence counted: the best sum of right decisions."""
    chances = sorted({max(found.lines) for _, found in pairs})
    return max(chances, key=lambda level: sum(_decides_well(one, found, level) for one, found in pairs), default=0.5)


def _decides_well(one: Example, found: Guess, level: float) -> bool:
    return _changes(one, found) if max(found.lines) >= level else not one.answers


def report(pairs: Sequence[tuple[Example, Guess]], level: float) -> Report:
    edits = [(one, found) for one, found in pairs if one.answers]
    silent = [found for one, found in pairs if not one.answers]
    spoken = [(one, found) for one, found in pairs if max(found.lines) >= level]
    quiet = [one for one, found in pairs if max(found.lines) < level]
    return Report(
        edits=len(edits),
        silent=len(silent),
        line=_share(_changes(one, found) for one, found in edits),
        text=_share(found.text for _, found in edits),
        exact=_share(found.text and _changes(one, found) for one, found in edits),
        threshold=level,
        spoken=_share(max(found.lines) >= level for _, found in edits),
        line_when_spoken=_share(_changes(one, found) for one, found in spoken),
        no_edit_precision=_share(not one.answers for one in quiet),
        no_edit_recall=_share(max(found.lines) < level for found in silent),
    )


def by_kind(pairs: Sequence[tuple[Example, Guess]], level: float) -> dict[str, dict[str, float]]:
    """The report of all examples, and of each kind."""
    kinds = defaultdict(list)
    for one, found in pairs:
        kinds["all"].append((one, found))
        kinds[one.kind].append((one, found))
    return {kind: asdict(report(mine, level)) for kind, mine in sorted(kinds.items())}


def sample(docs: Sequence[Document], count: int, seed: int = 0) -> list[Example]:
    """``count`` states of made-up edits of ``docs``, a quarter of them with nothing left to do."""
    rng = random.Random(seed)
    chosen = list(docs)
    rng.shuffle(chosen)
    room = {True: count - count // 4, False: count // 4}
    found = []
    for one in from_documents(chosen, seed):
        if room[bool(one.answers)] and one.kind != "typing" and not one.more:
            room[bool(one.answers)] -= 1
            found.append(one)
        if len(found) == count:
            break
    return found


def _changes(one: Example, found: Guess) -> bool:
    """Whether the likeliest line is one that changes."""
    return any(found.place in marked(one.region, change)[1] for change in one.answers)


def _share(right: Iterable[bool]) -> float:
    marks = list(right)
    return sum(marks) / max(1, len(marks))
