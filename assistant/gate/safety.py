"""What keeps a learned gate from harm: a bound on what it may cost, exploration, a floor under silence, an alarm for drift.

Numbers in, numbers out; knows no features. A gate that only sees what it shows would confirm itself, so every hide keeps a
chance of being shown, and its chance is written down with the decision.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

SHOW_FIRST = 30  # decisions of a new user before anything but the quality floor may hide
PERSONAL_FROM, WEIGHTS_FROM = 30, 150  # labelled rows before a personal bias, and before personal weights
EXPLORE = 0.05  # of what would be hidden; 0.02 is the least that broke the loop in simulation
EXPLORE_ALARMED = 0.10
ALARM_LASTS = 100  # opportunities
CAUTION = 1.0  # standard errors
BUDGET_ROWS = 500
LONGEST_SILENCE = 25  # opportunities in a row; the next one is shown
LONGEST_QUIET_S = 600.0  # the same in seconds of work: someone who types little waits no longer than that
PAUSE_S = 60.0  # what a longer gap between two opportunities counts: the user was away


def bound(points: Iterable[tuple[float, float]], alpha: float, caution: float = CAUTION) -> float | None:
    """The highest threshold under which at most ``alpha`` of what would be taken falls.

    ``points`` are (probability, weight) of suggestions that were taken; the weight is one over the propensity, times what is
    left of an old row. Conformal risk control (arXiv 2208.02814) for a loss in [0, 1] asks that (lost + 1) / (n + 1) is at
    most ``alpha``; that holds on average, so ``caution`` standard errors of what is lost are added for this one user's sake.
    ``None`` below 1 / ``alpha`` - 1 points: so few cannot say.
    """
    ordered = sorted(points)
    if len(ordered) < 1 / alpha - 1 - 1e-9:
        return None
    allowed = alpha * (sum(weight for _, weight in ordered) + 1) - 1
    lost = squares = best = 0.0
    for p, weight in ordered:
        if lost + caution * math.sqrt(squares) > allowed:
            break
        best = p
        lost, squares = lost + weight, squares + weight * weight
    return best


def explore_rate(alarmed: bool) -> float:
    return EXPLORE_ALARMED if alarmed else EXPLORE


@dataclass
class Drift:
    """Page-Hinkley's test on the log loss of what was shown: an alarm once it stays above its mean.

    ``slack`` is the rise that does not count, ``limit`` how much more adds up to an alarm (nats).
    """

    slack: float = 0.05
    limit: float = 12.0
    seen: int = 0
    mean: float = 0.0
    risen: float = 0.0
    least: float = field(default=0.0)

    def update(self, p: float, taken: float) -> bool:
        """One more outcome of a suggestion that was given probability ``p``; whether this raises the alarm, which resets it."""
        p = min(1 - 1e-6, max(1e-6, p))
        loss = -(taken * math.log(p) + (1 - taken) * math.log(1 - p))
        self.seen += 1
        self.mean += (loss - self.mean) / self.seen
        self.risen += loss - self.mean - self.slack
        self.least = min(self.least, self.risen)
        alarmed = self.seen >= SHOW_FIRST and self.risen - self.least > self.limit
        if alarmed:
            self.seen, self.mean, self.risen, self.least = 0, 0.0, 0.0, 0.0
        return alarmed


@dataclass
class Budget:
    """The running estimate of what hiding has cost: suggestions that would have been taken, next to those that were.

    Each hide costs its probability. Explored hides tell whether those probabilities are too low, and then every hide costs
    more. Both sides fade, by half in `BUDGET_ROWS` opportunities, so that the promise holds for the recent past.
    """

    hidden: float = 0.0
    taken: float = 0.0
    expected: float = 0.0
    explored_taken: float = 0.0

    def allows(self, p: float, alpha: float) -> bool:
        """Whether one more hide keeps the share at ``alpha`` or below."""
        lost = (self.hidden + p) * self.correction
        return lost <= alpha * (lost + self.taken)

    @property
    def correction(self) -> float:
        """Taken over expected among explored hides, drawn to 1 by two of each; never below 1."""
        return max(1.0, (self.explored_taken + 2) / (self.expected + 2))

    def hide(self, p: float) -> None:
        self.hidden += p

    def ended(self, p: float, taken: float, explored: bool) -> None:
        """A shown suggestion was judged."""
        self.taken += taken
        if explored:
            self.expected += p
            self.explored_taken += taken

    def fade(self) -> None:
        """One more opportunity."""
        left = 0.5 ** (1 / BUDGET_ROWS)
        self.hidden *= left
        self.taken *= left


@dataclass(frozen=True)
class Cost:
    """Seconds a suggestion of ``chars`` characters saves and costs; p* is where both are equal.

    Typing runs at 5 characters a second; a glance takes 0.3 s and 20 ms a character (the study's median is 1.2 s for 42);
    taking it, a key and a tenth of the typing for edits. ``delay`` is what the user waited, if they did.
    """

    chars: float
    delay: float = 0.0

    def break_even(self) -> float:
        saved = self.chars / 5 - (0.2 + self.chars / 50)
        spent = 0.3 + 0.02 * self.chars + self.delay
        return min(1.0, spent / saved) if saved > 0 else 1.0
