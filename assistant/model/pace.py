"""How long a draft should be: from how many drafted tokens were right lately, and what passes of more rows cost here.

Knows counts and seconds. A draft's length changes no answer, only how soon it is there.
"""

from __future__ import annotations

LEAST_GAIN = 1.05
"""Drafts that make decoding less than 5 % faster are not made."""
AGAIN, TRIALS = 24, 0.005
"""Passes without drafts after which one is tried again, at least; and what such trials may cost of all time."""
HOPE, DOUBT, MEMORY = 0.8, 3.0, 10.0
"""At first four of five drafted tokens are believed to be right, as if three had been seen; later the last ten or so count."""
BELIEVED = 3
"""What was seen less often may have been the one pass that was disturbed."""
LOOK = 8
"""Passes after which what they cost is looked at again: 25 us for a copy's 24 lengths."""
RISE = 0.16
"""What a further row adds at least to a pass of one, until it was seen: 4 rows of the shipped model take 1.46, 7 take 2.1."""


class Pace:
    """One source of drafts. ``rise`` is what a drafted token is thought to cost, of a pass, until that was seen."""

    def __init__(self, most: int, hope: float = HOPE, rise: float = RISE) -> None:
        self._most, self._rise = most, rise
        self._right, self._seen = hope, DOUBT
        self._seconds = [0.0] * (most + 2)  # of a pass of so many rows, with finding its draft; 0 as long as there was none
        self._times = [0] * (most + 2)  # that it was seen
        self._without = self._news = 0
        self._costs = self._estimated()

    def length(self) -> int:
        """Tokens that the next draft should have at most; 0 for none."""
        best, gain = self.best()
        if gain > LEAST_GAIN:
            self._without = 0
            return best
        self._without += 1
        if self._without > max(AGAIN, (self._costs[0] - 1) / TRIALS if self._most else 0):
            self._without = 0
            return min(1, self._most)
        return 0

    def best(self) -> tuple[int, float]:
        """The length that gains most, and how many times as fast decoding is with it."""
        best, gain = 0, 0.0
        expected = power = 1.0
        for count, cost in enumerate(self._costs, 1):
            power *= self._right
            expected += power
            if expected > gain * cost:
                best, gain = count, expected / cost
        return best, gain

    def drafted(self, count: int, right: int) -> None:
        """Of ``count`` tokens the first ``right`` were the model's own; what follows a wrong one says nothing."""
        if seen := min(count, right + 1):
            self._right += (right / seen - self._right) * seen / (self._seen + seen)
            self._seen = min(MEMORY, self._seen + seen)

    def took(self, rows: int, seconds: float) -> None:
        """A pass of ``rows`` took so long."""
        if 0 < rows < len(self._seconds):
            self._seconds[rows] = _undisturbed(self._seconds[rows], seconds)
            self._times[rows] += 1
            self._news += 1
            if self._times[rows] == BELIEVED or self._news % LOOK == 0:
                self._costs = self._estimated()

    def _estimated(self) -> list[float]:
        """Of passes with drafts of 1, 2, ... tokens, where a pass without one costs 1: as seen, or between what was seen."""
        one = self._seconds[1] if self._times[1] >= BELIEVED else 0.0
        known = iter([rows for rows in range(2, self._most + 2) if one and self._times[rows] >= BELIEVED])
        seen, costs = next(known, 0), [1.0]
        for rows in range(2, self._most + 2):
            if 0 < seen < rows:
                seen = next(known, 0)
            if seen:
                rise = (self._seconds[seen] / one - costs[-1]) / (seen - rows + 1)
            else:
                rise = max(self._rise, (costs[-1] - 1) / max(1, rows - 2))
            costs.append(max(costs[-1] + rise, 1.0))
        return costs[1:]


def _undisturbed(old: float, new: float) -> float:
    """What a pass takes when nothing else wants the core: down at once, up only when nothing faster comes for long."""
    return old + (0.3 if new < old else 0.02) * (new - old) if old else new
