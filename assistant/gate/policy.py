"""What to do with an opportunity: plain rules first, then the learned gate in two stages, within the limits of `safety`.

Before the model: is this a place at all, and is it worth a run? After it: is it sure enough, and worth the user's glance?
A request made by hand is never gated, and whatever goes wrong in here shows. Knows probabilities; learns nothing itself.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from assistant.completion.context import Site
from assistant.completion.multiline import has_body, only_closers
from assistant.gate.model import Gate
from assistant.gate.rows import GateRow, target
from assistant.gate.safety import (
    ALARM_LASTS,
    EXPLORE,
    LONGEST_QUIET_S,
    LONGEST_SILENCE,
    PAUSE_S,
    SHOW_FIRST,
    Budget,
    Cost,
    Drift,
    explore_rate,
)
from assistant.types import Confidence

_log = logging.getLogger(__name__)
_LEAST_CONTEXT = 2  # characters that are no white space, in both windows; below this the model can only guess
_TYPICAL_CHARS = 25.0  # of a suggestion that is not there yet: the study's median
_HIGHEST, _LOWEST = 0.6, 0.05  # thresholds outside are a mistake of the cost model, not a wish


@dataclass(frozen=True)
class Eagerness:
    """A setting: how much of what would be taken may be hidden, and what a glance costs this user in glances of average."""

    alpha: str
    patience: float


SETTINGS = {"eager": Eagerness("0.02", 0.5), "balanced": Eagerness("0.05", 1.0), "quiet": Eagerness("0.1", 1.6)}


@dataclass(frozen=True)
class Decision:
    """``action``: show, hide or skip; after stage one, show means to run the model. ``propensity`` is its probability under
    the policy in force. ``reason``: invoked, new, sure, silence, budget,
    explored, gate, standing (not the gate's to decide: computed or shown before) or error. ``draw`` is the random number
    that decided between explored and gate.
    """

    action: str
    reason: str
    p: float | None = None
    threshold: float | None = None
    propensity: float = 1.0
    draw: float | None = None

    @property
    def explored(self) -> bool:
        return self.reason == "explored"


class Policy:
    """One client's gate. Swap ``gate`` and ``setting`` by assignment; everything else is counted here. Not thread-safe."""

    def __init__(
        self,
        gate: Gate,
        draw: Callable[[], float],
        setting: str = "balanced",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``draw`` gives uniform numbers in [0, 1), ``clock`` seconds that never go back."""
        self.gate, self.setting = gate, setting
        self._draw, self._clock = draw, clock
        self.forget()
        self._before = gate.decided

    def forget(self) -> None:
        """Begin as with a user of whom nothing is known."""
        self.silent = self.alarmed = self.decided = self._before = 0
        self.quiet_s, self._at = 0.0, self._clock()
        self._drift, self.budget = Drift(), Budget()

    def before(self, features: Mapping[str, float], invoked: bool) -> Decision:
        """Stage one, once for each opportunity. A skip ends it; after a show comes `after`, if there is anything to weigh."""
        return self._decide("skip", features, invoked, Cost(_TYPICAL_CHARS))

    def after(self, features: Mapping[str, float], invoked: bool, one: Decision, delay_s: float = 0.0) -> Decision:
        """Stage two, for a suggestion that passed the quality floor. ``one`` is stage one's; an explored run is shown."""
        settled = one.reason in ("explored", "silence")
        decision = self._decide("hide", features, invoked, Cost(features.get("chars", _TYPICAL_CHARS), delay_s), settled)
        if settled:
            return replace(decision, reason=one.reason, propensity=one.propensity, draw=one.draw)
        return decision

    def standing(self, stage: str, features: Mapping[str, float]) -> Decision:
        """What ``stage`` ("one" or "two") thinks of what is not its to decide any more; counts nothing, never raises."""
        try:
            cost = Cost(features.get("chars", _TYPICAL_CHARS))
            return replace(self._weigh("skip" if stage == "one" else "hide", features, True, cost), reason="standing")
        except Exception:
            _log.exception("the gate failed; nothing depends on it here")
            return Decision("show", "error")

    def ended(self, decision: Decision, taken: float, weight: float = 1.0) -> None:
        """What ``decision`` showed was judged, ``taken`` 1 or 0. A judgement of ``weight`` below 1 counts for nothing here."""
        if weight < 1:
            return
        self.decided += 1
        if decision.p is not None:
            self.budget.ended(decision.p, taken, decision.explored)
            if self._drift.update(decision.p, taken):
                self.alarmed = ALARM_LASTS

    @property
    def decisions(self) -> int:
        """How many judged displays of this user are known."""
        return max(self._before + self.decided, self.gate.decided)

    def recall(self, rows: Iterable[GateRow]) -> None:
        """Take up where an earlier session ended: what the last rows, in order, hid and what came of the rest."""
        known = 0
        for row in rows:
            if row.trigger == "invoked" or row.decision == "suppressed_rule":
                continue
            decision = Decision(row.decision, row.reason, row.p, row.threshold, row.propensity)
            self.budget.fade()
            if row.decision != "show":
                self.budget.hide(row.p or 0.0)
            elif (label := target(row)) is not None and row.p is not None and label[1] >= 1:
                known += 1
                self.budget.ended(row.p, label[0], decision.explored)
        self._before = max(self._before, known)

    def _decide(
        self, otherwise: str, features: Mapping[str, float], invoked: bool, cost: Cost, settled: bool = False
    ) -> Decision:
        try:
            decision = self._weigh(otherwise, features, invoked or settled, cost)
        except Exception:
            _log.exception("the gate failed; the suggestion is shown")
            decision = Decision("show", "error")
        self._count(otherwise, decision)
        return decision

    def _weigh(self, otherwise: str, features: Mapping[str, float], invoked: bool, cost: Cost) -> Decision:
        stage, name = (self.gate.one, "one") if otherwise == "skip" else (self.gate.two, "two")
        p = stage.probability(features, 0.5 if self.alarmed else 1.0)
        limit = threshold(self.gate.bounds[name][SETTINGS[self.setting].alpha], cost, self.setting)
        if invoked:
            return Decision("show", "invoked", p, limit)
        if self.decisions < SHOW_FIRST:
            return Decision("show", "new", p, limit)
        if p >= limit:
            return Decision("show", "sure", p, limit)
        if self.silent >= LONGEST_SILENCE or (self.silent and self.quiet_s + self._gap() >= LONGEST_QUIET_S):
            return Decision("show", "silence", p, limit)
        if not self.budget.allows(p, float(SETTINGS[self.setting].alpha)):
            return Decision("show", "budget", p, limit)
        rate = explore_rate(self.alarmed > 0)
        draw = self._draw()
        if draw < rate:
            return Decision("show", "explored", p, limit, rate, draw)
        return Decision(otherwise, "gate", p, limit, 1 - rate, draw)

    def _count(self, otherwise: str, decision: Decision) -> None:
        """An opportunity ends with a skip in stage one or anything in stage two."""
        if otherwise == "skip" and decision.action == "show":
            return
        self.budget.fade()
        if decision.action != "show":
            self.budget.hide(decision.p or 0.0)
        hidden = decision.action != "show"
        self.quiet_s = (self.quiet_s + self._gap()) * hidden
        self.silent, self._at = (self.silent + 1) * hidden, self._clock()
        self.alarmed = max(0, self.alarmed - 1)

    def _gap(self) -> float:
        """Seconds of work since the last decision."""
        return min(PAUSE_S, max(0.0, self._clock() - self._at))


def chance(gate: Gate, setting: str, p1: float, p2: float, chars: float) -> float:
    """The probability that ``gate`` shows an automatic suggestion of ``chars`` characters to a user it knows."""
    alpha = SETTINGS[setting].alpha
    passes = p1 >= threshold(gate.bounds["one"][alpha], Cost(_TYPICAL_CHARS), setting)
    return 1.0 if passes and p2 >= threshold(gate.bounds["two"][alpha], Cost(chars), setting) else EXPLORE


def threshold(bound: float, cost: Cost, setting: str) -> float:
    """Where utility breaks even, but never above what the bound on lost suggestions allows."""
    worth = min(_HIGHEST, max(_LOWEST, cost.break_even() * SETTINGS[setting].patience))
    return min(worth, bound)


def skip(site: Site) -> bool:
    """Whether an automatic request here is not worth running the model: inside a word, in the white space before a line's
    code, behind a header that has its block, or in a file with nothing in it.
    """
    ahead = site.rest[:1]
    if ahead.isalnum() or ahead == "_":
        return True
    if has_body(site) or (not site.line_before.strip() and not only_closers(site.rest)):
        return True
    return len("".join((site.prefix + site.suffix).split())) < _LEAST_CONTEXT


def probability(confidence: Confidence) -> float:
    """The geometric mean of the tokens' probabilities."""
    return math.exp(confidence.mean_logprob)


def is_sure(confidence: Confidence | None, least: float) -> bool:
    """Whether to show a suggestion; one whose confidence is not known passes."""
    return confidence is None or probability(confidence) >= least
