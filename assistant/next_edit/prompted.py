"""A language model that was made by others as an `EditModel`: it writes next edits in a published form, and arbitrates those
that the rules propose.

Knows the forms, and an engine that writes and compares texts. What it says becomes a probability here (`Arbiter`), for the
ranker has learned from Sotto's own model only. Does not know how the engine is started.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from assistant.cancel import Cancel, Cancelled
from assistant.next_edit.locate import Judgement
from assistant.next_edit.produce import Limits
from assistant.next_edit.prompts import Ask, Form
from assistant.next_edit.rank import Weigher
from assistant.next_edit.told import as_lines, lines_of
from assistant.next_edit.types import Candidate, Document, Scene
from assistant.types import CompareRequest, EditEngine, EngineError, Finish, GenerateRequest, Likelihood, Part, Rewrite

log = logging.getLogger("sotto.next_edit")

MAX_TOKENS, BUDGET_MS = 512, 2000.0
MOST_JUDGED = 6
"""Candidates that are compared, the likeliest first: each may be a prefill of a window."""
PATIENCE = Limits(produce_s=2.2, judge_s=1.2)
"""A model of a billion parameters and more takes longer than Sotto's own; whoever types on is not kept waiting by it."""
UNJUDGED = 0.05
"""Of an edit that the model wrote and has not judged yet: not enough to be shown, enough to be judged."""
MODEL = "model"


class PromptedEdits:
    """An `EditModel` over an engine of any model, in one of the published forms."""

    def __init__(self, engine: EditEngine, form: Form) -> None:
        self._engine = engine
        self._form = form

    async def locate(self, scene: Scene, cancel: Cancel) -> list[Candidate]:
        """See `locate.EditModel`: the window around the cursor as the model would have it."""
        if not scene.changes:
            return []
        ask = self._form.render(scene)
        try:
            answer = await self._engine.write(self._request(ask), cancel)
        except (EngineError, Cancelled) as reason:
            log.debug("no edits of the model: %s", reason)
            return []
        return self._form.parse(ask, answer.text) if answer.finish in (Finish.END, Finish.STOP) else []

    async def score(self, scene: Scene, candidates: Sequence[Candidate], cancel: Cancel) -> list[Judgement | None]:
        """See `locate.EditModel`: the changed lines against those that stand there, behind the same window."""
        found: list[Judgement | None] = [None] * len(candidates)
        first = sorted(enumerate(candidates), key=lambda one: one[1].rule != MODEL)[:MOST_JUDGED]  # its own, then the likeliest
        for number, candidate in first:
            document = scene.find(candidate.uri)
            if document is None:
                continue
            try:
                found[number] = await self._judged(scene, document, candidate, cancel)
            except (EngineError, Cancelled) as reason:
                log.debug("no judgement of the model: %s", reason)
                break
        return found

    async def _judged(self, scene: Scene, document: Document, candidate: Candidate, cancel: Cancel) -> Judgement | None:
        change = as_lines(document, candidate)
        here = document.uri == scene.document.uri
        ask = self._form.render(scene) if here else self._form.render(scene, (document, change.start))
        if not ask.first <= change.start <= change.end <= ask.last:
            ask = self._form.render(scene, (document, change.start))
        if change.end > ask.last:
            return None
        lines = lines_of(document)
        below = "".join(lines[change.end : change.end + 1])  # so that a deletion is a text too
        above = (Part(text=ask.opening + "".join(lines[ask.first : change.start])),)
        old, new = "".join(lines[change.start : change.end]) + below, change.text + below
        pair = tuple(Rewrite(above, text) for text in (new, old))
        first, second = await self._engine.compare(CompareRequest(self._parts(ask), pair), cancel)
        return judgement(first, second)

    def _request(self, ask: Ask) -> GenerateRequest:
        info = self._engine.info
        chat = info is not None and info.chat and self._form.name == "instruct"
        parts, said = ((), (("user", ask.prompt),)) if chat else (self._parts(ask), ())
        draft = ask.opening + ask.window
        return GenerateRequest(parts, MAX_TOKENS, heal=False, stop=ask.stop, budget_ms=BUDGET_MS, draft=draft, chat=said)

    def _parts(self, ask: Ask) -> tuple[Part, ...]:
        """The prompt with the special tokens that this model has; those that it lacks are spelled."""
        info = self._engine.info
        known = info.specials if info is not None else ()
        return tuple(
            Part(text=f"<|{part.special}|>") if part.special and part.special not in known else part for part in ask.parts
        )


def judgement(new: Likelihood, old: Likelihood) -> Judgement:
    """How much likelier the new lines are, per token; and how likely at all: whether they are rather than the old ones, times
    the mean probability of their tokens.
    """
    tokens = max(1, new.tokens)
    rather = 1 / (1 + math.exp(min(60.0, max(-60.0, old.logprob - new.logprob))))
    return Judgement((new.logprob - old.logprob) / tokens, rather * math.exp(min(0.0, new.logprob / tokens)))


@dataclass(frozen=True)
class Arbiter:
    """A `Weigher` for what such a model says: its own edits are as probable as it finds them, a rule's as the ranker does with
    the model's word; what both say is wrong only if both are.
    """

    ranker: Weigher

    def probability(self, scene: Scene, candidate: Candidate, score: Judgement | None) -> float:
        kept = {name: value for name, value in candidate.features.items() if not name.endswith(f":{MODEL}")}
        p = self.ranker.probability(scene, replace(candidate, features=kept), score)
        return arbitrated(p, score.chance if score is not None else None, candidate.rule, candidate.features)

    def threshold(self, exact: float, judged: bool = True) -> float:
        return self.ranker.threshold(exact, judged)


def arbitrated(p: float, chance: float | None, rule: str, features: Mapping[str, float]) -> float:
    """How probable an edit is, by the ranker ``p``, and by the model that wrote it, if it did and has judged it, ``chance``."""
    if rule == MODEL:
        return UNJUDGED if chance is None else chance
    return p if chance is None or not features.get(f"also:{MODEL}") else 1 - (1 - p) * (1 - chance)
