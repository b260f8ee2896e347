"""How long a draft should be: from how many drafted tokens were right lately, and what passes of more rows cost here.

Knows counts and seconds. A draft's length changes no answer, only how soon it is there.
"""

from __future__ import annotations

LEAST_GAIN = 1.05
"""Drafts that make decoding less than 5 % faster are not made."""
AGAIN = 24
"""Passes without drafts after which one is tried again."""
MEMORY = 0.9
"""Weight of what was believed, beside each new observation."""


class Pace:
    """One source of drafts. It begins hopeful: four of five drafted tokens right, a row a tenth of a pass."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._right = 0.8
        self._one = self._slope = 0.0  # seconds of a pass with one row, and of each further row
        self._without = 0

    def length(self) -> int:
        """Tokens that the next draft should have at most; 0 for none."""
        best, gain = 0, LEAST_GAIN
        for count in range(1, self._most + 1):
            if (found := self._gain(count)) > gain:
                best, gain = count, found
        if best:
            self._without = 0
            return best
        self._without += 1
        if self._without > AGAIN:
            self._without = 0
            return min(1, self._most)
        return 0

    def drafted(self, count: int, right: int) -> None:
        """Of ``count`` tokens the first ``right`` were the model's own; what follows a wrong one says nothing."""
        seen = min(count, right + 1)
        share = MEMORY**seen
        self._right = share * self._right + (1 - share) * right / seen if seen else self._right

    def took(self, rows: int, seconds: float) -> None:
        """A pass of ``rows`` took so long."""
        if rows == 1:
            self._one = _undisturbed(self._one, seconds)
        elif self._one:
            self._slope = _undisturbed(self._slope, max(0.0, (seconds - self._one) / (rows - 1)))

    def _gain(self, count: int) -> float:
        """Tokens a second with drafts of this length, over those without."""
        cost = 1 + count * (self._slope / self._one if self._one and self._slope else 0.1)
        right = min(self._right, 0.999)
        return (1 - right ** (count + 1)) / (1 - right) / cost


def _undisturbed(old: float, new: float) -> float:
    """What a pass takes when nothing else wants the core: down at once, up only when nothing faster comes for long."""
    return old + (0.3 if new < old else 0.02) * (new - old) if old else new
