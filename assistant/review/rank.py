"""How likely a reader is to agree with a finding, and which few of many are shown.

A rule's own confidence is a Beta prior of `STRENGTH` readers; what was counted by hand (``prior.json``) and what this user took
or refused comes on top. Evidence, the model's surprise and its opinion of the fix move the odds. Knows no text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from assistant.review.types import Finding, Severity

THRESHOLD: Mapping[Severity, float] = {"high": 0.5, "medium": 0.7, "low": 0.85}
"""Least probability to be shown."""

FEW = 3
LINES_FOR_ONE_MORE = 150
WINDOW = 10
"""At most so many comments on a change, one more for so many changed lines, and one in so many lines of a file."""

AT_ONCE = 0.8
"""A finding of high severity this likely is shown before all others are known."""

ORDER: Mapping[Severity, int] = {"high": 0, "medium": 1, "low": 2}

STEPS: Mapping[str, float] = {"evidence": 0.15, "surprise": 0.15, "fix_gain": 0.3, "fix_loss": -0.6, "agreed": 0.7}
"""What one unit of a feature adds to the log odds; set by hand. ``surprise`` is in standard deviations."""

MOST_STEPS = 3.0

Judgements = Callable[[str], tuple[int, int]]
"""How often a rule's comments were taken and refused."""


@dataclass(frozen=True)
class Comment:
    """A finding with its probability. ``why_hidden`` is empty for what is shown."""

    finding: Finding
    probability: float
    why_hidden: str = ""


@cache
def shipped() -> tuple[float, Mapping[str, tuple[float, float]]]:
    """How many readers a rule's own confidence counts for, and how many agreed and disagreed with each rule.

    Counted on 1,500 accepted commits, and on fixes turned round as if one change in twenty brought a bug in: a rule that asks
    whether something was meant to go is seldom right about what was accepted, and that is not all that is reviewed.
    """
    data = json.loads((Path(__file__).parent / "prior.json").read_text("utf-8"))
    return float(data["strength"]), {name: (float(right), float(wrong)) for name, (right, wrong) in data["rules"].items()}


def probability(finding: Finding, judgements: Judgements, features: Mapping[str, float] | None = None) -> float:
    """Between 0 and 1."""
    strength, counted = shipped()
    right, wrong = counted.get(finding.rule, (0.0, 0.0))
    taken, refused = judgements(finding.rule)
    confidence = min(max(finding.confidence, 0.01), 0.99)
    yes, no = strength * confidence + right + taken, strength * (1 - confidence) + wrong + refused
    odds = math.log(yes / no)
    given = {"evidence": float(len(finding.evidence) - 1 if finding.evidence else 0), **finding.features, **(features or {})}
    for name, step in STEPS.items():
        odds += step * min(max(given.get(name, 0.0), -MOST_STEPS), MOST_STEPS)
    return 1 / (1 + math.exp(-odds))


def in_doubt(finding: Finding, judgements: Judgements) -> bool:
    """Whether what a model thinks of it can decide that it is shown; for the others nobody needs to ask."""
    best = {"surprise": MOST_STEPS, "fix_gain": float(bool(finding.fix))}
    return probability(finding, judgements, best) >= THRESHOLD[finding.severity]


def most(changed_lines: int) -> int:
    """How many comments a change of this size may have."""
    return FEW + changed_lines // LINES_FOR_ONE_MORE


class Panel:
    """The few places of one review. `offer` takes findings as they come, `decide` fills what is left with the best."""

    def __init__(self, changed_lines: int, judgements: Judgements, silent: Callable[[str], bool]) -> None:
        self._most = most(changed_lines)
        self._judgements, self._silent = judgements, silent
        self._shown: list[Comment] = []
        self._waiting: list[Finding] = []

    def offer(self, findings: Iterable[Finding]) -> list[Comment]:
        """Comments that are so likely and grave that they need not be compared with what is still to come."""
        rated = sorted((Comment(one, probability(one, self._judgements)) for one in findings), key=_order)
        admitted = []
        for one in rated:
            if one.finding.severity == "high" and one.probability >= AT_ONCE and not self._why_not(one):
                self._shown.append(one)
                admitted.append(one)
            else:
                self._waiting.append(one.finding)
        return admitted

    @property
    def waiting(self) -> list[Finding]:
        """Those that are not decided yet."""
        return list(self._waiting)

    @property
    def doubts(self) -> list[bool]:
        """For each of ``waiting``, whether a model's opinion can matter: it may be likely enough, and there is room for it."""
        return [in_doubt(one, self._judgements) and not self._no_room(one) for one in self._waiting]

    def decide(self, features: Mapping[int, Mapping[str, float]] | None = None) -> tuple[list[Comment], list[Comment]]:
        """(more to show, hidden), the best first. ``features``: of the model, by a finding's place in ``waiting``."""
        rated = [Comment(f, probability(f, self._judgements, (features or {}).get(i))) for i, f in enumerate(self._waiting)]
        rated.sort(key=_order)
        more: list[Comment] = []
        hidden: list[Comment] = []
        for one in rated:
            why = self._why_not(one)
            if why:
                hidden.append(Comment(one.finding, one.probability, why))
            else:
                self._shown.append(one)
                more.append(one)
        self._waiting = []
        return more, hidden

    def _why_not(self, one: Comment) -> str:
        finding = one.finding
        if self._silent(finding.rule):
            return "you have dismissed this rule too often"
        if one.probability < THRESHOLD[finding.severity]:
            return f"less sure ({one.probability:.0%}) than is asked for a {finding.severity} one"
        return self._no_room(finding)

    def _no_room(self, finding: Finding) -> str:
        if len(self._shown) >= self._most:
            return f"{self._most} comments are enough for a change of this size"
        if any(other.finding.path == finding.path and _near(other.finding, finding) for other in self._shown):
            return "there is another comment close by"
        return ""


def _order(one: Comment) -> tuple[int, float, str, int]:
    return ORDER[one.finding.severity], -one.probability, one.finding.path, one.finding.line


def _near(a: Finding, b: Finding) -> bool:
    return abs(a.line - b.line) < WINDOW
