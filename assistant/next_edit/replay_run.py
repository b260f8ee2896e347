"""One moment of a replay put to the producers: every candidate with what the ranker sees of it, and whether it was right.

Knows the producers and the judge; does not know weights or thresholds, so that one run serves learning and measuring.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from assistant.cancel import Cancel
from assistant.config import Config
from assistant.next_edit import patterns
from assistant.next_edit.complete import Completions, read
from assistant.next_edit.features import features, gathered
from assistant.next_edit.filters import Filters
from assistant.next_edit.locate import EditModel, Judgement
from assistant.next_edit.patterns import Trees
from assistant.next_edit.place import Edit
from assistant.next_edit.rank import is_proven
from assistant.next_edit.ranker import Ranker
from assistant.next_edit.replay import Moment
from assistant.next_edit.replay_truth import Truth, Verdict
from assistant.next_edit.types import Candidate, Scene

MOST_TRIED = 3


@dataclass(frozen=True)
class Item:
    """One candidate. ``breaks``: whether it brings a syntax error, 1 or 0; -1 where nobody looked. ``proven``: shown however
    improbable (`rank.is_proven`).
    """

    rule: str
    features: dict[str, float]
    exact: bool
    position: bool
    reversal: float
    breaks: int = -1
    proven: bool = False


@dataclass(frozen=True)
class Seen:
    """One moment's candidates, and what it cost: milliseconds of the patterns, of the model's own edits, of its judgements, of
    its completion at the cursor.
    """

    repository: str
    name: str
    kind: str
    order: str
    language: str
    items: tuple[Item, ...]
    patterns_ms: float
    locate_ms: float
    score_ms: float
    patterns_cpu_ms: float = 0.0
    complete_ms: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Seen:
        """Read what `to_json` wrote. Raises KeyError or TypeError for anything else."""
        return cls(**{**data, "items": tuple(Item(**item) for item in data["items"])})


def is_judged(item: Item) -> bool:
    """Whether a model has spoken on it, or made it."""
    return item.rule == "model" or "gain" in item.features


async def see(
    moment: Moment,
    model: EditModel | None,
    trees: Trees,
    ranker: Ranker | None = None,
    completions: Completions | None = None,
) -> Seen:
    """Ask everybody; the model only where there is one. With a ranker, the likeliest candidates are tried for syntax errors."""
    scene, cancel = moment.scene, Cancel()
    started, busy = time.perf_counter(), time.thread_time()
    found = patterns.propose(scene, cancel, trees)
    proposed, busy = time.perf_counter(), time.thread_time() - busy
    found += await model.locate(scene, cancel) if model is not None else []
    located = time.perf_counter()
    found += await completions(scene, Config(), cancel) if completions is not None else []
    completed = time.perf_counter()
    allowed = permitted(scene, gathered(scene, read(scene, found, trees)), trees)
    if ranker is not None:
        allowed.sort(key=lambda one: -ranker.probability(scene, one, None))
    judged: Sequence[Judgement | None] = [None] * len(allowed)
    if model is not None:
        judged = await model.score(scene, allowed, cancel)
    scored = time.perf_counter()
    truth = Truth(scene, moment.final)
    items = tuple(_item(scene, one, judgement, truth.judge(one)) for one, judgement in zip(allowed, judged, strict=True))
    if any(is_proven(one, True) for one in allowed):
        is_whole = Filters(scene, trees).is_whole()
        proven = [is_proven(one, is_whole) for one in allowed]
        items = tuple(replace(item, proven=is_so) for item, is_so in zip(items, proven, strict=True))
    if ranker is not None:
        items = _tried(scene, allowed, items, trees, ranker)
    return Seen(
        moment.repository,
        moment.name,
        moment.kind,
        moment.order,
        scene.document.language,
        items,
        patterns_ms=1000 * (proposed - started),
        locate_ms=1000 * (located - proposed),
        score_ms=1000 * (scored - completed),
        patterns_cpu_ms=1000 * busy,
        complete_ms=1000 * (completed - located),
    )


def permitted(scene: Scene, candidates: Sequence[Candidate], trees: Trees) -> list[Candidate]:
    """Those that the filters never object to."""
    filters = Filters(scene, trees)
    found = []
    for candidate in candidates:
        document = scene.find(candidate.uri)
        edit = Edit(candidate.start, candidate.end, candidate.text)
        if document is not None and not filters.objection(document, edit):
            found.append(candidate)
    return found


def _item(scene: Scene, candidate: Candidate, judgement: Judgement | None, verdict: Verdict) -> Item:
    numbers = {name: round(value, 5) for name, value in features(scene, candidate, judgement).items()}
    return Item(candidate.rule, numbers, verdict.exact, verdict.position, round(verdict.reversal, 4))


def _tried(
    scene: Scene, candidates: Sequence[Candidate], items: Sequence[Item], trees: Trees, ranker: Ranker
) -> tuple[Item, ...]:
    """The items; of the likeliest, whether they bring a syntax error."""
    filters, found = Filters(scene, trees), list(items)
    weights = [ranker.weigh(item.features, is_judged(item)) for item in items]
    for at in sorted(range(len(items)), key=lambda at: -weights[at])[:MOST_TRIED]:
        one = candidates[at]
        document = scene.find(one.uri)
        breaks = document is not None and filters.breaks(document, Edit(one.start, one.end, one.text))
        found[at] = replace(items[at], breaks=int(breaks))
    return tuple(found)
