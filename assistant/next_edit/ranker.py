"""How probable it is that a candidate is the user's next edit: a forest over its features, learned from replayed commits.

Kept as JSON beside this file and checked when read; pure Python. There are three: one for candidates that a model has judged,
one for what the line at the cursor would be completed to, one for the rest. `learn` makes them. Knows numbers only, not what is
shown: that is the caller's threshold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from assistant import checked
from assistant.gate.model import DEPTH, NODES, VALUES, Stage, Term, Tree
from assistant.next_edit.complete import RULE as COMPLETE
from assistant.next_edit.features import counts, features
from assistant.next_edit.locate import Judgement
from assistant.next_edit.types import Candidate, Scene

FORMAT = 1
PATH = Path(__file__).with_name("ranker.json")
MISSING = -9.0
"""Stands for a number that is not known: below all that are."""
LARGEST_FILE = 2_000_000
TARGETS = ("0.5", "0.6", "0.7", "0.8")
"""Shares of exact edits among those shown, for which a threshold is kept."""


class RankerError(ValueError):
    """A file is no ranker; the text says what to do."""


@dataclass(frozen=True)
class Forest:
    """One forest with its calibration. ``thresholds``: the probability above which so large a share was exactly right."""

    stage: Stage
    thresholds: Mapping[str, float]

    def probability(self, numbers: Mapping[str, float]) -> float:
        return self.stage.probability(numbers)


@dataclass(frozen=True)
class Ranker:
    """``judged`` serves what a model has spoken on, ``written`` completions, ``alone`` everything else, and completions where
    none were learned from; ``record`` says how they were learned. All are probabilities of the same thing, so one threshold
    serves them.
    """

    judged: Forest
    alone: Forest
    record: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
    written: Forest | None = None

    @classmethod
    def load(cls, path: Path = PATH) -> Ranker:
        """The ranker that comes with Sotto, or another file's. Raises `RankerError`."""
        try:
            size = path.stat().st_size
            text = path.read_text("utf-8") if size <= LARGEST_FILE else ""
        except (OSError, UnicodeDecodeError) as error:
            raise _refusal(f"{path.name}: {error}") from error
        return loads(text)

    def probability(self, scene: Scene, candidate: Candidate, score: Judgement | None) -> float:
        """In (0, 1): that the user would make exactly this edit next."""
        return self.weigh(features(scene, candidate, score), judged=counts(candidate, score))

    def weigh(self, numbers: Mapping[str, float], judged: bool) -> float:
        """The probability for features that are known already."""
        if self.written is not None and numbers.get(f"rule:{COMPLETE}"):
            return self.written.probability(numbers)
        return (self.judged if judged else self.alone).probability(numbers)

    def threshold(self, exact: float, judged: bool = True) -> float:
        """From which probability on about this share of what is shown is exactly right; shares between two kept lie between."""
        kept = sorted((float(share), limit) for share, limit in (self.judged if judged else self.alone).thresholds.items())
        for (share, limit), (higher, next_limit) in pairwise(kept):
            if exact < higher:
                return limit + (next_limit - limit) * max(0.0, exact - share) / (higher - share)
        return kept[-1][1]


@lru_cache(maxsize=4)
def loads(text: str) -> Ranker:
    """Read and check. Raises `RankerError` for anything that is not exactly a ranker of this version."""
    try:
        data = json.loads(text, parse_constant=checked.no_constant)
        body = {key: value for key, value in data.items() if key != "sha256"}
        _demand(body["format"] == FORMAT, "it is of another version")
        _demand(data["sha256"] == checked.checksum(body), "its checksum is wrong")
        _demand(isinstance(body["record"], dict), "its record is broken")
        written = _forest_in(body["written"]) if "written" in body else None
        return Ranker(_forest_in(body["judged"]), _forest_in(body["alone"]), body["record"], data["sha256"][:16], written)
    except RankerError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise _refusal(f"{type(error).__name__}: {error}") from error


def dumps(ranker: Ranker) -> str:
    """As JSON with its checksum; equal rankers give equal text."""
    body = {
        "format": FORMAT,
        "judged": _forest_out(ranker.judged),
        "alone": _forest_out(ranker.alone),
        "record": dict(ranker.record),
    }
    if ranker.written is not None:
        body["written"] = _forest_out(ranker.written)
    return json.dumps({**body, "sha256": checked.checksum(body)}, allow_nan=False, separators=(",", ":")) + "\n"


def missing(name: str) -> float:
    """What stands for a feature that a candidate does not have."""
    return 0.0 if name.startswith(("rule:", "also:")) else MISSING


def _forest_out(forest: Forest) -> dict[str, Any]:
    stage = forest.stage
    trees = [[tree.columns, tree.limits, tree.values] for tree in stage.trees]
    platt = [stage.slope, stage.offset]
    terms = [[term.name, term.center, term.scale, term.weight] for term in stage.terms]
    shape = {"names": stage.names, "base": stage.base, "trees": trees, "platt": platt, "terms": terms}
    return {**shape, "thresholds": dict(forest.thresholds)}


def _forest_in(data: dict[str, Any]) -> Forest:
    names = tuple(data["names"])
    _demand(all(isinstance(name, str) for name in names) and len(set(names)) == len(names), "its features are broken")
    _demand(len(data["trees"]) <= 2000, "it has too many trees")
    trees = tuple(_tree_in(tree, len(names)) for tree in data["trees"])
    base, slope, offset = checked.numbers([data["base"], *data["platt"]], 3, 20.0)
    _demand(slope > 0, "its calibration is upside down")
    _demand(set(data["thresholds"]) == set(TARGETS), "its thresholds are incomplete")
    limits = checked.numbers([data["thresholds"][share] for share in TARGETS], len(TARGETS), 1.0)
    terms = tuple(Term(str(name), *checked.numbers(numbers, 3, 1e9)) for name, *numbers in data["terms"])
    _demand(all(term.scale > 0 and abs(term.weight) <= 20 for term in terms), "a weight is out of range")
    stage = Stage(names, tuple(map(missing, names)), base, trees, slope, offset, terms=terms)
    return Forest(stage, dict(zip(TARGETS, limits, strict=True)))


def _tree_in(data: list[Any], columns: int) -> Tree:
    splits, limits, values = data
    right = len(splits) == NODES == 2**DEPTH - 1 and all(type(c) is int and -1 <= c < columns for c in splits)
    _demand(right, "a tree has a wrong shape")
    return Tree(tuple(splits), checked.numbers(limits, NODES, 1e12), checked.numbers(values, VALUES, 20.0))


def _demand(holds: bool, what: str) -> None:
    if not holds:
        raise _refusal(what)


def _refusal(what: str) -> RankerError:
    return RankerError(f"this is no usable ranker ({what}): install Sotto again, or learn one with `sotto train --edits`")
