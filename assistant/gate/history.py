"""What the user did with the last suggestions, as numbers that fade to neutral by themselves.

Every memory here decays twice, by minutes and by opportunities. A memory that only an answer can change would keep a gate
shut for ever: hidden suggestions get no answer. Knows no clock (the caller passes seconds that never go back), keeps the last
text and hashes of others in this process only, and nothing of it is stored but the numbers.
"""

from __future__ import annotations

import math
from collections import deque

HALF_LIFE_S = 300.0
PER_OPPORTUNITY = 0.96  # what is left of an outcome's weight after one more opportunity: half after 17
PRIOR_RATE = 0.26  # mean acceptance of 2,047 Copilot users; their spread is that of ten observations
PRIOR_WEIGHT = 10.0
LONGEST_S = 600.0  # a pause longer than ten minutes is a pause
REMEMBERED = 64  # texts
FAR = 50  # characters from the last display; beyond it is another place


class History:
    """One client's recent past. Not thread-safe."""

    def __init__(self) -> None:
        self._accepted = self._decided = self._last = 0.0
        self._at: float | None = None
        self._ended: float | None = None
        self._shown: deque[float] = deque(maxlen=50)
        self._keys: deque[tuple[float, int]] = deque(maxlen=40)
        self._refused: dict[int, int] = {}
        self._taken: dict[int, int] = {}
        self._streak = 0.0
        self._place: tuple[str, int, str] | None = None
        self._text = ""

    def opportunity(self, now: float) -> None:
        """One more moment at which something could be shown, whatever was decided."""
        self._fade(now, PER_OPPORTUNITY)

    def typed(self, now: float, chars: int = 1) -> None:
        """The user put ``chars`` characters into a document."""
        self._keys.append((now, chars))

    def shown(self, now: float, document: str, offset: int, line: str) -> None:
        """A suggestion came up at ``offset`` of ``document``, behind ``line`` (the line's text before the cursor)."""
        self._shown.append(now)
        self._place = (document, offset, line.strip())

    def ended(self, now: float, text: str, value: float, weight: float = 1.0) -> None:
        """A shown suggestion was decided: ``value`` 1 taken, 0 not; ``weight`` how much of a judgement that was."""
        self._fade(now, 1.0)
        self._accepted += value * weight
        self._decided += weight
        self._last = (2 * value - 1) * weight
        self._streak = 0.0 if value > 0.5 else self._streak + weight
        self._text = text.strip()
        if weight:
            self._ended = now
            remember(self._taken if value > 0.5 else self._refused, hash(text.strip()))

    def numbers(self, now: float) -> dict[str, float]:
        """The past as features; each is 0 for a user of whom nothing is known, but the waits, which are then long."""
        accepted, decided, last, streak = (part * self._left(now) for part in self._outcomes())
        rate = (accepted + PRIOR_RATE * PRIOR_WEIGHT) / (decided + PRIOR_WEIGHT)
        return {
            "past_rate": _logit(rate) - _logit(PRIOR_RATE),
            "past_last": last,
            "past_refusals": streak,
            "past_known": math.log1p(decided),
            "since_ended": _wait(now, self._ended),
            "since_shown": _wait(now, self._shown[-1] if self._shown else None),
            "shown_minute": float(sum(now - at < 60 for at in self._shown)),
            "keys_per_second": self._pace(now),
            "since_key": _wait(now, self._keys[-1][0] if self._keys else None),
        }

    def of_place(self, document: str, offset: int, line: str) -> dict[str, float]:
        """How far the cursor is from the last display; nothing in another document."""
        if self._place is None or self._place[0] != document:
            return {}
        moved = max(-FAR, min(FAR, offset - self._place[1]))
        return {"moved": float(moved), "same_line": float(line.strip() == self._place[2])}

    def of_text(self, text: str) -> dict[str, float]:
        """Whether this very text was refused or taken lately, and how it compares with the last that was either."""
        bare, last = text.strip(), self._text
        words = set(bare.split())
        return {
            "text_refused": float(self._refused.get(hash(bare), 0)),
            "text_taken": float(self._taken.get(hash(bare), 0)),
            "text_common": len(words & set(last.split())) / max(1, len(words)),
            "text_longer": math.log((len(bare) + 1) / (len(last) + 1)),
        }

    def _outcomes(self) -> tuple[float, float, float, float]:
        return self._accepted, self._decided, self._last, self._streak

    def _left(self, now: float) -> float:
        return 1.0 if self._at is None else 0.5 ** (max(0.0, now - self._at) / HALF_LIFE_S)

    def _fade(self, now: float, factor: float) -> None:
        left = self._left(now) * factor
        self._accepted, self._decided, self._last, self._streak = (part * left for part in self._outcomes())
        self._at = now

    def _pace(self, now: float) -> float:
        """Characters per second over the last ten seconds."""
        return sum(chars for at, chars in self._keys if now - at < 10.0) / 10.0


def remember(texts: dict[int, int], key: int) -> None:
    """Count ``key``; the oldest of more than `REMEMBERED` is forgotten."""
    texts[key] = texts.pop(key, 0) + 1
    if len(texts) > REMEMBERED:
        del texts[next(iter(texts))]


def _wait(now: float, then: float | None) -> float:
    """The logarithm of one plus the seconds since ``then``."""
    return math.log1p(LONGEST_S if then is None else min(LONGEST_S, max(0.0, now - then)))


def _logit(rate: float) -> float:
    return math.log(rate / (1 - rate))
