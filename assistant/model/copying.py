"""Drafts from a text that an answer probably repeats in part: as long as it copies, a pass verifies many tokens at once.

Knows token ids only. A draft is a guess: what it costs is time, what it gains is time, and no answer depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence

MOST = 24
"""Tokens of one draft: 25 rows of the shipped model take about as long as three passes of one row."""
PAIR = 2
"""So many tokens in common put an answer that left the text back into it."""


class Copier:
    """Follows one answer, which only grows, through the text ``ids``."""

    def __init__(self, ids: Sequence[int]) -> None:
        self._ids = list(ids)
        self._at: int | None = 0
        self._last = self._seen = 0

    def draft(self, new: Sequence[int], room: int) -> list[int]:
        """What may follow ``new``, at most ``room`` tokens; empty while the answer is elsewhere."""
        for index in range(self._seen, len(new)):
            self._follow(new, index)
        self._seen = len(new)
        return [] if self._at is None else self._ids[self._at : self._at + max(0, min(room, MOST))]

    def _follow(self, new: Sequence[int], index: int) -> None:
        if self._at is not None and self._at < len(self._ids) and self._ids[self._at] == new[index]:
            self._at = self._last = self._at + 1
            return
        self._at = None
        pair = list(new[index + 1 - PAIR : index + 1])
        for start in range(self._last, len(self._ids) - PAIR + 1) if len(pair) == PAIR else ():
            if self._ids[start : start + PAIR] == pair:
                self._at = self._last = start + PAIR
                return
